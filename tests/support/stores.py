"""Stores of every level, made by the recipes of the sample store, and what a test does to them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from recovery.ledger import Ledger
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import (
    new_authorization,
)
from recovery.model.bucket import DAY_NS, TYPE_USER
from recovery.model.gojson import format_time
from recovery.model.ids import Id, IdSource
from recovery.model.mapping import MEMBER
from recovery.model.password import hash_password
from recovery.model.permission import BASE_TYPES, Permission, operator_permissions
from recovery.model.token import TokenForm
from recovery.ports import Clock
from recovery.secret import Secret
from recovery.services.changes.backup_rule import BackupEachChange
from recovery.services.changes.plan import Manner, Outcome, Planner, Proposal
from recovery.services.changes.ports import Audience, Intent, Ports
from recovery.services.disclosure import Disclosure
from recovery.services.session import Session, View
from recovery.services.stores.undo import UndoProposal, proposed_undo
from recovery.services.tenancy.writing import (
    BucketWish,
    write_bucket,
    write_empty_store,
    write_organization,
    write_role,
    write_user,
)
from recovery.services.undeletion.traces import CopyFile, Traces, gather
from tests.support.oracle import Dump, Path_
from tests.support.ports import FixedClock

LEVELS: Final = (17, 18, 19, 20, 21)
MADE_AT: Final = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
CHANGED_AT: Final = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
CHANGED_AT_TEXT: Final = "2026-01-02T03:04:05.6789Z"

OPERATOR_TOKEN: Final = "canary-operator-token-0123456789"
OLD_OPERATOR_TOKEN: Final = "canary-old-operator-token-0123456789"
READER_TOKEN: Final = "canary-reader-token-0123456789"
HASHED_TOKEN: Final = "canary-hashed-token-0123456789"
LEGACY_PASSWORD: Final = "canary-legacy-password"


class SeededRng:
    """Random numbers that are the same in each run."""

    def __init__(self, seed: int = 1) -> None:
        self._random = Random(seed)

    def token_bytes(self, size_bytes: int) -> bytes:
        return self._random.randbytes(size_bytes)

    def randbits(self, count: int) -> int:
        return self._random.getrandbits(count)


@dataclass(frozen=True, kw_only=True)
class MadeStore:
    """What is in a store of `make_store`.

    Attributes:
        path: The file.
        level: Its level.
        alice: Owner of `org`; has the operator tokens.
        bob: Member of it; has the other tokens.
        org: The organization "acme".
        other_org: The organization "other".
        bucket: A bucket of `org` called "sensors".
        operator: Full operator, raw.
        old_operator: Operator of 2.0, raw.
        reader: May read `bucket`, raw.
        hashed: May read all buckets of `org`; hashed at level 21, raw below.
        legacy: Legacy authorization of the 1.x user "grafana".
    """

    path: Path
    level: int
    alice: Id
    bob: Id
    org: Id
    other_org: Id
    bucket: Id
    operator: Id
    old_operator: Id
    reader: Id
    hashed: Id
    legacy: Id


def make_store(path: Path, *, level: int) -> MadeStore:
    """Make a store of a level, with users, organizations and tokens of every kind."""
    content, made = _prototype(level)
    path.write_bytes(content)
    path.chmod(0o600)
    return replace(made, path=path)


@lru_cache
def _prototype(level: int) -> tuple[bytes, MadeStore]:
    """Make a store of a level once: bcrypt and the disk take their time."""
    made: list[MadeStore] = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "influxd.bolt"
        MetaStore.create(path, level=level, fill=lambda tx: made.append(_fill(tx, path, level)))
        return path.read_bytes(), made[0]


def _fill(tx: MetaTx, path: Path, level: int) -> MadeStore:
    rng = SeededRng(level)
    ids = IdSource(FixedClock(MADE_AT), rng)
    now = format_time(MADE_AT)
    write_empty_store(tx, level=level, ids=ids, rng=rng, now=now)
    alice, bob = (write_user(tx, name=name, ids=ids) for name in ("alice", "bob"))
    org, other_org = (
        write_organization(tx, name=name, description="", owner_id=alice, ids=ids, now=now)
        for name in ("acme", "other")
    )
    write_role(tx, org_id=org, user_id=bob, role=MEMBER)
    wish = BucketWish(name="sensors", description="", kind=TYPE_USER, retention_ns=30 * DAY_NS)
    bucket = write_bucket(tx, wish, org_id=org, ids=ids, now=now)

    def add(token: str, user: Id, description: str, *wanted: Permission) -> Id:
        made = ids.snowflake()
        is_hashed = token == HASHED_TOKEN and level == 21
        authorization = new_authorization(
            authorization_id=made,
            token=Secret(token),
            form=TokenForm.SHA256 if is_hashed else TokenForm.RAW,
            description=description,
            org_id=org,
            user_id=user,
            permissions=wanted,
            now=now,
        )
        tx.authorizations.insert(authorization)
        return made

    old = [Permission(action=a, type=t) for t in BASE_TYPES for a in ("read", "write")]
    reading = Permission(action="read", type="buckets", id=bucket, org_id=org)
    any_bucket = Permission(action="read", type="buckets", org_id=org)
    made = MadeStore(
        path=path,
        level=level,
        alice=alice,
        bob=bob,
        org=org,
        other_org=other_org,
        bucket=bucket,
        operator=add(OPERATOR_TOKEN, alice, "alice's Token", *operator_permissions(level)),
        old_operator=add(OLD_OPERATOR_TOKEN, alice, "alice's old Token", *old),
        reader=add(READER_TOKEN, bob, "reads <sensors> & \u2028", reading),
        hashed=add(HASHED_TOKEN, bob, "reads buckets", any_bucket),
        legacy=ids.snowflake(),
    )
    authorization = new_authorization(
        authorization_id=made.legacy,
        token=Secret("grafana"),
        form=TokenForm.RAW,
        description="grafana's Legacy Token",
        org_id=org,
        user_id=bob,
        permissions=[reading],
        now=now,
    )
    tx.legacy_authorizations.insert(authorization)
    hashed = hash_password(Secret(LEGACY_PASSWORD))
    tx.legacy_authorizations.passwords.put(made.legacy, hashed)
    return made


@dataclass
class YesAudience:
    """Sees the plan and says yes."""

    proposals: list[Proposal] = field(default_factory=list)

    def show_plan(self, proposal: Proposal) -> None:
        self.proposals.append(proposal)

    def confirm(self, proposal: Proposal) -> bool:
        return proposal in self.proposals


@dataclass
class ListRecorder:
    """Keeps what a ledger would be told."""

    intents: list[Intent] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)

    def prepare(self, intent: Intent) -> None:
        """Be ready."""

    def note(self, intent: Intent) -> int:
        self.intents.append(intent)
        return len(self.intents)

    def intend(self, intent: Intent, *, txid_before: int | None = None) -> int:  # noqa: ARG002 # of the protocol
        self.intents.append(intent)
        return len(self.intents)

    def conclude(self, intent_id: int, outcome: str, *, txid_after: int | None = None) -> None:  # noqa: ARG002 # of the protocol
        self.outcomes.append(outcome)


@dataclass
class MemoryDestination:
    """Keeps a token that was handed over."""

    delivered: list[Secret] = field(default_factory=list)
    record_ids: list[str] = field(default_factory=list)

    def open(self, secret: Secret) -> tuple[str, ...]:  # noqa: ARG002 # of the protocol
        return ()

    def deliver(self, secret: Secret, *, record_id: str) -> tuple[str, ...]:
        self.delivered.append(secret)
        self.record_ids.append(record_id)
        return ()

    def discard(self) -> None:
        """Forget nothing: there is nothing yet."""


def run_change(
    path: Path, planner: Planner, *, manner: Manner, ports: Ports, timeout_s: float = 1.0
) -> Outcome:
    """Do a change as a command does, in a session of its own."""
    with Session.open(path, write=manner.is_in_place, timeout_s=timeout_s) as session:
        return session.carry_out(session.propose(planner, manner), ports)


def undo(
    path: Path,
    ledger: Ledger,
    clock: Clock,
    *,
    audience: Audience | None = None,
    is_dry_run: bool = False,
    reason: str | None = None,
) -> tuple[UndoProposal, Outcome]:
    """Take back the last change as a command does, in a session of its own."""
    manner = Manner(is_dry_run=is_dry_run, reason=reason, backups=BackupEachChange(clock))
    ports = Ports(audience=audience or YesAudience(), recorder=ledger)
    with (
        Session.open(path, write=manner.is_in_place) as session,
        proposed_undo(session, ledger, manner) as proposal,
    ):
        return proposal, session.carry_out(proposal, ports)


def disclosure(path: Path) -> Disclosure:
    """Write down, nowhere, that secrets are about to leave a store."""
    with Session.open(path) as session:
        facts = session.facts()
    return Disclosure.noted(ListRecorder(), facts, operation="auth list", reason=None)


def traces_of(path: Path, *copies: Path) -> Traces:
    """Look for what was deleted from a store: in copies that are named, or in the store itself."""
    files = [CopyFile(path=copy, made_at=None, is_named=True) for copy in copies]
    with Session.open(path) as session:
        return gather(session.store, files, has_own=not copies)


@contextmanager
def open_view(path: Path, *, timeout_s: float = 1.0) -> Iterator[View]:
    """Look at a store in a session of its own."""
    with Session.open(path, timeout_s=timeout_s) as session, session.view() as view:
        yield view


def change(
    path: Path,
    planner: Planner,
    *,
    destination: MemoryDestination | None = None,
    is_dry_run: bool = False,
) -> Outcome:
    """Run a planner on a store as a command would, with a yes, and with no ledger."""
    return run_change(
        path,
        planner,
        manner=Manner(is_dry_run=is_dry_run, backups=BackupEachChange(FixedClock(CHANGED_AT))),
        ports=Ports(audience=YesAudience(), recorder=ListRecorder(), destination=destination),
    )


Keys = dict[tuple[str, bytes], bytes]
"""All plain keys of a store, with the name of their bucket in front."""


@dataclass(frozen=True)
class Difference:
    """What a change did to the keys of a store.

    Attributes:
        added: New keys with their values.
        removed: Keys that are gone, with their former values.
        changed: Keys with another value, with the new one.
    """

    added: Keys
    removed: Keys
    changed: Keys

    @property
    def places(self) -> dict[str, Sequence[str]]:
        """Names of the buckets, without the keys, some of which are secrets."""
        parts = (("added", self.added), ("removed", self.removed), ("changed", self.changed))
        return {word: sorted(bucket for bucket, _ in keys) for word, keys in parts if keys}


def all_keys(path: Path) -> Keys:
    """Return all keys of a store, as this program reads them."""
    with MetaStore.open(path, write=False) as store, store.view() as tx:
        names = tx.table_names()
        return {(name, key): value for name in names for key, value in tx.table(name).items()}


def keys_of(dump: Dump) -> Keys:
    return {(_only(path), key): value for (path, key), value in dump.plain}


def difference(before: Dump, after: Dump) -> Difference:
    """Compare two dumps of one store."""
    old, new = keys_of(before), keys_of(after)
    return Difference(
        added={key: value for key, value in new.items() if key not in old},
        removed={key: value for key, value in old.items() if key not in new},
        changed={k: value for k, value in new.items() if k in old and old[k] != value},
    )


def _only(path: Path_) -> str:
    (name,) = path
    return name.decode()


def edit(path: Path, change_records: Callable[[MetaTx], None]) -> None:
    """Write to a store behind the back of every rule, to plant a fault."""
    with MetaStore.open(path, write=True) as store, store.update() as tx:
        change_records(tx)
