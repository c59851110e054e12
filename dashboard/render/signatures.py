"""Names of well-known functions and events, and the plain arguments of calls to them.

The table is curated here: a selector found in it is a likely reading, not a proof, so pages print the source beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import sha3

from dashboard.render.text import clean, shorten

SOURCE = "built-in table of well-known signatures"

_FUNCTIONS = """
transfer(address to,uint256 amount)
transferFrom(address from,address to,uint256 amount)
approve(address spender,uint256 amount)
increaseAllowance(address spender,uint256 added)
decreaseAllowance(address spender,uint256 taken)
balanceOf(address owner)
allowance(address owner,address spender)
totalSupply()
decimals()
symbol()
name()
owner()
mint(address to,uint256 amount)
mint(uint256 amount)
mint(address to)
burn(uint256 amount)
burn(address from,uint256 amount)
burn(address to)
burnFrom(address from,uint256 amount)
permit(address owner,address spender,uint256 value,uint256 deadline,uint8 v,bytes32 r,bytes32 s)
safeTransferFrom(address from,address to,uint256 id)
safeTransferFrom(address from,address to,uint256 id,bytes data)
safeTransferFrom(address from,address to,uint256 id,uint256 amount,bytes data)
setApprovalForAll(address operator,bool approved)
onERC721Received(address operator,address from,uint256 id,bytes data)
onERC1155Received(address operator,address from,uint256 id,uint256 amount,bytes data)
ownerOf(uint256 id)
deposit()
deposit(uint256 amount)
deposit(uint256 assets,address receiver)
withdraw(uint256 amount)
withdraw(uint256 assets,address receiver,address owner)
withdraw()
redeem(uint256 shares,address receiver,address owner)
redeem(uint256 amount)
mint(uint256 shares,address receiver)
convertToAssets(uint256 shares)
convertToShares(uint256 assets)
totalAssets()
asset()
previewDeposit(uint256 assets)
previewRedeem(uint256 shares)
swap(uint256 amount0Out,uint256 amount1Out,address to,bytes data)
swap(address recipient,bool zeroForOne,int256 amount,uint160 limit,bytes data)
sync()
skim(address to)
getReserves()
token0()
token1()
slot0()
swapExactTokensForTokens(uint256 amountIn,uint256 amountOutMin,address[] path,address to,uint256 deadline)
swapTokensForExactTokens(uint256 amountOut,uint256 amountInMax,address[] path,address to,uint256 deadline)
swapExactETHForTokens(uint256 amountOutMin,address[] path,address to,uint256 deadline)
swapExactTokensForETH(uint256 amountIn,uint256 amountOutMin,address[] path,address to,uint256 deadline)
addLiquidity(address a,address b,uint256 aWanted,uint256 bWanted,uint256 aMin,uint256 bMin,address to,uint256 deadline)
removeLiquidity(address a,address b,uint256 liquidity,uint256 aMin,uint256 bMin,address to,uint256 deadline)
uniswapV2Call(address sender,uint256 amount0,uint256 amount1,bytes data)
pancakeCall(address sender,uint256 amount0,uint256 amount1,bytes data)
uniswapV3SwapCallback(int256 delta0,int256 delta1,bytes data)
uniswapV3FlashCallback(uint256 fee0,uint256 fee1,bytes data)
flash(address recipient,uint256 amount0,uint256 amount1,bytes data)
flashLoan(address receiver,address token,uint256 amount,bytes data)
flashLoan(address recipient,address[] tokens,uint256[] amounts,bytes data)
flashLoanSimple(address receiver,address asset,uint256 amount,bytes params,uint16 referral)
executeOperation(address asset,uint256 amount,uint256 premium,address initiator,bytes params)
onFlashLoan(address initiator,address token,uint256 amount,uint256 fee,bytes data)
receiveFlashLoan(address[] tokens,uint256[] amounts,uint256[] fees,bytes data)
borrow(uint256 amount)
borrow(address asset,uint256 amount,uint256 mode,uint16 referral,address onBehalfOf)
supply(address asset,uint256 amount,address onBehalfOf,uint16 referral)
repay(address asset,uint256 amount,uint256 mode,address onBehalfOf)
repayBorrow(uint256 amount)
liquidateBorrow(address borrower,uint256 amount,address collateral)
liquidationCall(address collateral,address debt,address user,uint256 amount,bool receiveToken)
enterMarkets(address[] markets)
exchange(int128 i,int128 j,uint256 dx,uint256 minDy)
get_virtual_price()
multicall(bytes[] calls)
execute(address target,uint256 value,bytes data)
execTransaction(address to,uint256 value,bytes data,uint8 op,uint256 a,uint256 b,uint256 c,address d,address e,bytes f)
handleOps((address,uint256,bytes,bytes,bytes32,uint256,bytes32,bytes,bytes)[] ops,address beneficiary)
upgradeTo(address implementation)
upgradeToAndCall(address implementation,bytes data)
changeAdmin(address admin)
transferOwnership(address owner)
acceptOwnership()
renounceOwnership()
initialize()
initialize(address owner)
grantRole(bytes32 role,address account)
revokeRole(bytes32 role,address account)
setOwner(address owner)
setPrice(uint256 price)
setImplementation(address implementation)
pause()
unpause()
kill()
destroy()
claim()
getReward()
stake(uint256 amount)
unstake(uint256 amount)
harvest()
propose(address[] targets,uint256[] values,bytes[] calldatas,string description)
castVote(uint256 proposal,uint8 support)
queue(uint256 proposal)
execute(uint256 proposal)
delegate(address to)
latestAnswer()
latestRoundData()
getPrice(address token)
attack()
run()
"""

_EVENTS = """
Transfer(address from,address to,uint256 amount)
Approval(address owner,address spender,uint256 amount)
ApprovalForAll(address owner,address operator,bool approved)
TransferSingle(address operator,address from,address to,uint256 id,uint256 amount)
Deposit(address to,uint256 amount)
Withdrawal(address from,uint256 amount)
Deposit(address sender,address owner,uint256 assets,uint256 shares)
Withdraw(address sender,address receiver,address owner,uint256 assets,uint256 shares)
Swap(address sender,uint256 amount0In,uint256 amount1In,uint256 amount0Out,uint256 amount1Out,address to)
Swap(address sender,address recipient,int256 amount0,int256 amount1,uint160 price,uint128 liquidity,int24 tick)
Sync(uint112 reserve0,uint112 reserve1)
Mint(address sender,uint256 amount0,uint256 amount1)
Burn(address sender,uint256 amount0,uint256 amount1,address to)
Upgraded(address implementation)
AdminChanged(address before,address after)
BeaconUpgraded(address beacon)
OwnershipTransferred(address before,address after)
RoleGranted(bytes32 role,address account,address sender)
RoleRevoked(bytes32 role,address account,address sender)
Initialized(uint8 version)
Paused(address account)
Unpaused(address account)
FlashLoan(address recipient,address token,uint256 amount,uint256 fee)
Borrow(address borrower,uint256 amount,uint256 accountBorrows,uint256 totalBorrows)
ExecutionSuccess(bytes32 hash,uint256 payment)
"""


@dataclass(frozen=True, slots=True)
class Signature:
    """One function or event."""

    name: str
    parameters: tuple[tuple[str, str], ...]
    """(type, name)"""

    @property
    def canonical(self) -> str:
        """What is hashed."""
        return f"{self.name}({','.join(kind for kind, _ in self.parameters)})"


def _parse(line: str) -> Signature:
    name, _, rest = line.partition("(")
    parts, depth, start = [], 0, 0
    body = rest[:-1]
    for position, letter in enumerate(body):
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append(body[start:position])
            start = position + 1
    parts.extend([body[start:]] if body else [])
    pairs = (part.rpartition(" ") for part in parts)
    return Signature(name, tuple((kind, word) for kind, _, word in pairs))


def _keccak(text: str) -> bytes:
    return bytes(sha3.keccak_256(text.encode()).digest())


@cache
def functions() -> dict[bytes, Signature]:
    """Selector -> signature."""
    parsed = [_parse(line) for line in _FUNCTIONS.strip().splitlines()]
    return {_keccak(signature.canonical)[:4]: signature for signature in parsed}


@cache
def events() -> dict[bytes, Signature]:
    """First topic -> signature."""
    parsed = [_parse(line) for line in _EVENTS.strip().splitlines()]
    return {_keccak(signature.canonical): signature for signature in parsed}


@dataclass(frozen=True, slots=True)
class Reading:
    """A call or event in words."""

    name: str
    arguments: tuple[tuple[str, str], ...]
    """(name, text)"""
    known: bool
    """True if the name stands in the table; False: only the selector is known"""


def read_call(data: bytes) -> Reading:
    """The function that calldata asks for."""
    if not data:
        return Reading("receive", (), True)
    signature = functions().get(data[:4])
    if signature is None:
        return Reading("0x" + data[:4].hex(), (), False)
    words = [data[4 + 32 * index : 36 + 32 * index] for index in range(len(signature.parameters))]
    if any(len(word) != 32 for word in words):
        return Reading(signature.name, (), True)
    arguments = tuple(
        (name, _argument(kind, word)) for (kind, name), word in zip(signature.parameters, words, strict=True)
    )
    return Reading(signature.name, arguments, True)


def read_event(topics: tuple[bytes, ...], data: bytes) -> Reading:
    """The event of a log; indexed arguments come first in the common ones, so words are read in order."""
    signature = events().get(topics[0]) if topics else None
    if signature is None:
        return Reading("0x" + topics[0][:4].hex() + "…" if topics else "anonymous", (), False)
    words = [*topics[1:], *(data[start : start + 32] for start in range(0, len(data), 32))]
    if len(words) != len(signature.parameters) or len(topics) - 1 > len(signature.parameters):
        return Reading(signature.name, (), True)
    if signature.name == "Swap" and len(topics) == 3:  # the recipient is indexed, but declared last
        words = [topics[1], *words[2:], topics[2]] if signature.parameters[-1][1] == "to" else words
    arguments = tuple(
        (name, _argument(kind, word)) for (kind, name), word in zip(signature.parameters, words, strict=True)
    )
    return Reading(signature.name, arguments, True)


def _argument(kind: str, word: bytes) -> str:
    if kind == "address":
        return "0x" + word[12:].hex()
    if kind == "bool":
        return "true" if any(word) else "false"
    if kind.startswith("uint") and not kind.endswith("]"):
        number = int.from_bytes(word)
        return "unlimited" if number == 2**256 - 1 else clean(f"{number:,}" if number < 10**30 else f"{number:.4e}")
    if kind.startswith("int") and not kind.endswith("]"):
        return f"{int.from_bytes(word, signed=True):,}"
    if kind.startswith("bytes") and kind[5:].isdigit():
        return shorten("0x" + word.hex())
    return "…"
