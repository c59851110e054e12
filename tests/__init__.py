"""Tests mirror the packages. This file keeps pytest from importing tests/gateway as `gateway`."""
