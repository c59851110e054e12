"""Password hashes: argon2id, about half a second of one processor each. Call from a thread, few at a time."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.errors import ConfigurationError

MIN_LENGTH = 12
MAX_LENGTH = 1024
"""Longer input is refused: hashing it would be work for nothing."""

_HASHER = PasswordHasher()


def hash_password(password: str) -> str:
    """Hash a new password. Blocks.

    Raises:
        ConfigurationError: too short or too long.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise ConfigurationError(f"a password needs {MIN_LENGTH} to {MAX_LENGTH} characters, this has {len(password)}")
    return _HASHER.hash(password)


def password_matches(password_hash: str, password: str) -> bool:
    """True if the password belongs to the hash. Blocks."""
    try:
        return len(password) <= MAX_LENGTH and _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
