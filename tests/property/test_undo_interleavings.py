"""Undo among everything else that writes: it gives back the bytes before our change, or refuses."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from recovery.errors import RecoveryError, RefusedError
from recovery.ledger import Ledger
from recovery.ledger_rows import Actor
from recovery.services.authorizations.changes import SetStatus
from recovery.services.changes.backup_rule import BackupEachChange
from recovery.services.changes.plan import Manner, Planner
from recovery.services.changes.ports import Ports
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.user_changes import SetUserStatus
from tests.support.kills import run_killed
from tests.support.oracle import Dump, Oracle, Script
from tests.support.ports import FixedClock
from tests.support.stores import CHANGED_AT, YesAudience, make_store, run_change, undo


@dataclass
class State:
    """One state of the store: all its bytes, and what bbolt would read in them."""

    content: bytes
    dump: Dump


@dataclass
class World:
    """A store that we, bbolt and somebody with `cp` write in turn.

    Attributes:
        before: The states before our operations, by their number in the ledger.
        after: And after them, when they changed anything.
    """

    path: Path
    oracle: Oracle
    random: Random
    planners: list[Planner]
    clock: FixedClock = field(default_factory=lambda: FixedClock(CHANGED_AT))
    before: dict[int, State] = field(default_factory=dict)
    after: dict[int, State] = field(default_factory=dict)
    count: int = 0

    @property
    def ledger(self) -> Ledger:
        actor = Actor(host="db1", uid=0, sudo_user=None, tool_version="1")
        path = self.path.parent.with_name("ledger.sqlite")
        return Ledger(path=path, actor=actor, clock=self.clock)

    def state(self) -> State:
        return State(self.path.read_bytes(), Dump.of_file(self.path))

    def change(self) -> None:
        planner = self.random.choice(self.planners)
        manner = Manner(backups=BackupEachChange(self.clock))
        ports = Ports(audience=YesAudience(), recorder=self.ledger)
        run_change(self.path, planner, manner=manner, ports=ports)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Remember the states around one of our operations, if the ledger knows of it."""
        self.clock.moment += timedelta(seconds=1)
        known, before = len(self.ledger.entries()), self.state()
        with suppress(RecoveryError):
            yield
        new = self.ledger.entries()[known:]
        if new and new[0].operation != "store undo":
            self.before[new[0].entry_id] = before
            self.after[new[0].entry_id] = self.state()

    def ours(self) -> None:
        with self.noted():
            self.change()

    def surely_ours(self) -> None:
        """Change something, which not every plan does."""
        known = len(self.before)
        while len(self.before) == known:
            self.ours()

    def killed(self) -> None:
        step, moment = self.random.randrange(20), self.random.choice(["before", "within", "after"])
        with self.noted():
            run_killed(self.change, step, moment)

    def failing(self) -> None:
        """Let one of the two syncs of the commit fail."""
        real, left = os.fdatasync, self.random.randrange(2)

        def sync(descriptor: int) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            real(descriptor)

        with self.noted(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fdatasync", sync)
            self.change()

    def foreign(self) -> None:
        self.count += 1
        script = Script().put(
            (b"secretsv1",), b"%d" % self.count, b"v" * self.random.choice([9, 999])
        )
        self.oracle.apply(self.path, script)

    def restored_by_hand(self) -> None:
        if self.before:
            self.path.write_bytes(self.random.choice(list(self.before.values())).content)

    def restored_by_influx(self) -> None:
        """As `influx backup` and `influx restore` write it: the newest meta in slot 0."""
        copy = self.path.with_name("copy")
        self.oracle.backup(self.path, copy)
        self.path.write_bytes(copy.read_bytes())
        copy.unlink()

    def killed_undo(self) -> None:
        step = self.random.randrange(16)
        self.clock.moment += timedelta(seconds=1)

        def run() -> None:
            with suppress(RecoveryError):
                undo(self.path, self.ledger, self.clock)

        run_killed(run, step, "before")

    def undo(self) -> bool:
        """Take back; say whether it was done."""
        self.clock.moment += timedelta(seconds=1)
        before = self.state()
        proposal = None
        with suppress(RefusedError):
            proposal, _ = undo(self.path, self.ledger, self.clock)
        if proposal is None:
            assert self.path.read_bytes() == before.content
            return False
        number = proposal.operation.number
        assert self.path.read_bytes() == self.before[number].content
        # What was thrown away is the operation itself and nothing else.
        given_up = self.before if proposal.is_resumed else self.after
        assert before.dump == given_up[number].dump
        return True


@pytest.fixture
def world(tmp_path: Path, oracle: Oracle) -> World:
    folder = tmp_path / "store"
    folder.mkdir()
    made = make_store(folder / "influxd.bolt", level=21)
    clock = FixedClock(CHANGED_AT)
    planners: list[Planner] = [
        SetStatus(authorization_id=one, is_active=is_active, clock=clock)
        for one in (made.reader, made.operator)
        for is_active in (True, False)
    ]
    bob = UserChoice(name="bob", user_id=None)
    planners += [SetUserStatus(user=bob, is_active=is_active) for is_active in (True, False)]
    return World(made.path, oracle, Random(1), planners, clock=clock)


def campaign(world: World, seed: int, *, steps: int) -> int:
    """Play at random; return how often something was taken back."""
    world.random.seed(seed)
    moves = [
        *(world.ours, world.ours, world.ours, world.killed, world.killed, world.failing),
        *(world.foreign, world.restored_by_hand, world.restored_by_influx, world.killed_undo),
    ]
    done = 0
    for _ in range(steps):
        world.random.choice(moves)()
        if world.random.random() < 0.5:
            done += world.undo()
    return done


@pytest.mark.parametrize("seed", range(6))
def test_undo_gives_back_the_bytes_before_our_change_or_refuses(world: World, seed: int) -> None:
    assert campaign(world, seed, steps=12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 180))
def test_the_same_for_long(world: World, seed: int) -> None:
    campaign(world, seed, steps=40)


def test_a_change_of_a_restored_store_can_be_taken_back(world: World) -> None:
    """Whichever of the slots has the newest meta: after a restore it is always the first."""
    for _ in range(2):  # one of the two transaction ids is odd
        world.foreign()
        world.restored_by_influx()
        world.surely_ours()
        assert world.undo()


def test_a_commit_of_somebody_else_in_the_place_of_ours_is_never_taken_back(world: World) -> None:
    """The backup was copied back by hand, and then one other transaction was committed."""
    world.surely_ours()
    (first,) = world.before.values()
    world.path.write_bytes(first.content)
    world.foreign()
    assert not world.undo()


def test_a_commit_after_a_change_that_never_was_is_never_taken_back(world: World) -> None:
    world.planners = world.planners[1:2]  # one that changes something
    step = 0
    while not world.ledger.entries():
        with world.noted():
            run_killed(world.change, step, "before")
        step += 1
    assert [one.dump for one in world.before.values()] == [world.state().dump]
    world.foreign()
    assert not world.undo()
