"""Engines behind one protocol. They own no socket: what they do not know they ask for by name."""
