"""The live quarantine in Redis and the durable record in SQL. The only room that knows either."""
