"""Pools and prices: before, after, bent, and asked while bent."""
