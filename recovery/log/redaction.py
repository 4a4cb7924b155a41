"""Redaction of events.

Lives here: what an event may show. Must not live here: structlog.

Invariants: only plain values survive: text, numbers, None, and lists and dictionaries of them. What
looks like a token or a hash is cut out of texts; bytes become their length, and any other object
its type, because nobody knows what its text would say.

Facts: shape of tokens and hashes: influxdb v2.9.1 rand/token.go and authorization/hasher.go
(base64url of 64 bytes; `$influxdb2-sha256$…`), golang.org/x/crypto/bcrypt (`$2a$10$…`).
"""

import re
from collections.abc import Mapping
from datetime import date
from enum import Enum
from pathlib import PurePath
from typing import Final

REDACTED: Final = "[redacted]"

_DEPTH_MAX: Final = 10
_SECRET_NAME: Final = re.compile(
    r"(?:token|password|passwd|passphrase|secret|hash|digest|cookie|credential|(?:api|private)_?key)"
    r"s?\Z",
    re.IGNORECASE,
)
UNMISTAKABLE: Final = (
    r"[A-Za-z0-9_-]{80,}={0,2}"  # as servers draw them; the console key too
    r"|\$[A-Za-z0-9-]{1,32}\$[A-Za-z0-9+/=_.$-]{8,}"  # $influxdb2-sha256$…, $2a$10$…, $argon2id$…
    r"|\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*"  # JSON web tokens
)
"""What is a token or the hash of one, and no name of anything. Scripts of the page read it too."""
_TOKEN: Final = re.compile(UNMISTAKABLE)
_SECRET_TEXT: Final = re.compile(
    UNMISTAKABLE
    + r"|(?i:\b(?:token|bearer|basic)\s+)[^\s,;\"']{8,}"  # the value of an Authorization header
)
_LONG_RUN: Final = re.compile(r"[A-Za-z0-9_=+%-]{20,}")
_LONG_RUN_LENGTH_MAX: Final = 31
_LONG_RUN_LENGTH_MIN: Final = 20
_TIMESTAMP: Final = re.compile(r"\d{8}T\d{6}Z")
_IDENTIFIER: Final = re.compile(r"[a-z_]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_LINES: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def redact(_logger: object, _method: str, event: Mapping[str, object]) -> dict[str, object]:
    """Make an event safe to show: the last step before it becomes a line.

    Only plain values survive. Bytes become their length, and any other object its type, because
    nobody knows what its text would say.
    """
    return {
        _clean_name(name): _clean(value, name=name, depth=0, keeps_lines=name == "exception")
        for name, value in event.items()
    }


def _clean(value: object, *, name: str, depth: int, keeps_lines: bool = False) -> object:
    """Make one value safe to show.

    Args:
        name: Its name, which may say that it is a secret.
        depth: How deep it lies in the event; a limit, since a value may hold itself.
        keeps_lines: Whether line ends stay as they are.

    Returns:
        Text, a number, None, or a list or dictionary of these.
    """
    cleaned: object
    if value is None or isinstance(value, bool):
        cleaned = value
    elif _SECRET_NAME.search(name) or depth > _DEPTH_MAX:
        cleaned = REDACTED
    elif isinstance(value, Mapping):
        cleaned = {
            _clean_name(key): _clean(item, name=_clean_name(key), depth=depth + 1)
            for key, item in value.items()
        }
    elif isinstance(value, list | tuple | set | frozenset):
        cleaned = [_clean(item, name=name, depth=depth + 1) for item in value]
    else:
        cleaned = _clean_single(value, keeps_lines=keeps_lines)
    return cleaned


def _clean_name(key: object) -> str:
    """Make the key of a nested value safe to show."""
    return str(_clean_single(key, keeps_lines=False))


def _clean_single(value: object, *, keeps_lines: bool) -> object:
    """Make a value that has no parts safe to show."""
    cleaned: object
    match value:
        case Enum():
            cleaned = redact_text(value.name)
        case int() | float():
            cleaned = value
        case str() | PurePath():
            cleaned = redact_text(str(value), keeps_lines=keeps_lines)
        case bytes() | bytearray():
            cleaned = f"[{len(value)} bytes]"
        case date():
            cleaned = value.isoformat()
        case BaseException():
            cleaned = f"{type(value).__name__}: {redact_text(str(value))}"
        case _:
            cleaned = f"[{type(value).__name__}]"
    return cleaned


def holds_token(text: str) -> bool:
    """Tell whether there is a token or the hash of one in a text, and not perhaps a long name."""
    return _TOKEN.search(text) is not None


def redact_text(text: str, *, keeps_lines: bool = False) -> str:
    """Take out of a text what looks like a secret, and what a terminal would obey."""
    text = _SECRET_TEXT.sub(REDACTED, text)
    text = _LONG_RUN.sub(_redact_run, text)
    pattern = _CONTROL_BUT_LINES if keeps_lines else _CONTROL
    return pattern.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _redact_run(found: re.Match[str]) -> str:
    """Redact an unbroken run of characters that is long or random enough to be a token.

    Identifiers of Python are spared, or tracebacks would lose the names of functions; so are names
    that are long only because of the time in them, such as those of backups.
    """
    run = found[0]
    rest = _TIMESTAMP.sub("", run)
    if len(rest) < _LONG_RUN_LENGTH_MIN or _IDENTIFIER.fullmatch(rest):
        return run
    is_mixed = all(
        any(test(character) for character in rest)
        for test in (str.isdigit, str.isupper, str.islower)
    )
    return REDACTED if is_mixed or len(rest) > _LONG_RUN_LENGTH_MAX else run
