"""The words of plans, findings and errors, as the user interface of InfluxDB has them.

Lives here: `plain`, `as_sentence`, `told`, `advice_of`, `doing`, `record_of`. Must not live here:
what is said (`recovery.services`).

Invariants: only the place of a finding, and the word "authorization" beside an ID, a number or an
article are put into other words, so that a name of the store stays as it is.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from recovery.errors import RecoveryError
from recovery.model.ids import ID_LENGTH
from recovery.remedy import Run, advice, ways
from recovery.services.doctor.finding import Finding

_FINDING: Final = re.compile(
    rf"\b(?P<number>I[0-9]{{1,2}}): (?P<table>[\w/]+)(?P<id> [0-9a-f]{{{ID_LENGTH}}}\b)?"
)
_SERVER: Final = re.compile(r"(?<![\w./-])influxd(?![\w./-])")
_AUTHORIZATION: Final = re.compile(
    r"(?<!1\.x )(?<!legacy )\b(?P<before>an |[0-9]+ )?authorization(?P<many>s?)"
    rf"(?P<after> [0-9a-f]{{{ID_LENGTH}}}\b)?"
)


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
_RECORDS: Final = {
    "authorizationsv1": Place("API token", "/tokens/"),
    "usersv1": Place("user", "/users/"),
    "userspasswordv1": Place("password of user", "/users/"),
    "organizationsv1": Place("organization", "/organizations/"),
    "bucketsv1": Place("bucket", "/buckets/"),
    "userresourcemappingsv1": Place("roles", ""),
    "userresourcemappingsbyuserindexv1": Place("index of roles", ""),
    "authorizationindexv1": Place("index of API tokens", ""),
    "authorizationhashedindexv1": Place("index of API tokens", ""),
    "userindexv1": Place("index of users", ""),
    "organizationindexv1": Place("index of organizations", ""),
    "bucketindexv1": Place("index of buckets", ""),
    "idsv1": Place("ID of the server", ""),
    "migrationsv1": Place("migrations", ""),
    "v1_tsm1_metadata": Place("catalogue of the engine", ""),
}
"""What a bolt bucket holds, and where one of its records is shown, by its ID."""


def plain(text: str) -> str:
    """Put a sentence into the words of the user interface.

    Args:
        text: Of a plan, of a finding or of an error.

    Returns:
        The same, with API tokens in the place of authorizations.
    """
    return _AUTHORIZATION.sub(_as_token, _FINDING.sub(_as_finding, text))


def _as_finding(found: re.Match[str]) -> str:
    return f"finding {found['number']}: {_named(found['table'], (found['id'] or '').strip())}"


def _named(table: str, record_id: str) -> str:
    kind = _RECORDS.get(table, Place(table, ""))
    return f"{kind.title} {record_id}" if record_id else kind.title + "s" * bool(kind.path)


def _as_token(found: re.Match[str]) -> str:
    before, after = found["before"] or "", found["after"] or ""
    return f"{before}API token{found['many']}{after}" if before or after else found[0]


def as_sentence(text: str) -> str:
    """As `plain`, with a capital letter and a full stop."""
    text = plain(text)
    return (
        f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"
        if text
        else ""
    )


def told(text: str) -> str:
    """As `as_sentence`, for a clause of a finding: it has no names of the store."""
    return as_sentence(_SERVER.sub("InfluxDB", text))


def advice_of(error: RecoveryError) -> str:
    """Say what to do next, with pages in the place of commands."""
    return ", or ".join(
        f"look at {_PLACES[way.operation.split()[0]].title} {way.purpose}".rstrip()
        if isinstance(way, Run) and way.operation.split()[0] in _PLACES
        else advice(way)
        for way in ways(error.hint)
    )


def doing(operations: Iterable[str]) -> tuple[Place, ...]:
    """Say where operations are done here, each place once; what is not done here is left out."""
    found = (_PLACES.get(one.split()[0]) for one in operations)
    return tuple(dict.fromkeys(one for one in found if one is not None))


def record_of(finding: Finding) -> Place:
    """Name the record of a finding, and give its page: "" where it has none."""
    path = _RECORDS.get(finding.bucket, Place("", "")).path
    return Place(
        _named(finding.bucket, finding.id or ""),
        f"{path}{finding.id}" if path and finding.id else "",
    )
