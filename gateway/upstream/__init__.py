"""Clients of the sequencer's RPC."""
