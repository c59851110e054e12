"""`python -m gateway.devnet PORT`: the py-evm development chain on the loopback interface."""

from __future__ import annotations

import sys

from gateway.devnet.server import serve

if __name__ == "__main__":
    serve(int(sys.argv[1]) if len(sys.argv) > 1 else 8545)
