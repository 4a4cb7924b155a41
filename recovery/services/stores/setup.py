"""Make a new store that a server takes for set up, before its first start.

Lives here: `proposed_setup`, the new file. Must not live here: what the set-up writes
(`recovery.services.stores.first_setup`), and the order of the steps, which is that of every change
(`recovery.services.changes.sequence`).

Invariants: the new file has its name only once all is in it and proven. What fails, the delivery of
its token included, leaves nothing behind.

Source: spec influxdb-metadata sections 4.1 to 4.9 and 11.5.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.gojson import format_time
from recovery.model.ids import IdSource
from recovery.model.schema import LEVEL_MAX, versions_of_level
from recovery.new_file import StagedFile
from recovery.services.changes.plan import Manner, Plan, Proposal, WorkFile
from recovery.services.changes.work import OfNewFile
from recovery.services.store_facts import StoreFacts
from recovery.services.stores.first_setup import SetUpStore
from recovery.services.tenancy.writing import write_empty_store


@contextmanager
def proposed_setup(path: Path, planner: SetUpStore, manner: Manner) -> Iterator[Proposal]:
    """Make a new store of level 21 that is set up, under another name at first.

    Args:
        manner: Why; it is neither a dry run nor a copy.

    Yields:
        What `recovery.services.changes.sequence.carry_out` takes; at the end of the block nothing
        is left of what did not come about.

    Raises:
        RefusedError: The times do not go together.
    """
    target = path.absolute()
    plans: list[Plan] = []

    def fill(tx: MetaTx) -> None:
        ids, now = IdSource(planner.clock, planner.rng), format_time(planner.clock.now())
        write_empty_store(tx, level=LEVEL_MAX, ids=ids, rng=planner.rng, now=now)
        plans.append(planner.plan(tx))
        plans[0].apply(tx)

    with StagedFile(target) as new:
        MetaStore.create(new.path, level=LEVEL_MAX, fill=fill)
        facts, plan = _facts_of(path, target, new.path), plans[0]
        yield Proposal(plan=plan, store=facts, work=NewStore(facts, new, plan), manner=manner)


def _facts_of(path: Path, target: Path, made: Path) -> StoreFacts:
    status = made.stat()
    return StoreFacts(
        path=path,
        real_path=target,
        size_bytes=status.st_size,
        device=status.st_dev,
        inode=status.st_ino,
        txid=0,
        level=LEVEL_MAX,
        server_versions=versions_of_level(LEVEL_MAX),
    )


class NewStore(OfNewFile):
    """A new store, until it has its name."""

    txid: Final = 1

    def __init__(self, facts: StoreFacts, new: StagedFile, plan: Plan) -> None:
        self._facts = facts
        self._new = new
        self._plan = plan
        self.target_path = facts.real_path

    def prepare(self, resources: ExitStack, undo: ExitStack) -> WorkFile:  # noqa: ARG002 # of Work
        """Have it removed if it does not come about. As `Work.prepare`."""
        undo.callback(self._new.withdraw)
        return WorkFile(device=self._facts.device, inode=self._facts.inode, txid=None, digest=None)

    def commit(self) -> None:
        """Do nothing: its name makes it."""

    def verify(self) -> str | None:
        """Open it as a reader does. As `Work.verify`."""
        with MetaStore.open(self._new.path, write=False) as store:
            store.require_sound()
            with store.view() as tx:
                return self._plan.verify(tx)

    def publish(self) -> None:
        """Give it its name. As `Work.publish`."""
        self._new.publish()
        self._new.keep()
