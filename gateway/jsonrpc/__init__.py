"""JSON-RPC 2.0 as bytes and values: messages, the method table, error codes. Knows no transport and no chain."""
