"""The chains this gateway knows, as data; for any other chain of a family, name one of these in the settings.

Activation times of Ethereum are those of https://github.com/ethereum/execution-specs (README, "Hardforks").
A fact marked [U] could not be checked against the chain's own documentation when it was written down.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model.block import Fork
from gateway.model.chain import ChainProfile, FeeRule, OpUpgrade
from gateway.model.primitive import Address

# https://specs.optimism.io/protocol/deposits.html#the-deposited-transaction-type; op-alloy's OpTxEnvelope has the same
_OP_NATIVE = {0x7E: "a deposit transaction"}

# https://github.com/OffchainLabs/go-ethereum, core/types/transaction.go: ArbitrumDepositTxType and its neighbours
_NITRO_NATIVE = {
    0x64: "an Arbitrum deposit (ArbitrumDepositTx)",
    0x65: "an unsigned Arbitrum transaction (ArbitrumUnsignedTx)",
    0x66: "an Arbitrum contract transaction (ArbitrumContractTx)",
    0x68: "an Arbitrum retry (ArbitrumRetryTx)",
    0x69: "an Arbitrum retryable submission (ArbitrumSubmitRetryableTx)",
    0x6A: "an Arbitrum internal transaction (ArbitrumInternalTx)",
    0x78: "a legacy Arbitrum transaction (ArbitrumLegacyTx)",
}

# https://docs.scroll.io/en/technology/chain/transactions/
_SCROLL_NATIVE = {0x7E: "an L1 message transaction"}

# Constants of matter-labs/era-contracts, TransactionHelper.sol (0x71, 0xFF; 0xFE [U]). 0x71 is signed by users, yet
# refused: no local engine executes EraVM, and its fields (paymaster, factory dependencies) are not decoded here.
_ZKSYNC_NATIVE = {
    0x71: "an EIP-712 transaction",
    0xFE: "a protocol upgrade transaction",
    0xFF: "a priority (L1) transaction",
}

# Predeploy of the OP Stack: https://specs.optimism.io/protocol/predeploys.html#weth9
_OP_WETH = Address.from_hex("0x4200000000000000000000000000000000000006")

ETHEREUM = ChainProfile(
    name="ethereum",
    chain_id=1,
    wrapped_coin=Address.from_hex("0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"),
    # By timestamp from Shanghai on. Paris activated by total difficulty at block 15537394, London at 12965000:
    # these are the timestamps of those blocks. Earlier forks are not told apart here; a replay of an older
    # block names its fork in BlockContext.
    forks=(
        (0, Fork.BERLIN),
        (1_628_166_822, Fork.LONDON),
        (1_663_224_179, Fork.PARIS),
        (1_681_338_455, Fork.SHANGHAI),
        (1_710_338_135, Fork.CANCUN),
        (1_746_612_311, Fork.PRAGUE),
        (1_764_798_551, Fork.OSAKA),
    ),
)

# Holocene and earlier are Cancun for the EVM; Isthmus brings Prague's rules to L2, Jovian none that concern it.
# Times: alloy-rs/hardforks, crates/op-hardforks/src/constants.rs (to Holocene; OP Mainnet and Base have the same), the
# mainnet superchain.toml of the superchain registry (Isthmus, Jovian), and for Base's Jovian
# https://docs.base.org/base-chain/specs/upgrades/jovian/overview. P256VERIFY came with Fjord (RIP-7212),
# https://specs.optimism.io/protocol/fjord/exec-engine.html
_OP_FORKS = (
    (0, Fork.PARIS),
    (1_704_992_401, Fork.SHANGHAI),  # Canyon
    (1_710_374_401, Fork.CANCUN),  # Ecotone
    (1_746_806_401, Fork.PRAGUE),  # Isthmus
)
_OP_UPGRADES = (
    (0, OpUpgrade.REGOLITH),
    (1_710_374_401, OpUpgrade.ECOTONE),
    (1_720_627_201, OpUpgrade.FJORD),
    (1_746_806_401, OpUpgrade.ISTHMUS),
    (1_764_691_201, OpUpgrade.JOVIAN),
)

OP_MAINNET = ChainProfile(
    name="op-mainnet",
    chain_id=10,
    forks=_OP_FORKS,
    native_types=_OP_NATIVE,
    fee_rule=FeeRule.OP_STACK,
    op_upgrades=_OP_UPGRADES,
    p256=True,
    wrapped_coin=_OP_WETH,
)
BASE = ChainProfile(
    name="base",
    chain_id=8453,
    forks=_OP_FORKS,
    native_types=_OP_NATIVE,
    fee_rule=FeeRule.OP_STACK,
    op_upgrades=_OP_UPGRADES,
    p256=True,
    wrapped_coin=_OP_WETH,
)

ARBITRUM_ONE = ChainProfile(
    name="arbitrum-one",
    chain_id=42161,
    wrapped_coin=Address.from_hex("0x82af49447d8a07e3bd95bd0d56f35241523fbab1"),
    # ArbOS 11 brought Shanghai's rules and ArbOS 20 Cancun's: https://github.com/alloy-rs/hardforks,
    # crates/hardforks/src/arbitrum/mainnet.rs has both times. ArbOS 31 ("Bianca") brought P256VERIFY (RIP-7212):
    # scheduled for 1725382800 by https://github.com/ArbitrumFoundation/governance/pull/301; the profile has it always.
    # ArbOS 40 brought Prague's: scheduled for 1750176000 by https://github.com/ArbitrumFoundation/governance/pull/342.
    # ArbOS 51 ("Dia") came at 1767891600 (8 January 2026, 17:00 UTC:
    # https://docs.arbitrum.io/notices/fusaka-upgrade-notice) with some of Osaka's rules, among them the limits and
    # prices of MODEXP. It is left out: Osaka here would also refuse transactions of more than 2**24 gas (EIP-7825),
    # and that Arbitrum does so could not be checked [U]. CLZ is then unknown to local engines, MODEXP too cheap.
    forks=(
        (0, Fork.PARIS),
        (1_708_804_873, Fork.SHANGHAI),
        (1_710_424_089, Fork.CANCUN),
        (1_750_176_000, Fork.PRAGUE),
    ),
    native_types=_NITRO_NATIVE,
    p256=True,
)

SCROLL = ChainProfile(
    name="scroll",
    chain_id=534352,
    # https://docs.scroll.io/en/developers/ethereum-and-scroll-differences: the Cancun target. Euclid's second
    # phase brought EIP-7702; its time is that of https://github.com/scroll-tech/go-ethereum, release scroll-v5.8.33.
    # SELFDESTRUCT reverts and some precompiles are off there, which no local engine knows:
    # the `node` engine is the one to believe.
    forks=((0, Fork.CANCUN), (1_745_305_200, Fork.PRAGUE)),
    native_types=_SCROLL_NATIVE,
    p256=True,
)

ZKSYNC_ERA = ChainProfile(
    name="zksync-era",
    chain_id=324,
    forks=((0, Fork.CANCUN),),  # EraVM is another machine: only the `node` engine is right here
    native_types=_ZKSYNC_NATIVE,
    p256=True,
)

DEVELOPMENT = ChainProfile(
    name="development",
    chain_id=31337,  # anvil's and hardhat's default
    forks=((0, Fork.PRAGUE),),
)

PROFILES: Mapping[int, ChainProfile] = {
    profile.chain_id: profile for profile in (ETHEREUM, OP_MAINNET, BASE, ARBITRUM_ONE, SCROLL, ZKSYNC_ERA, DEVELOPMENT)
}
"""chain id -> built-in profile"""


def profile_for(chain_id: int) -> ChainProfile:
    """The built-in profile, or a plain one with Prague's rules and no native types for an unknown chain."""
    known = PROFILES.get(chain_id)
    return known or ChainProfile(name=f"chain-{chain_id}", chain_id=chain_id, forks=((0, Fork.PRAGUE),))
