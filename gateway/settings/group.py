"""What groups of settings are made of: an immutable model, and lists that are written with commas."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_settings import NoDecode


class Group(BaseModel):
    """Settings that stand together under STOPGATE_<GROUP>__; an unknown name in it is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _split(value: Any) -> Any:
    return tuple(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""separated by commas, in the order given"""
Paths = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split)]
"""files and folders, separated by commas"""
WordSet = Annotated[frozenset[str], NoDecode, BeforeValidator(_split)]
"""separated by commas"""
