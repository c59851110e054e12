"""Real stores for the tests of whole processes."""

from tests.stores import sqlite_file_url, sqlite_template, valkey

__all__ = ["sqlite_file_url", "sqlite_template", "valkey"]
