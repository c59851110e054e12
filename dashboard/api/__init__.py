"""The API under /api/v1: what the pages do, for programs with a token. Cookies count for nothing here."""
