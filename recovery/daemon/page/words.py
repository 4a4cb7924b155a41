"""The words of changes, findings and errors, as the user interface of InfluxDB has them.

Lives here: `done_words`, `as_sentence`, `author_words`, `advice_of`, `doing`, `record_of`. Must not
live here: what is said in whole sentences (`recovery.services`).

Invariants: what is said here is made of data, of an operation, a bolt bucket or an ID. A sentence
of the services is shown as it is.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from recovery.errors import RecoveryError
from recovery.remedy import Run, advice, ways


class Place(NamedTuple):
    """A page where something is done."""

    title: str
    path: str


_TOKENS: Final = Place("API Tokens", "/tokens")
_USERS: Final = Place("Users", "/users")
_ORGANIZATIONS: Final = Place("Organizations", "/organizations")
_PLACES: Final = {
    "auth": _TOKENS,
    "user": _USERS,
    "instance": _USERS,
    "org": _ORGANIZATIONS,
    "bucket": _ORGANIZATIONS,
    "store": Place("Doctor", "/doctor"),
    "ledger": Place("Ledger", "/ledger"),
}
"""Where what a command does is done here, by the first word of its name."""
_DELETED: Final = Place("what was deleted", "/backups/deleted")
_RECORDS: Final = {
    "authorizationsv1": Place("API token", "/tokens/"),
    "usersv1": Place("User", "/users/"),
    "userspasswordv1": Place("Password of user", "/users/"),
    "organizationsv1": Place("Organization", "/organizations/"),
    "bucketsv1": Place("Bucket", "/buckets/"),
    "userresourcemappingsv1": Place("Roles", ""),
    "userresourcemappingsbyuserindexv1": Place("Index of roles", ""),
    "authorizationindexv1": Place("Index of API tokens", ""),
    "authorizationhashedindexv1": Place("Index of API tokens", ""),
    "userindexv1": Place("Index of users", ""),
    "organizationindexv1": Place("Index of organizations", ""),
    "bucketindexv1": Place("Index of buckets", ""),
    "idsv1": Place("ID of the server", ""),
    "migrationsv1": Place("Migrations", ""),
    "v1_tsm1_metadata": Place("Catalogue of the engine", ""),
}
"""What a bolt bucket holds, and where one of its records is shown, by its ID."""
_DONE: Final = {
    "auth update": "The token is saved.",
    "auth set-active": "The token is active now.",
    "auth set-inactive": "The token is inactive now: clients that use it get 401.",
    "auth delete": "The token is deleted: clients that use it get 401.",
    "auth undelete": "The token is back, with the value that it had.",
    "auth complete": "The operator token is complete now.",
    "auth hash": "The store keeps only the hash of the token now.",
    "user create": "The user is made.",
    "user update": "The password is set.",
    "user activate": "The user is active now.",
    "user deactivate": "The user is inactive now, and with it all its tokens.",
    "user rename": "The user has its new name.",
    "user delete": "The user is deleted.",
    "user undelete": "The user is back.",
    "org create": "The organization is made.",
    "org update": "The organization is saved.",
    "org rename": "The organization has its new name.",
    "org delete": "The organization is deleted.",
    "org add-owner": "The user is an owner now.",
    "org add-member": "The user is a member now.",
    "org remove-member": "The role is taken away.",
    "instance add-owner": "The user owns the whole instance now.",
    "bucket create": "The bucket is made.",
    "bucket update": "The bucket is saved.",
    "bucket rename": "The bucket has its new name.",
    "bucket delete": "The bucket is deleted.",
    "store repair": "The store is repaired.",
    "undo": "The change is taken back.",
}
"""What was done, by the name of the operation."""

_BY_TOKEN: Final = re.compile(r"\bauthorization (?=[0-9a-f]{16}\b)")


def as_sentence(text: str) -> str:
    """Give a clause a capital letter, unless a program's name begins it, and a full stop."""
    end = "" if text.endswith((".", "!", "?")) else "."
    first = text[:1] if text.startswith("influxd") else text[:1].upper()
    return f"{first}{text[1:]}{end}" if text else ""


def author_words(text: str) -> str:
    """Say who made a change; the ledger has another word, as it takes "token X" for a secret."""
    return _BY_TOKEN.sub("API token ", text)


def advice_of(error: RecoveryError) -> str:
    """Say what to do next, with pages in the place of commands."""
    return ", or ".join(
        f"look at {place.title} {way.purpose}".rstrip()
        if isinstance(way, Run) and (place := _place_of(way.operation))
        else advice(way)
        for way in ways(error.hint)
    )


def doing(operations: Iterable[str]) -> tuple[Place, ...]:
    """Say where operations are done here, each place once; what is not done here is left out."""
    found = map(_place_of, operations)
    return tuple(dict.fromkeys(one for one in found if one is not None))


def _place_of(operation: str) -> Place | None:
    """Say where a command's work is done here; None where it is not."""
    noun, _, verb = operation.partition(" ")
    return _DELETED if verb == "undelete" else _PLACES.get(noun)


def done_words(operation: str) -> str:
    """Say what was done, for an operation of the journal; "" for one without words of its own."""
    return _DONE.get(operation.removeprefix("serve "), "")


def record_of(bucket: str, record_id: str | None) -> Place:
    """Name a record, and give its page: "" where it has none.

    Args:
        bucket: The bolt bucket that it is in; one that no word here stands for is quoted.
        record_id: Its ID; None for none, or for all of them.
    """
    kind = _RECORDS.get(bucket, Place(f"“{bucket}”", ""))
    if record_id is None:
        return Place(kind.title + "s" * bool(kind.path), "")
    return Place(f"{kind.title} {record_id}", f"{kind.path}{record_id}" if kind.path else "")
