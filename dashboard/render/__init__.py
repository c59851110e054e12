"""From stored values to what a page prints. Everything that comes from a transaction is hostile text."""
