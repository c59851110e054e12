"""The values that flow through the gateway. This room knows no I/O, no engine and no framework."""
