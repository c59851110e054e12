from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from web3 import Web3

from gateway.devnet.anvil import anvil, find_anvil
from gateway.devnet.local import ChainKind, local_chain
from gateway.errors import ConfigurationError
from tests.gateway.devnet.signing import OTHER, SENDER, signed

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("kind", [pytest.param(ChainKind.ANVIL, marks=pytest.mark.anvil), ChainKind.PY_EVM])
def test_web3_works_with_it(kind: ChainKind) -> None:
    if kind is ChainKind.ANVIL and find_anvil(ROOT) is None:
        pytest.skip("anvil is not installed: run make setup on a machine with npm")
    with local_chain(kind, folder=ROOT) as chain:
        assert chain.kind is kind
        provider = Web3.HTTPProvider(chain.url)
        web3 = Web3(provider)
        assert web3.eth.chain_id == 31337
        before = web3.eth.get_balance(OTHER)
        receipt = web3.eth.wait_for_transaction_receipt(web3.eth.send_raw_transaction(signed(value=5)))
        assert receipt["status"] == 1
        assert web3.eth.get_balance(OTHER) == before + 5
        assert web3.eth.get_block("latest", full_transactions=True)["transactions"][0]["from"] == SENDER
        assert web3.eth.estimate_gas({"from": SENDER, "to": OTHER, "value": 1}) >= 21_000
        provider._request_session_manager.session_cache.clear()
    with pytest.raises(httpx.ConnectError):
        httpx.post(chain.url, json={})


def test_without_anvil_the_py_evm_chain_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert find_anvil(tmp_path) is None
    with local_chain(folder=tmp_path) as chain:
        assert chain.kind is ChainKind.PY_EVM
    with pytest.raises(ConfigurationError, match="anvil is not installed"), anvil(folder=tmp_path):
        pass


def test_the_npm_binary_comes_before_the_path(tmp_path: Path) -> None:
    binary = tmp_path / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
    binary.parent.mkdir(parents=True)
    binary.touch()
    assert find_anvil(tmp_path) == binary
