"""A new store: complete, at the newest level, taken for set up, never in the place of another."""

import errno
import os
import stat
from pathlib import Path

import bcrypt
import pytest

from recovery.errors import (
    ConflictError,
    DeliveryError,
    ExitCode,
    PasswordError,
    RecoveryError,
    RefusedError,
    WriteFailedError,
)
from recovery.metastore.store import MetaStore
from recovery.model.bucket import DAY_NS
from recovery.model.ids import Id
from recovery.model.permission import OperatorLevel, classify
from recovery.model.schema import buckets_of_level
from recovery.secret import Secret
from recovery.services.changes.facts import PlanFacts
from recovery.services.changes.plan import Manner
from recovery.services.changes.ports import Ports
from recovery.services.changes.sequence import carry_out
from recovery.services.stores.first_setup import Setup, first_setup
from recovery.services.stores.setup import proposed_setup
from tests.support.invariants import assert_invariants
from tests.support.oracle import Oracle
from tests.support.ports import FixedClock
from tests.support.real_stores import unpack_real_store
from tests.support.stores import (
    CHANGED_AT,
    ListRecorder,
    MemoryDestination,
    SeededRng,
    YesAudience,
)

TOKEN = "canary-setup-token-0123456789"
PASSWORD = "canary-setup-password"


def wanted(
    *,
    username: str = "admin",
    organization: str = " first ",
    bucket: str = "sensors",
    password: str | None = PASSWORD,
    retention_ns: int = 30 * DAY_NS,
) -> Setup:
    return Setup(
        username=username,
        password=None if password is None else Secret(password),
        organization=organization,
        bucket=bucket,
        retention_ns=retention_ns,
        token=Secret(TOKEN),
    )


def make(
    path: Path,
    setup: Setup,
    destination: MemoryDestination | None = None,
    recorder: ListRecorder | None = None,
) -> PlanFacts:
    ports = Ports(
        audience=YesAudience(),
        recorder=recorder or ListRecorder(),
        destination=destination or MemoryDestination(),
    )
    planner = first_setup(setup, server_hashes=None, clock=FixedClock(CHANGED_AT), rng=SeededRng(9))
    with proposed_setup(path, planner, Manner()) as proposal:
        carry_out(proposal, ports)
    return proposal.plan.facts


def test_a_new_store_has_what_a_servers_own_set_up_writes(tmp_path: Path, oracle: Oracle) -> None:
    path = tmp_path / "influxd.bolt"
    destination = MemoryDestination()
    made = make(path, wanted(), destination)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert oracle.check(path) == []
    assert_invariants(path)
    assert destination.record_ids == [made["authorization_id"]]
    assert destination.delivered[0].matches(Secret(TOKEN))
    with MetaStore.open(path, write=False) as store, store.view() as tx:
        assert store.level == 21
        assert tx.users.indexed_id("admin") == made["user_id"]
        assert bcrypt.checkpw(PASSWORD.encode(), tx.passwords.get(Id(made["user_id"])) or b"")
        found = tx.authorizations.find(Secret(TOKEN))
        assert found is not None
        assert found.token is None
        assert classify(found.permissions(), level=21).level is OperatorLevel.FULL
        roles = {(one.resource_type, one.user_type) for one in tx.mappings.walk([])}
        assert roles == {("orgs", "owner"), ("instance", "owner")}
        assert sorted(one.name for one in tx.buckets.walk([])) == [
            "_monitoring",
            "_tasks",
            "sensors",
        ]
        assert [one.name for one in tx.organizations.walk([])] == ["first"]
        written = dict(tx.table("sourcesv1").items())
    real = unpack_real_store("influxd-2.9.1-setup", tmp_path / "real.bolt")
    with MetaStore.open(real, write=False) as store, store.view() as tx:
        assert written == dict(tx.table("sourcesv1").items()), "the default source"
    assert {name.decode() for (name,) in oracle.dump(path).sequences} == buckets_of_level(21)


@pytest.mark.parametrize("content", [b"", b"something", None])
def test_nothing_is_ever_replaced(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "influxd.bolt"
    if content is None:
        path.symlink_to(tmp_path / "nowhere")
    else:
        path.write_bytes(content)
    with pytest.raises(ConflictError):
        make(path, wanted())
    assert path.is_symlink() if content is None else path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("setup", "error"),
    [
        (wanted(username=""), RefusedError),
        (wanted(organization=" "), RefusedError),
        (wanted(bucket=""), RefusedError),
        (wanted(bucket="_sensors"), RefusedError),
        (wanted(bucket='sen"sors'), RefusedError),
        (wanted(password="short"), PasswordError),
        (wanted(retention_ns=1 << 63), RefusedError),
    ],
)
def test_a_refused_set_up_leaves_nothing(
    tmp_path: Path, setup: Setup, error: type[RecoveryError]
) -> None:
    with pytest.raises(error):
        make(tmp_path / "influxd.bolt", setup)
    assert list(tmp_path.iterdir()) == []


class FullDestination(MemoryDestination):
    """Takes no token."""

    def deliver(self, secret: Secret, *, record_id: str) -> tuple[str, ...]:
        assert secret is not None
        raise DeliveryError(authorization_id=record_id, problem="it is full", hint="try again")


def test_a_set_up_whose_token_cannot_be_delivered_leaves_nothing_and_can_be_run_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "influxd.bolt"
    recorder = ListRecorder()
    with pytest.raises(WriteFailedError, match="nothing was changed") as caught:
        make(path, wanted(), FullDestination(), recorder)
    assert caught.value.exit_code is ExitCode.WRITE_FAILED
    assert recorder.outcomes[-1] == "unchanged"
    assert list(tmp_path.iterdir()) == []
    make(path, wanted())
    assert_invariants(path)


class InterruptedRecorder(ListRecorder):
    """Is interrupted by Ctrl-C while it writes down that the store was made."""

    def conclude(self, intent_id: int, outcome: str, *, txid_after: int | None = None) -> None:
        if outcome == "done" and not self.outcomes:
            self.outcomes.append("interrupted")
            raise KeyboardInterrupt
        super().conclude(intent_id, outcome, txid_after=txid_after)


def test_a_disk_that_lets_nothing_be_removed_any_more_is_said_as_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an error of the disk the kernel lets nothing be written any more."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fail)
    monkeypatch.setattr(os, "unlink", fail)
    with pytest.raises(WriteFailedError, match="Input/output error"):
        make(tmp_path / "influxd.bolt", wanted())
    monkeypatch.undo()
    assert not (tmp_path / "influxd.bolt").exists()


def test_ctrl_c_while_the_ledger_is_written_leaves_nothing_and_the_ledger_says_so(
    tmp_path: Path,
) -> None:
    """Words and file agree: nothing is in force, and it can be run again."""
    path = tmp_path / "influxd.bolt"
    recorder, destination = InterruptedRecorder(), MemoryDestination()
    with pytest.raises(KeyboardInterrupt):
        make(path, wanted(), destination, recorder)
    assert recorder.outcomes == ["interrupted", "unchanged"]
    assert list(tmp_path.iterdir()) == []
    assert destination.delivered == []
    make(path, wanted())
    assert_invariants(path)
