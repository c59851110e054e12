"""The durable record of cases: what is written, read, sent and counted."""
