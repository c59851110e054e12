"""kill -9 of the gateway and of its Valkey, again and again: nothing held is lost, nothing is forwarded twice."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.anvil import Anvil, needs_anvil, running_anvil
from tests.edge import Wallet, hash_of
from tests.gatewayprocess import GatewayProcess

pytestmark = needs_anvil

BROKEN = "0x" + "00" * 19 + "09"
"""The blake2f precompile: called with no input it fails, so that policy can be told to hold what fails."""


def _send_all(gateway: GatewayProcess, transactions: list[str], answers: dict[str, dict[str, Any]]) -> None:
    for raw in transactions:
        try:
            answers[raw] = gateway.call("eth_sendRawTransaction", raw)
        except OSError:
            continue  # the gateway died under us: the client does not know


def _case(answer: dict[str, Any]) -> str:
    """The case id in an answer; empty if it names none."""
    data = answer.get("error", {}).get("data", {})
    return str(data.get("caseId", ""))


def _kill_valkey(data_dir: Path) -> None:
    for file in (data_dir / "valkey").glob("*.pid"):
        os.kill(int(file.read_text().split()[0]), signal.SIGKILL)


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_a_held_transaction_survives_every_death(tmp_path: Path, rounds: int) -> None:
    with running_anvil("--hardfork", "prague") as chain:
        gateway = GatewayProcess(chain.url, tmp_path / "data", {"STOPGATE_POLICY__ON_SIMULATED_REVERT": "hold"})
        told: dict[str, str] = {}
        clean: list[str] = []
        gateway.start()
        try:
            for turn in range(rounds):
                wallets = [Wallet(chain) for _ in range(6)]
                chain.mine()
                time.sleep(0.5)  # for the gateway to see the block in which the wallets have money
                suspicious = [wallet.sign(BROKEN, gas=90_000) for wallet in wallets[:3]]
                clean += (fresh := [wallet.sign() for wallet in wallets[3:]])
                answers: dict[str, dict[str, Any]] = {}
                sender = threading.Thread(target=_send_all, args=(gateway, [*suspicious, *fresh], answers))
                sender.start()
                time.sleep(0.03 * (turn + 1))
                if turn % 3 == 1:
                    _kill_valkey(gateway.data_dir)
                    time.sleep(0.2)
                gateway.kill()
                if turn % 3 == 2:
                    _kill_valkey(gateway.data_dir)
                sender.join()
                for raw, answer in answers.items():
                    if raw in suspicious and _case(answer):  # what was told "held" must be held for ever
                        told[raw] = _case(answer)
                gateway.start()
                again: dict[str, dict[str, Any]] = {}
                _send_all(gateway, [*suspicious, *fresh], again)
                for raw, case in told.items():
                    now = gateway.call("eth_sendRawTransaction", raw)
                    assert now["error"]["data"]["status"] == "HELD", now
                    assert _case(now) == case
                for raw in suspicious:
                    assert chain.rpc("eth_getTransactionByHash", hash_of(raw)) is None
            _released_once(chain, gateway, sorted(told)[0])
            for raw in clean:
                assert chain.rpc("eth_getTransactionReceipt", hash_of(raw))["status"] == "0x1"
            verified = gateway.cli("audit", "verify", "--json")
            assert json.loads(verified.stdout)["holds"] is True, verified.stdout
        finally:
            gateway.stop()


def _released_once(chain: Anvil, gateway: GatewayProcess, raw: str) -> None:
    """Release, and kill in the middle of it: it arrives all the same."""
    case = gateway.call("eth_sendRawTransaction", raw)["error"]["data"]["caseId"]
    assert gateway.cli("quarantine", "release", case, "--reason", "harmless").returncode == 0
    time.sleep(0.2)
    gateway.kill()
    gateway.start()
    deadline = time.monotonic() + 60
    while chain.rpc("eth_getTransactionReceipt", hash_of(raw)) is None:
        assert time.monotonic() < deadline, gateway.log[-2000:]
        time.sleep(0.2)
    assert gateway.call("eth_sendRawTransaction", raw)["result"] == hash_of(raw)
