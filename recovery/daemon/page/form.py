"""What was typed and ticked.

Lives here: `Form`, `FieldError`, `without_secrets`. Must not live here: what it means.

Invariants: a text that looks like a token is in no field that is shown again.

Source: URL standard, section 5.1 (application/x-www-form-urlencoded parsing); HTML standard, form
submission.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import unquote_to_bytes, urlencode

from recovery.daemon.answer import ApiError
from recovery.log.redaction import holds_token
from recovery.secret import Secret

FIELDS_MAX: Final = 20_000
"""As many as a body of 1 MiB can reasonably have."""

CARRIED_SIZE_BYTES_MAX: Final = 20_000
SHOWN_AGAIN: Final = frozenset(
    {
        "active", "description", "every-read", "every-write", "folder", "name", "organization",
        "owner", "read", "reason", "retention", "role", "search-read", "search-read-telegrafs",
        "search-write", "search-write-telegrafs", "user", "write",
    }
)  # fmt: skip
"""Fields that hold no secret. One that is not named here is taken for one."""
NOT_KEPT: Final = (
    "This looks like a token, and what stands here is shown to others. It was not kept: write "
    "something else, or verify the token on its own page."
)
IN_ADDRESS: Final = (
    "This looks like a token. It stands in the address of this page now, and in the history of the "
    "browser: close the window when the work is done. Tokens are verified on a page of their own."
)


class FieldError(ApiError):
    """Something is wrong with what was typed into a field.

    Attributes:
        field: Its name.
    """

    def __init__(self, field: str, message: str) -> None:
        """Make it; the message is a sentence or a clause."""
        self.field = field
        super().__init__("invalid", message)


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, or of the query of a URL.

    Attributes:
        values: All values of each name, in order. They may be passwords and tokens.
    """

    values: Mapping[str, Sequence[str]] = field(repr=False)

    @classmethod
    def of(cls, encoded: str) -> Self:
        """Read fields.

        Args:
            encoded: As browsers send them: names and values escaped, `&` between them.

        Returns:
            The fields; bytes that are no UTF-8 become replacement characters, as nothing that a
            browser sends has them.
        """
        values: dict[str, list[str]] = {}
        for pair in encoded.split("&", FIELDS_MAX)[:FIELDS_MAX]:
            if pair:
                name, _, value = pair.partition("=")
                values.setdefault(_unescaped(name), []).append(_unescaped(value))
        return cls(values)

    def without(self, name: str) -> "Form":
        """Give all fields but one."""
        return Form({one: values for one, values in self.values.items() if one != name})

    def get(self, name: str, default: str = "") -> str:
        """Give the first value of a field; the default when it is absent."""
        found = self.values.get(name)
        return found[0] if found else default

    def all(self, name: str) -> tuple[str, ...]:
        """Give all values of a field."""
        return tuple(self.values.get(name, ()))

    def has(self, name: str) -> bool:
        """Tell whether a field is there, as a box that was ticked is."""
        return name in self.values

    @property
    def encoded(self) -> str:
        """The fields as `of` reads them; "" when they are more than a page can carry."""
        found = urlencode(self.values, doseq=True)
        return found if len(found) <= CARRIED_SIZE_BYTES_MAX else ""

    def line(self, name: str) -> str:
        """Give a field of one line: without line feeds, as a browser's text field has none."""
        return self.get(name).replace("\r", "").replace("\n", "")

    def secret(self, name: str) -> Secret:
        """Give a field that nobody may see."""
        return Secret(self.get(name))


def without_secrets(form: Form) -> Form:
    """Keep of a form what may be shown again: no field in which a password or a token is typed."""
    return Form(
        {
            name: values
            for name, values in form.values.items()
            if name in SHOWN_AGAIN and not any(map(holds_token, values))
        }
    )


def _unescaped(text: str) -> str:
    raw = unquote_to_bytes(text.replace("+", " ").encode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "replace")
