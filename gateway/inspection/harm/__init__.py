"""Who lost or gained what, on which terms, and what grew or was rewritten on the way."""
