"""Bytes to transactions, and the few ABI shapes the hot path reads."""
