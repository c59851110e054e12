"""JSON-RPC 2.0 messages, the table of methods and the table of errors."""
