"""The public edge: the RPC route, the status pages, and the order of record, queue, answer."""
