"""Who acts for whom: the origin's tools, the contracts that serve many, those that only pass a call on."""
