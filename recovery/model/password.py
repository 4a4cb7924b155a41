"""Passwords: the server's rules, and bcrypt.

Lives here: which passwords a server takes, hashing and verifying. Must not live here: asking for
one.

Bcrypt itself is the library of that name, imported where it is used, because only commands that set
or verify a password need it.

Invariants: no error holds a password or a hash.

Source: InfluxDB v2.9.1 tenant/service_user.go (IsPasswordStrong, minimum and maximum), tenant/
storage_user.go; golang.org/x/crypto/bcrypt bcrypt.go (decodeVersion, decodeCost, newFromHash).
"""

import re
from typing import Final

from recovery.errors import PasswordError
from recovery.secret import Secret

PASSWORD_SIZE_BYTES_MIN: Final = 8
PASSWORD_SIZE_BYTES_MAX: Final = 72
"""What bcrypt looks at; servers from 2.7.6 on refuse more, older ones ignored the rest."""

STAND_IN: Final = Secret("a password that nobody has typed yet")
"""In the place of one that is still to be asked for, in a plan that is never carried out."""

_COST: Final = 10
_PREFIX: Final = b"2a"
_HASH: Final = re.compile(
    rb"\$[\0-2](?:\$|[^$].)(0[4-9]|[12][0-9]|3[01]).([./A-Za-z0-9]{53})", re.DOTALL
)
"""What Go's bcrypt takes: it looks at the letter of the version no further, nor at what follows."""


def require_acceptable(password: Secret) -> None:
    """Refuse a new password that a server of any version would not take, or nobody could type.

    Raises:
        PasswordError: It has less than 8 or more than 72 bytes, or holds a zero byte.
    """
    _require_length(password)
    if "\0" in password.reveal():
        raise PasswordError(
            reason="a password with a zero byte cannot be typed anywhere",
            hint="choose another password",
        )


def _require_length(password: Secret) -> None:
    size_bytes = password.length_bytes
    if not PASSWORD_SIZE_BYTES_MIN <= size_bytes <= PASSWORD_SIZE_BYTES_MAX:
        raise PasswordError(
            reason=f"a password has 8 to 72 bytes in UTF-8, and this one has {size_bytes}",
            hint="choose another password",
        )


def hash_password(password: Secret) -> Secret:
    """Hash a password as the server does: bcrypt, cost 10, `$2a$`. A zero byte is one of its bytes.

    Returns:
        The 60 characters to be stored in `userspasswordv1`.

    Raises:
        PasswordError: It has less than 8 or more than 72 bytes.
    """
    import bcrypt  # noqa: PLC0415 # only commands on passwords need it

    _require_length(password)
    salt = bcrypt.gensalt(rounds=_COST, prefix=_PREFIX)
    return Secret(bcrypt.hashpw(password.reveal().encode(), salt).decode())


def is_password_hash(stored: bytes) -> bool:
    """Tell whether a stored password begins with a bcrypt hash; what follows, does not count."""
    return _HASH.match(stored) is not None


def password_matches(password: Secret, stored: bytes) -> bool:
    """Verify a password as a server does at sign-in: bytes behind the 72nd do not count.

    False as well for what is stored and is no bcrypt hash.
    """
    import bcrypt  # noqa: PLC0415 # only commands on passwords need it

    found = _HASH.match(stored)
    if found is None:
        return False
    typed = password.reveal().encode()[:PASSWORD_SIZE_BYTES_MAX]
    # The library knows the letters a, b, x and y; Go takes any letter and computes the same.
    return bcrypt.checkpw(typed, b"$2b$%b$%b" % found.groups())
