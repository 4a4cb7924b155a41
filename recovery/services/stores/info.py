"""What there is to say about one store as a whole.

Lives here: `describe_store`. Must not live here: faults, which are the doctor's
(`recovery.services.doctor`).

Source: spec influxdb-metadata sections 4.8 (sessions), 6.3 (levels), 7 (tokens by version) and 10.1
(what `influxd downgrade` undoes).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from recovery.metastore.table import RecordProblem
from recovery.metastore.transaction import MetaTx
from recovery.model.schema import versions_of_level, versions_of_levels
from recovery.model.standing import Answer, Obstacle
from recovery.model.token import LEVEL_HASHED, TokenForm
from recovery.services.access import Rights, rights
from recovery.services.authorizations.listing import OperatorState, list_authorizations
from recovery.services.ledger import Entries, Operation, operations_of, read_operations
from recovery.services.session import Session
from recovery.services.store_facts import StoreFacts
from recovery.services.stores.lost_ledger import copies_told
from recovery.services.tenancy.bucket_listing import list_buckets
from recovery.services.tenancy.organization_listing import list_organizations
from recovery.services.tenancy.user_listing import list_users

OPERATIONS_SHOWN: Final = 5
SESSIONS: Final = (
    "Sessions are not in the store: who is signed in now stays so until influxd stops."
)
_HASHES: Final = (TokenForm.SHA256, TokenForm.SHA512, TokenForm.UNKNOWN)
_LEVEL_REMOTES: Final = 19
_LEVEL_NOTEBOOKS: Final = 16


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """A user, and whether it gets in with the right password.

    Attributes:
        id: 16 hex digits.
        name: As stored, not escaped.
        answer: What a server answers to a sign-in with the right password.
        obstacles: Why it does not, as clauses; empty when it does.
    """

    id: str
    name: str
    answer: Answer
    obstacles: tuple[Obstacle, ...]


class OperatorToken(msgspec.Struct, frozen=True, kw_only=True):
    """An operator token.

    Attributes:
        id: Its authorization, 16 hex digits.
        description: As stored, not escaped.
        user: Name of its user, not escaped; None when there is no such user.
        state: Full or partial.
        lacks: What a partial one lacks, as "read:remotes".
        is_usable: Whether a server would take it.
        because: Why not, as clauses, the one that counts first; empty when one would.
    """

    id: str
    description: str
    user: str | None
    state: OperatorState
    lacks: tuple[str, ...]
    is_usable: bool
    because: tuple[str, ...]


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """How much is in a store.

    Attributes:
        authorization_count: Authorizations, without those of 1.x.
        operators: Operator tokens, full and partial, in the order of their IDs.
        token_forms: Number of authorizations by the form of their token.
        problems: Records that cannot be understood and are not counted.
    """

    organization_count: int
    user_count: int
    bucket_count: int
    authorization_count: int
    operators: tuple[OperatorToken, ...]
    token_forms: Mapping[TokenForm, int]
    problems: tuple[RecordProblem, ...]


class StoreInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One store as a whole.

    Attributes:
        sql_level: Number of migrations in the SQLite file beside it; None without one.
        server_versions: Which servers left it so, by both files as far as they are there.
        is_mixed: Whether no server leaves the two files at these levels.
        is_set_up: Whether anything of a first set-up is in it.
        users: Every user, and whether it can sign in.
        losses: What `influxd downgrade` would take away, as sentences.
        operations: What the ledger says was done to it last, oldest first.
        copies: A clause on the backups of ours beside it, beginning with a semicolon, or nothing.
    """

    facts: StoreFacts
    page_size_bytes: int
    sql_level: int | None
    server_versions: str
    is_mixed: bool
    contents: Contents
    is_set_up: bool
    users: tuple[SignIn, ...]
    losses: tuple[str, ...]
    operations: tuple[Operation, ...]
    copies: str


def describe_store(session: Session, *, sqlite_path: Path | None, ledger: Entries) -> StoreInfo:
    """Say what there is to say about a store and its SQLite file, if any; nothing is changed."""
    from recovery.services.doctor.sqlite import sql_level  # noqa: PLC0415 # imports sqlite3

    operations = read_operations(ledger)
    with session.view() as view:
        facts = view.facts
        found = sql_level(sqlite_path)
        versions = None if found is None else versions_of_levels(facts.level, found)
        contents = count_contents(view.tx)
        own = operations_of(operations, facts.real_path, device=facts.device, inode=facts.inode)
        return StoreInfo(
            facts=facts,
            page_size_bytes=session.store.page_size_bytes,
            sql_level=found,
            server_versions=versions or versions_of_level(facts.level),
            is_mixed=found is not None and versions is None,
            contents=contents,
            is_set_up=not view.tx.is_never_set_up,
            users=tuple(sign_ins(view.tx)),
            losses=tuple(_losses(facts.level, contents.token_forms)),
            operations=own[-OPERATIONS_SHOWN:],
            copies=copies_told(facts.real_path),
        )


def count_contents(tx: MetaTx) -> Contents:
    """Count what is in a store, and pick its operator tokens."""
    users, organizations, buckets = list_users(tx), list_organizations(tx), list_buckets(tx)
    listing = list_authorizations(tx)
    user_count, organization_count, bucket_count = (
        sum(1 for _ in found.rows) for found in (users, organizations, buckets)
    )
    forms: Counter[TokenForm] = Counter()
    operators = []
    for row in listing.rows:
        forms[row.token_form] += 1
        if row.operator is not OperatorState.NO:
            operators.append(
                OperatorToken(
                    id=row.id,
                    description=row.description,
                    user=row.user,
                    state=row.operator,
                    lacks=row.lacks,
                    is_usable=row.is_usable,
                    because=row.because,
                )
            )
    problems = [one for found in (users, organizations, buckets, listing) for one in found.problems]
    return Contents(
        organization_count=organization_count,
        user_count=user_count,
        bucket_count=bucket_count,
        authorization_count=forms.total(),
        operators=tuple(operators),
        token_forms=dict(forms),
        problems=tuple(dict.fromkeys(problems)),
    )


def sign_ins(tx: MetaTx, known: Rights | None = None) -> Iterator[SignIn]:
    """Judge whether each user can sign in, in one walk over the roles.

    Args:
        known: What users see, if that is known; None to read all authorizations for it.
    """
    known = known or rights(tx)
    for user in tx.users.walk([]):
        standing = known.sign_in(tx, user)
        yield SignIn(
            id=user.id, name=user.name, answer=standing.answer, obstacles=standing.obstacles
        )


def _losses(level: int, forms: Mapping[TokenForm, int]) -> Iterator[str]:
    """Say what `influxd downgrade` takes away, the nearest target first."""
    hashed = sum(forms.get(form, 0) for form in _HASHES)
    if level >= LEVEL_HASHED and hashed:
        tokens = "1 hashed token" if hashed == 1 else f"{hashed} hashed tokens"
        yield (
            f"Below 2.8: the index of hashes, so {tokens} will not work any more, also after a new "
            "upgrade."
        )
    if level >= _LEVEL_REMOTES:
        yield (
            "Below 2.2: the rights to remotes and replications, of operator and all-access tokens "
            "that are exactly as a server made them."
        )
    if level >= _LEVEL_NOTEBOOKS:
        yield (
            "Below 2.1: the rights to annotations and notebooks, of operator and all-access tokens "
            "that are exactly as a server made them; and what is in the SQLite file."
        )
