"""The settings tree: read once at start from the environment, then handed down and never changed.

Every value has a name STOPGATE_<GROUP>__<NAME>; with _FILE appended it is read from a file, for secrets. `REDIS_URL` is
the one bare name accepted. Times are in seconds unless the name says otherwise.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.sources import EnvSettingsSource

from gateway.errors import ConfigurationError
from gateway.model.policy import Mode
from gateway.model.price import PriceBook
from gateway.model.primitive import Address
from gateway.model.verdict import Action

Engine = Literal["auto", "revm", "py-evm", "node"]
_FILE = "_file"


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RpcSettings(_Group):
    """The public edge."""

    listen: str = "127.0.0.1:8080"
    """host:port"""
    public_url: str = ""
    """what clients reach this gateway by, for status links; empty: http:// and `listen`"""
    body_bytes: int = Field(default=5 * 1024 * 1024, ge=1024)
    depth: int = Field(default=64, ge=4, le=500)
    batch_items: int = Field(default=100, ge=1)
    transaction_bytes: int = Field(default=128 * 1024, ge=1024)
    body_seconds: float = Field(default=15.0, gt=0)
    in_flight: int = Field(default=512, ge=1)
    """HTTP requests answered at once"""
    connections: int = Field(default=2048, ge=1)
    """open connections; beyond it new ones are answered 503"""
    websockets: int = Field(default=512, ge=0)
    """open WebSocket connections; 0 serves none"""
    websockets_per_client: int = Field(default=32, ge=1)
    websocket_idle_seconds: float = Field(default=300.0, gt=0)
    """without a message and without a subscription, until a WebSocket is closed"""
    subscriptions: int = Field(default=32, ge=0)
    """of one WebSocket connection; passed through to STOPGATE_UPSTREAM__WEBSOCKET_URL"""
    extra_methods: Annotated[frozenset[str], NoDecode] = frozenset()
    """optional methods to pass through, separated by commas"""
    allow_origin: str = "*"
    """for pages in browsers; empty sends no CORS headers"""
    forwarded_allow_ips: str = "127.0.0.1"
    """proxies whose X-Forwarded-For is believed, separated by commas"""
    sync_seconds: float = Field(default=2.0, gt=0)
    """wait of eth_sendRawTransactionSync if the client names none"""
    sync_most_seconds: float = Field(default=10.0, gt=0)

    @field_validator("extra_methods", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return frozenset(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value

    @field_validator("listen")
    @classmethod
    def _has_port(cls, value: str) -> str:
        split_listen(value)
        return value


class LimitSettings(_Group):
    """What one client may ask for: a client is an API key, or an address (of IPv6 its /64) without one.

    Each gateway process counts for itself: with n replicas a client has n times as much. A rate of 0 limits nothing.
    """

    api_keys: Annotated[tuple[str, ...], NoDecode] = ()
    """NAME:SHA256 or NAME:SHA256:FACTOR, separated by commas: the key's name, the SHA-256 of the key in hex, and what
    its limits are multiplied by. Clients send the key as X-Api-Key, as a bearer token, or as the path /key/KEY"""
    require_key: bool = False
    """serve nobody without a key"""
    requests_per_second: float = Field(default=1000.0, ge=0)
    """JSON-RPC calls, each item of a batch by itself"""
    requests_burst: float = Field(default=2000.0, ge=1)
    inspection_share: float = Field(default=0.5, ge=0)
    """seconds of engine and detectors in a second, for all transactions of a client together"""
    inspection_burst: float = Field(default=3.0, gt=0)
    """seconds of them at once after a rest"""
    gas_per_second: float = Field(default=30e6, ge=0)
    """gas that simulations of a client's transactions use; what one client alone may fill of the chain"""
    gas_burst: float = Field(default=120e6, ge=1)
    waiting_cases: int = Field(default=500, ge=1)
    """held, deferred and parked transactions of one client"""
    heavy_inspections: int = Field(default=0, ge=0)
    """transactions of much gas inspected at a time; one client has all but one. 0: two more than processors"""

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value

    @field_validator("api_keys")
    @classmethod
    def _are_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = [parse_api_key(text)[0] for text in value]
        if len(set(names)) != len(names):
            raise ValueError("two API keys have the same name")
        return value


class UpstreamSettings(_Group):
    """The sequencer's RPC and those that stand in for it."""

    urls: Annotated[tuple[str, ...], NoDecode] = ()
    """separated by commas; the first is the sequencer"""
    websocket_url: str = ""
    """for new heads and for clients' subscriptions; empty: heads by polling alone, and no subscriptions"""
    connect_timeout: float = Field(default=2.0, gt=0)
    read_timeout: float = Field(default=10.0, gt=0)
    send_timeout: float = Field(default=20.0, gt=0)
    settle_seconds: float = Field(default=3.0, ge=0)
    """how long to look for a transaction whose answer was lost"""
    connections: int = Field(default=64, ge=1)
    max_head_age: float = Field(default=60.0, gt=0)
    """without a new head for longer, nothing is judged and a stand-in is preferred"""
    profile: str = ""
    """name of a built-in chain profile to use for a chain id that has none"""

    @field_validator("urls", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value

    @field_validator("urls")
    @classmethod
    def _is_http(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"{url!r} is no http:// or https:// URL")
        return value


class InspectionSettings(_Group):
    """Engines, budgets and detectors."""

    engine: Engine = "auto"
    """auto: revm if it is installed, else py-evm"""
    workers: int = Field(default=0, ge=0)
    """py-evm processes; 0: one for each processor, two at least"""
    budget_ms: int = Field(default=1000, ge=10)
    """from receipt to verdict; what takes longer is deferred"""
    verify_sample: float = Field(default=0.01, ge=0, le=1)
    """share of the forwarded transactions that run again on the other engine, off the hot path; held ones always do"""
    recheck_sample: float = Field(default=0.01, ge=0, le=1)
    """share of the forwarded transactions whose verdict is compared with what the chain then did (receipt, trace)"""
    disabled_detectors: Annotated[frozenset[str], NoDecode] = frozenset()
    """detector ids, separated by commas"""

    @field_validator("disabled_detectors", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return frozenset(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value

    @property
    def budget(self) -> timedelta:
        """From receipt to verdict."""
        return timedelta(milliseconds=self.budget_ms)


class PolicySettings(_Group):
    """Mode and failure answers; the clauses themselves are `gateway.inspection.policy`'s."""

    mode: Mode = Mode.ENFORCE
    on_over_budget: Action = Action.DEFER
    on_detector_timeout: Action = Action.DEFER
    on_simulation_error: Action = Action.HOLD
    on_detector_failure: Action = Action.HOLD
    on_simulated_revert: Action = Action.FORWARD
    on_queue_unavailable: Action = Action.HOLD
    on_record_unavailable: Literal[Action.REJECT, Action.FORWARD] = Action.REJECT
    hold_seconds: int = Field(default=6 * 3600, ge=60)


class ValueSettings(_Group):
    """In what losses are told. Without a unit: in the chain's own coin, and prices are not used."""

    unit: str = Field(default="", max_length=12)
    """for example USD"""
    coin: float = Field(default=0.0, ge=0)
    """units that one whole coin is worth; 0: not known"""
    tokens: Mapping[str, tuple[float, int]] = {}
    """JSON: token address -> [units that one whole token is worth, its decimals]"""

    @field_validator("tokens")
    @classmethod
    def _are_addresses(cls, value: Mapping[str, tuple[float, int]]) -> Mapping[str, tuple[float, int]]:
        for address, (price, decimals) in value.items():
            Address.from_hex(address)
            if price < 0 or not 0 <= decimals <= 36:
                raise ValueError(f"{address}: a price is not negative, and decimals are 0 to 36")
        return value

    def book(self, wrapped_coin: Address | None) -> PriceBook:
        """The prices by smallest unit; `wrapped_coin`: the chain's token that is its coin."""
        wrapped = frozenset({wrapped_coin} if wrapped_coin is not None else ())
        if not self.unit:
            return PriceBook(wrapped=wrapped)
        tokens = {Address.from_hex(text): price / 10**decimals for text, (price, decimals) in self.tokens.items()}
        return PriceBook(self.unit, self.coin or None, tokens, wrapped)


class StoreSettings(_Group):
    """Where cases and the live queue are kept; the same for gateway and dashboard."""

    database_url: SecretStr = SecretStr("")
    """sqlite:///FILE or postgresql://...; empty: SQLite below the data folder"""
    redis_url: SecretStr = SecretStr("")
    """redis://, rediss:// or unix://; empty: an embedded Valkey below the data folder"""
    secret_keys: SecretStr = SecretStr("")
    """what second factors and channels are sealed with in SQL: Fernet keys, the first seals, all open; the same for
    gateway and dashboard. Empty: a file beside a database below the data folder, else they are kept plain"""


class NotifySettings(_Group):
    """Notifications; the channels themselves are made in the dashboard."""

    enabled: bool = True
    """False: this process sends nothing (another replica may)"""
    dashboard_url: str = "http://127.0.0.1:8081"
    """what people reach the dashboard by, for the links"""
    expiring: float = Field(default=1800.0, gt=0)
    """seconds before its time limit at which a held case is told of once more"""

    @field_validator("dashboard_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError(f"{value!r} is no http:// or https:// URL")
        return value.rstrip("/")


class LogSettings(_Group):
    """Log lines on standard error."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["json", "text"] = "json"


class PlainSource(EnvSettingsSource):
    """The environment without names that `FileSource` reads."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name: value for name, value in super()._load_env_vars().items() if not name.endswith(_FILE)}


class FileSource(EnvSettingsSource):
    """NAME_FILE: the value is what that file holds, without surrounding white space."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        found: dict[str, str | None] = {}
        for name, path in super()._load_env_vars().items():
            if path and name.startswith("stopgate_") and name.endswith(_FILE):
                try:
                    found[name.removesuffix(_FILE)] = Path(path).read_text("utf-8").strip()
                except OSError as error:
                    raise ConfigurationError(f"{name.upper()} names a file that cannot be read: {error}") from error
        return found


class Settings(BaseSettings):
    """Everything a gateway process is configured with."""

    model_config = SettingsConfigDict(
        env_prefix="STOPGATE_", env_nested_delimiter="__", frozen=True, extra="ignore", env_ignore_empty=True
    )

    data_dir: Path = Path(".stopgate")
    """embedded stores live here"""
    rpc: RpcSettings = RpcSettings()
    limits: LimitSettings = LimitSettings()
    upstream: UpstreamSettings = UpstreamSettings()
    inspection: InspectionSettings = InspectionSettings()
    policy: PolicySettings = PolicySettings()
    value: ValueSettings = ValueSettings()
    store: StoreSettings = StoreSettings()
    notify: NotifySettings = NotifySettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then files named by the environment."""
        return init_settings, PlainSource(settings_cls), FileSource(settings_cls)


def load_settings(**overrides: Any) -> Settings:
    """Read the environment; `overrides` are nested dictionaries that win over it (command-line options).

    Raises:
        ConfigurationError: a value is unusable; names the setting and what it takes.
    """
    bare = os.environ.get("REDIS_URL", "")
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        problems = "; ".join(
            f"STOPGATE_{'__'.join(str(part) for part in item['loc']).upper()}: {item['msg']}" for item in error.errors()
        )
        raise ConfigurationError(problems) from error
    if bare and not settings.store.redis_url.get_secret_value():
        store = settings.store.model_copy(update={"redis_url": SecretStr(bare)})
        settings = settings.model_copy(update={"store": store})
    return settings


def split_listen(listen: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[v6]:port`. Raises ValueError for anything else."""
    host, separator, port = listen.rpartition(":")
    if not separator or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{listen!r} is not host:port")
    return host.strip("[]"), int(port)


_API_KEY = re.compile(r"([A-Za-z0-9._-]{1,64}):([0-9a-f]{64})(?::([0-9]+(?:\.[0-9]+)?))?")


def parse_api_key(text: str) -> tuple[str, str, float]:
    """Name, digest and factor of one entry of STOPGATE_LIMITS__API_KEYS. Raises ValueError for anything else."""
    found = _API_KEY.fullmatch(text)
    if found is None or (found[3] is not None and float(found[3]) == 0):
        raise ValueError(
            "an API key is written NAME:SHA256 or NAME:SHA256:FACTOR; make the digest with `printf %s KEY | sha256sum`"
        )
    return found[1], found[2], float(found[3] or 1)
