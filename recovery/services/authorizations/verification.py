"""Find out which authorization a token belongs to, and what a server would say to it.

Lives here: `verify_token`. Must not live here: reading the token from anywhere; anything that
writes.

Invariants: a token that is known is found by point look-ups alone, however many there are. Only
when no index knows it are the records walked, for the reason. No result holds a token or a hash.

Source: InfluxDB v2.9.1 authorization/storage_authorization.go (GetAuthorizationByToken),
http/authentication_middleware.go; v2.7 of the first (no comparison with the record); spec
influxdb-metadata sections 5.3, 5.4 and 7.2.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum, unique
from typing import Final
from urllib.parse import unquote

import msgspec

from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import Authorization
from recovery.model.ids import Id
from recovery.model.standing import found_standing
from recovery.model.token import (
    LEVEL_HASHED,
    VARIANTS,
    hash_token,
    hash_variant,
    looks_like_jwt,
    record_matches,
)
from recovery.secret import Secret
from recovery.services.access import token_facts
from recovery.services.authorizations.details import Details, details_of

TOKEN_LENGTH: Final = 88
"""Of the tokens that servers make (section 5.2)."""


@unique
class TokenVerdict(StrEnum):
    """What a server does with a token."""

    ACCEPTED = "accepted"
    """It lets the client in, to do what the authorization permits."""
    REFUSED = "refused"
    """A record has the token, and something keeps the client out."""
    UNKNOWN = "unknown"
    """No record has it: 401."""


class TokenReport(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a token.

    Attributes:
        details: The authorization whose token it is, or is nearly; None when there is none.
        because: Why it is refused or unknown, as sentences, the nearest reason first.
        warnings: What is odd although the token is accepted.
    """

    answer: TokenVerdict
    details: Details | None
    because: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def verify_token(tx: MetaTx, token: Secret) -> TokenReport:
    """Say which record has a token and what a server says to it, or why none has."""
    found = tx.authorizations.find(token) if token.reveal() else None
    if found is not None:
        return _known(tx, found)
    reasons: list[str] = []
    nearest: Authorization | None = None
    for reason, authorization in _reasons(tx, token):
        reasons.append(reason)
        nearest = nearest or authorization
    answer = TokenVerdict.UNKNOWN
    if tx.level < LEVEL_HASHED and nearest is not None and _is_stale_entry(tx, token):
        # Servers up to 2.7 believe the index alone, and this one is such a server's store.
        answer = TokenVerdict.ACCEPTED if _lets_in(tx, nearest) else TokenVerdict.REFUSED
    return TokenReport(
        answer=answer,
        details=None if nearest is None else details_of(tx, nearest),
        because=tuple(reasons),
    )


def _known(tx: MetaTx, found: Authorization) -> TokenReport:
    details = details_of(tx, found)
    if not details.is_usable:
        return TokenReport(
            answer=TokenVerdict.REFUSED, details=details, because=details.because[:1]
        )
    warnings = []
    if not details.works_on_1x:
        state = "status" if details.user_status == "" else "active status"
        warnings.append(f"its user has no {state}: the 1.x endpoints /write and /query refuse it")
    if details.organization is None:
        warnings.append("its organization does not exist; the API does not list this token")
    return TokenReport(answer=TokenVerdict.ACCEPTED, details=details, warnings=tuple(warnings))


def _lets_in(tx: MetaTx, found: Authorization) -> bool:
    """Tell whether a server that believes the index lets in a client with another token."""
    facts = token_facts(tx, found)
    return (
        found_standing(found, facts.user, has_opaque_user=facts.has_opaque_user).is_usable
        and not facts.has_opaque_permissions
    )


def _is_stale_entry(tx: MetaTx, token: Secret) -> bool:
    return tx.authorizations.raw_entry(token) is not None


def _reasons(tx: MetaTx, token: Secret) -> Iterator[tuple[str, Authorization | None]]:
    """Look for why nothing matches, the nearest reason first."""
    text = token.reveal()
    if not text:
        yield "it is empty", None
        return
    yield from _entry_reasons(tx, token)
    yield from _text_reasons(tx, text)
    if looks_like_jwt(token):
        yield "it looks like a JSON web token, which the server never looks up", None
        return
    yield from _record_reasons(tx, token)
    if len(text) != TOKEN_LENGTH:
        usual = f"the tokens that servers make have {TOKEN_LENGTH}; a part of it may be missing"
        yield f"it has {len(text)} characters, and {usual}", None


def _entry_reasons(tx: MetaTx, token: Secret) -> Iterator[tuple[str, Authorization | None]]:
    """Look at index entries that lead nowhere or to a record with another token."""
    entries = [("raw index", tx.authorizations.raw_entry(token))]
    entries += [
        ("index of hashes", tx.authorizations.hashed_entry(hash_token(token, variant)))
        for variant in VARIANTS
    ]
    for index, found in entries:
        if found is not None:
            yield _stale(tx, index, found)


def _stale(tx: MetaTx, index: str, found: Id) -> tuple[str, Authorization | None]:
    authorization = tx.authorizations.get(found)
    if authorization is None:
        state = "cannot be decoded" if tx.authorizations.has_id(found) else "does not exist"
        return f"the {index} leads to authorization {found}, which {state}", None
    more = ""
    if tx.level < LEVEL_HASHED:
        more = "; servers up to 2.7 do not compare, and let a client in with it"
    return (
        f"the {index} leads to authorization {found}, which has another token{more}",
        authorization,
    )


def _text_reasons(tx: MetaTx, text: str) -> Iterator[tuple[str, Authorization | None]]:
    """Try what happens to tokens on their way through files, shells and clipboards."""
    for problem, mend in _MISHAPS:
        mended = mend(text)
        if mended != text and mended:
            found = tx.authorizations.find(Secret(mended))
            if found is not None:
                yield f"{problem}; without that it is the token of authorization {found.id}", found
                return
    if hash_variant(text) is not None:
        entry = tx.authorizations.hashed_entry(Secret(text))
        found = tx.authorizations.get(entry) if entry is not None else None
        whose = f", of authorization {found.id}" if found else ""
        yield f"it is the stored hash of a token{whose}; a client needs the token itself", found
    legacy = tx.legacy_authorizations.indexed_id(text)
    if legacy is not None:
        yield f"it is the user name of the legacy authorization {legacy}, not an API token", None


def _record_reasons(tx: MetaTx, token: Secret) -> Iterator[tuple[str, Authorization | None]]:
    """Walk all records for one whose index entry is missing."""
    for authorization in tx.authorizations.walk([]):
        if record_matches(token, stored=authorization.token, hashed=authorization.hashed_token):
            cause = "the index has no entry for it, as after a downgrade and a new upgrade"
            yield f"authorization {authorization.id} has it, and {cause}", authorization
            return


def _without_scheme(text: str) -> str:
    for scheme in ("token ", "bearer "):
        if text.lower().startswith(scheme):
            return text[len(scheme) :].strip()
    return text


_MISHAPS: Final[tuple[tuple[str, Callable[[str], str]], ...]] = (
    ("it has blanks or a line end around it", str.strip),
    ("it has the word of the HTTP header in front", _without_scheme),
    ("it has quotes around it", lambda text: text.strip().strip("\"'`")),
    ("it is percent-encoded, as in a URL", unquote),
    ("it has lost the = signs at its end", lambda text: f"{text.rstrip('=')}=="),
    ("it has too many = signs at its end", lambda text: text.rstrip("=")),
)
"""What is wrong, and how to mend it."""
