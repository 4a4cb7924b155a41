"""Which passwords a server takes, and what it says of others.

Lives here: the rules of length and strength in the server's words, the Basic header. Must not live
here: hashing (`recovery.model.password`).

Source: InfluxDB v2.9.1 tenant/service_user.go (IsPasswordStrong), kit/platform/errors; Go net/http
request.go (parseBasicAuth); spec admin-daemon 1.7 and 1.9.
"""

import binascii
import unicodedata
from typing import Final

from recovery.daemon.answer import ApiError
from recovery.daemon.request import Request
from recovery.model.password import PASSWORD_SIZE_BYTES_MAX, PASSWORD_SIZE_BYTES_MIN
from recovery.secret import Secret

LENGTH: Final = "passwords must be between 8 and 72 characters long"
CLASSES: Final = (
    "passwords must contain at least three of the following character types: uppercase, "
    "lowercase, numbers, and special characters: !@#$%^&*()_+"
)
_SPECIAL: Final = frozenset("!@#$%^&*()_+")
_CLASSES_MIN: Final = 3
_BASIC: Final = "basic "


def faults_of(password: Secret, *, is_strong: bool) -> list[str]:
    """Say what is wrong with a new password.

    Args:
        is_strong: Whether it must have three classes of characters.

    Returns:
        The server's sentences; none for a good one.
    """
    faults = []
    if not PASSWORD_SIZE_BYTES_MIN <= password.length_bytes <= PASSWORD_SIZE_BYTES_MAX:
        faults.append(LENGTH)
    if is_strong and _class_count(password) < _CLASSES_MIN:
        faults.append(CLASSES)
    return faults


def require_good(password: Secret, *, is_strong: bool) -> None:
    """Refuse a new password that a server would not take, by `ApiError` 400."""
    faults = faults_of(password, is_strong=is_strong)
    if faults:
        raise ApiError("invalid", "\n".join(faults))


def _class_count(password: Secret) -> int:
    """Count the kinds of characters: numbers, upper case, lower case, and some signs."""
    categories = [(unicodedata.category(one), one) for one in password.reveal()]
    return sum(
        (
            any(category[0] == "N" for category, _ in categories),
            any(category == "Lu" for category, _ in categories),
            any(category == "Ll" for category, _ in categories),
            any(one in _SPECIAL for _, one in categories),
        )
    )


def basic_of(request: Request) -> tuple[str, Secret] | None:
    """Read the name and the password of a Basic header; None when there is none."""
    header = request.headers.get("authorization", "")
    if header[: len(_BASIC)].lower() != _BASIC:
        return None
    try:
        decoded = binascii.a2b_base64(header[len(_BASIC) :].encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    name, colon, password = decoded.partition(b":")
    if not colon:
        return None
    return name.decode("utf-8", "surrogateescape"), Secret(password.decode("utf-8", "replace"))
