"""Accounts, and how somebody gets in."""
