from __future__ import annotations

from gateway.decoding.envelope import decode_transaction
from gateway.demo.playbill import Act, load
from gateway.model.profiles import DEVELOPMENT


def test_every_line_decodes_to_its_hash() -> None:
    for item in load():
        for line in item.lines if isinstance(item, Act) else (item.line,):
            assert str(decode_transaction(bytes.fromhex(line.raw[2:]), DEVELOPMENT).hash) == line.hash
