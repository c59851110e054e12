"""Measurements that make their own conditions: run them by `make bench...`, never in tests."""
