"""The library bcrypt with a memory: a hash takes a tenth of a second, and tests make thousands.

Lives here: the three functions of it that are used, each with the results of the real ones: the
same password and the same salt have the same hash, which is made once. Salts come from a few, in
turns, so that one password twice still has two hashes. Programs that tests start have the library
as it is.
"""

from functools import cache
from hmac import compare_digest
from itertools import cycle
from typing import Final

import bcrypt
import pytest

_SALT_COUNT: Final = 3
_SALT_LENGTH: Final = 29
_MINORS: Final = (b"$2a$", b"$2b$")
"""Versions that differ in name only."""

_real_gensalt: Final = bcrypt.gensalt
_real_hashpw: Final = bcrypt.hashpw
_turns: Final = cycle(range(_SALT_COUNT))


def install(patch: pytest.MonkeyPatch) -> None:
    """Put the functions with a memory in the places of the library's."""
    for function in (gensalt, hashpw, checkpw):
        patch.setattr(bcrypt, function.__name__, function)


def gensalt(rounds: int = 12, prefix: bytes = b"2b") -> bytes:
    """Give the next of a few salts of this cost."""
    return _salt(rounds, prefix, next(_turns))


def hashpw(password: bytes, salt: bytes) -> bytes:
    """Hash, or remember the hash."""
    if salt[:4] not in _MINORS:
        return _real_hashpw(password, salt)
    return salt[:4] + _hash(password, salt[4:_SALT_LENGTH])


def checkpw(password: bytes, hashed_password: bytes) -> bool:
    """Hash once more and compare, as the library does."""
    return compare_digest(hashpw(password, hashed_password), hashed_password)


@cache
def _salt(rounds: int, prefix: bytes, _turn: int) -> bytes:
    return _real_gensalt(rounds, prefix)


@cache
def _hash(password: bytes, salt: bytes) -> bytes:
    return _real_hashpw(password, b"$2b$" + salt)[4:]
