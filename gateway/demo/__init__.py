"""The demonstration: honest traffic and real exploits, played through a public RPC while somebody watches.

The room knows JSON-RPC and a list of signed transactions with the truth about them. It knows nothing of
how the gateway decides, so that what it reports is what any client would see.
"""
