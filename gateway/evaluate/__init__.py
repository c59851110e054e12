"""Recorded attacks and real blocks: reading, running and counting them. Product code never needs this room."""
