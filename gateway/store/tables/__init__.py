"""The tables of the durable record, and column types that behave the same on SQLite and Postgres."""
