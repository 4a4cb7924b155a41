"""Make a metadata store again, from the engine's folder and whatever else is known.

Lives here: `RebuildStore`, the planner of `store rebuild`, and `read_engine`. Must not live here:
what is written (`filling`), what is said of it (`words`), the file that the store is made in
(`beginning`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final

import msgspec

from recovery.engine.folder import EngineFolder
from recovery.errors import RefusedError
from recovery.metastore.pending import PendingTx
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import Authorization
from recovery.model.catalogue import CatalogueError
from recovery.ports import Clock, Rng
from recovery.secret import Secret
from recovery.services.authorizations.new_token import (
    what_is_wrong,
)
from recovery.services.changes.plan import Plan
from recovery.services.doctor.chart import Progress
from recovery.services.doctor.check import examine_records, new_chart
from recovery.services.doctor.finding import Severity
from recovery.services.doctor.repair import RepairStore
from recovery.services.stores.rebuild.filling import Filling
from recovery.services.stores.rebuild.known import Known, learn_store
from recovery.services.stores.rebuild.parts import EngineFacts, Filled, Wishes
from recovery.services.stores.rebuild.words import facts, record_ids, steps, warnings

OPERATION: Final = "store rebuild"
RECORD_IDS_MAX: Final = 1000


def read_engine(path: Path, progress: Progress | None = None) -> EngineFacts:
    """Read everything that lies in an engine's folder.

    Args:
        progress: Told after each bucket how many have been read.

    Raises:
        StoreNotFoundError: It is not there, or is none.
        StoreAccessError: This user may not read it.
    """
    folder = EngineFolder(path)
    buckets = []
    for one in folder.buckets():
        buckets.append(folder.read_bucket(one))
        if progress is not None:
            progress("bucket folders", len(buckets))
    return EngineFacts(
        path=str(path),
        buckets=tuple(buckets),
        strays=tuple(one for one in folder.strays() if one.blocking),
        oddities=tuple(folder.oddities()),
        shard_id_max=folder.shard_id_max(),
    )


class RebuildStore(msgspec.Struct, frozen=True, kw_only=True):
    """The command `store rebuild`, on a store that is new or was salvaged.

    Attributes:
        known: What other files know.
        mends: Whether to mend first what can be mended, because the store was salvaged.
    """

    operation: ClassVar[str] = OPERATION

    engine: EngineFacts
    known: Known
    wishes: Wishes
    mends: bool
    clock: Clock
    rng: Rng

    def plan(self, store: MetaTx) -> Plan:
        """Try everything on top of the store that is to be filled, and say what it comes to.

        Raises:
            RefusedError: Something contradicts itself, or is missing.
            RecoveryError: The store cannot be filled.
        """
        pending = PendingTx(store)
        known = Known(organization_id=self.known.organization_id, notes=list(self.known.notes))
        learn_store(known, store, source="the damaged store")
        for org_id, name in self.known.organizations.items():
            known.learn_organization(org_id, name, source="the file of names")
        for bucket_id, bucket in self.known.buckets.items():
            known.learn_bucket(bucket_id, bucket, source="the file of names")
        filling = Filling(
            pending,
            engine=self.engine,
            known=known,
            wishes=self.wishes,
            clock=self.clock,
            rng=self.rng,
        )
        filled = filling.fill()
        authorization, token = filling.operator_token()
        mended = self._mend(pending) if self.mends else ()
        return Plan(
            operation=self.operation,
            steps=(*steps(filled), *mended),
            facts=facts(filled, authorization),
            record_ids=tuple(record_ids(filled, authorization))[:RECORD_IDS_MAX],
            warnings=tuple(warnings(filled, int(self.clock.now().timestamp() * 1e9))),
            apply=pending.apply,
            verify=lambda tx: self._problem(tx, filled, authorization, token),
            secret=token,
            subject_id=authorization.id,
        )

    def _mend(self, pending: PendingTx) -> Iterator[str]:
        """Mend what was salvaged, as `store repair` does."""
        try:
            plan = RepairStore(only=None, clock=self.clock, rng=self.rng).plan(pending)
        except RefusedError as error:
            yield f"what was salvaged is not mended: {error.reason}"
            return
        if plan.is_needed:
            plan.apply(pending)
            yield from (f"mended: {step}" for step in plan.steps)

    def _problem(
        self, tx: MetaTx, filled: Filled, authorization: Authorization, token: Secret
    ) -> str | None:
        """Look for the token, the groups, and anything that would keep influxd from starting."""
        problem = what_is_wrong(tx, authorization, token)
        if problem is not None:
            return problem
        catalogue = tx.catalogue.decoded()
        mapped = {
            (database.name, shard_id)
            for database in catalogue.databases
            for group in database.groups
            for shard_id in group.shard_ids
        }
        if not mapped.issuperset(filled.mapped):
            return "the catalogue does not hold every shard"
        if catalogue.shard_id_max < self.engine.shard_id_max:
            return "the next shard of the server would meet one that is on disk"
        for finding in examine_records(new_chart(tx, clock=self.clock, rng=self.rng)):
            if finding.severity is Severity.FATAL and not self.mends:
                return f"influxd would not start on it: {finding.place} {finding.problem}"
        return None


def missing(tx: MetaTx, engine: EngineFacts) -> Iterator[str]:
    """Find what lies on disk and is not in a store; a sentence without a full stop for each."""
    try:
        catalogue = tx.catalogue.decoded()
    except CatalogueError as error:
        yield f"the catalogue {error.problem}"
        return
    for bucket in engine.buckets:
        if not tx.buckets.has_id(bucket.id):
            yield f"bucket {bucket.id} has no record"
        database = catalogue.database(bucket.id)
        groups = () if database is None else database.groups
        mapped = {one for group in groups for one in group.shard_ids}
        count = sum(one not in mapped for one in bucket.spans)
        if count:
            yield f"{count} shards of bucket {bucket.id} are in no shard group"
