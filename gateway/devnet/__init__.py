"""Local chains for development, tests and the demonstration: anvil, and a small chain on py-evm.

Both listen on the loopback interface only, die with their parent, and hold nothing of value.
The room knows nothing of the gateway; the gateway speaks to it as to any other upstream.
"""
