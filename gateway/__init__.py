"""The gateway: decode, simulate, inspect, decide, then forward or hold. It knows no detector by name and no page."""
