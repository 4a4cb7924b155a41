"""The one sequence by which anything is changed.

Lives here: `propose` and `carry_out`. Must not live here: what a particular command writes (its
planner), and where it is written (`Work`).

Invariants: the steps happen in this order and in no other: lock, check, plan, show the plan,
confirm, open the token's destination, verified backup, intent in the ledger, commit, re-open and
verify, done in the ledger, deliver. A large store that needs no question is checked beside its
backup, and nothing goes on before both are done. Up to the commit every failure leaves the store
unchanged and no new file behind. The lock is held from before the first read until after the
verification.

Source: spec influxdb-metadata section 14 ("Common"), bbolt-format section 2.11.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final, TypeVar

from msgspec.structs import replace

from recovery.errors import (
    UNCHANGED,
    DeliveryError,
    RecoveryError,
    RefusedError,
    WriteFailedError,
)
from recovery.log import get_logger
from recovery.metastore.store import MetaStore
from recovery.remedy import Give, Input
from recovery.services.changes.backup import is_copied_beside, require_room
from recovery.services.changes.plan import Manner, Outcome, Planner, Proposal, WorkFile
from recovery.services.changes.ports import Intent, Ports
from recovery.services.changes.work import InCopy, InPlace
from recovery.services.store_facts import StoreFacts

LOG: Final = get_logger(__name__)
Failure = TypeVar("Failure", bound=BaseException)

TORN_META: Final = (
    "one of the two metas of the file is damaged: if it was the newer one, what was done last is "
    "missing, and this change writes over what is left of it; if something is missing, answer no, "
    "copy the file, and look with store salvage"
)


def propose(store: MetaStore, planner: Planner, manner: Manner) -> Proposal:
    """Check a store, and plan a change of it. Nothing is written.

    The check of a large store takes as long as its backup. Where the change is confirmed already
    they are done side by side, in `carry_out`, and no step in front of both needs the check.

    Args:
        store: The store, locked; open for writing unless it will be left alone.
    """
    is_checked_later = manner.is_confirmed and manner.is_in_place and is_copied_beside(store)
    if not is_checked_later:
        store.require_sound()
    try:
        with store.view() as tx:
            plan = planner.plan(tx)
    except RecoveryError:
        if is_checked_later:
            store.require_sound()  # where that fails, it says more
        raise
    if is_checked_later and not plan.is_needed:
        store.require_sound()
    if plan.is_needed and manner.output_path is None and store.has_torn_meta:
        plan = replace(plan, warnings=(*plan.warnings, TORN_META))
    work = (
        InPlace(store, plan, manner.backups, is_whole_file_checked=manner.is_whole_file_checked)
        if manner.output_path is None
        else InCopy(store, plan, manner.output_path)
    )
    if plan.is_needed:  # so that nobody is asked for what is going to fail
        copy_path = work.backup_path or work.target_path
        if not os.path.lexists(copy_path):  # the backup of a session is made once
            require_room(store, copy_path)
    return Proposal(plan=plan, store=StoreFacts.of(store), work=work, manner=manner)


def carry_out(proposal: Proposal, ports: Ports) -> Outcome:
    """Show a proposal, ask, and do it: from the question to the delivery."""
    plan, manner = proposal.plan, proposal.manner
    if plan.secret is not None and ports.destination is None and not manner.is_dry_run:
        raise RefusedError(
            reason="there is no place to put the new token",
            hint=Give(Input.TOKEN_PLACE, "name one"),
        )
    ports.audience.show_plan(proposal)
    if manner.is_dry_run or not plan.is_needed:
        return Outcome(proposal=proposal, is_changed=False)
    run = _Run(proposal, ports)
    run.confirm()
    return run.to_the_end()


def make_ready(proposal: Proposal, ports: Ports) -> None:
    """See that the ledger can record a change, where there is one; `LedgerError` if it cannot."""
    if proposal.plan.is_needed and not proposal.manner.is_dry_run:
        _Run(proposal, ports).make_ready()


class _Run:
    """One change on its way from the question to the delivery.

    What has to be undone on failure is registered on a stack, in the order in which it was done;
    the stack is emptied where the change is in force.
    """

    def __init__(self, proposal: Proposal, ports: Ports) -> None:
        self._proposal = proposal
        self._plan = proposal.plan
        self._work = proposal.work
        self._ports = ports
        self._destination = ports.destination if self._plan.secret is not None else None
        self._warnings: list[str] = []

    def make_ready(self) -> None:
        """See that the ledger is ready."""
        facts = self._proposal.store
        file = WorkFile(device=facts.device, inode=facts.inode, txid=None, digest=None)
        self._ports.recorder.prepare(self._intent(file))

    def confirm(self) -> None:
        """See that all is ready, and ask."""
        self.make_ready()
        if not self._ports.audience.confirm(self._proposal):
            raise RefusedError(
                reason="the plan was not confirmed",
                hint=(
                    "run it again and answer yes",
                    Give(Input.CONFIRMATION, "say yes beforehand"),
                ),
            )

    def to_the_end(self) -> Outcome:
        """Make all ready, commit, look at it again, deliver."""
        work = self._work
        with ExitStack() as resources, _undone_on_failure() as undo:
            if self._destination is not None and self._plan.secret is not None:
                self._warnings.extend(self._destination.open(self._plan.secret))
                undo.callback(self._destination.discard)
            with self._ports.waiting("copying the store and working the change out"):
                file = work.prepare(resources, undo)
            intent_id = self._ports.recorder.intend(self._intent(file), txid_before=file.txid)
            undo.callback(self._conclude, intent_id, "unchanged", txid_after=file.txid)
            with self._ports.shield():
                with self._ports.waiting("writing the change and reading it again"):
                    self._commit(undo, intent_id)
                if work.is_lasting:
                    undo.pop_all()
                self._conclude(intent_id, "done", txid_after=work.txid)
                self._deliver(intent_id)
            return Outcome(
                proposal=self._proposal,
                is_changed=True,
                txid=work.txid,
                backup_path=work.backup_path,
                warnings=tuple(self._warnings),
            )

    def _intent(self, file: WorkFile) -> Intent:
        return Intent(
            operation=self._plan.operation,
            store_path=self._work.target_path,
            device=file.device,
            inode=file.inode,
            record_ids=self._plan.record_ids,
            backup_path=self._work.backup_path,
            reason=self._proposal.manner.reason,
            digest=file.digest,
        )

    def _commit(self, undo: ExitStack, intent_id: int) -> None:
        """Commit, verify and publish; where the outcome is not certain, keep what was made."""
        work = self._work
        try:
            work.commit()
            problem = work.verify()
            if problem is None:
                work.publish()
        except BaseException as error:
            is_unknown = not work.is_unchanged(error)
            if is_unknown:
                self._keep(undo, intent_id)
            elif work.is_lasting:
                raise
            if isinstance(error, RecoveryError):
                failure = work.failed(_clause(error))
                raise self._handing_over(failure) if is_unknown else failure from error
            if is_unknown:
                self._handing_over(error)
            raise
        if problem is not None:
            failure = work.unverified(problem)
            if work.is_lasting:
                self._keep(undo, intent_id)
                failure = self._handing_over(failure)
            raise failure
        LOG.info("store.changed", operation=self._plan.operation, txid=work.txid)

    def _keep(self, undo: ExitStack, intent_id: int) -> None:
        """Undo nothing, and record that the outcome is unknown."""
        undo.pop_all()
        undo.callback(self._conclude, intent_id, "unknown", txid_after=None)

    def _handing_over(self, failure: Failure) -> Failure:
        """Hand the token over, which may be in force, and say so; nobody could show it again."""
        try:
            if self._hand_over():
                failure.add_note("its token is where it was to go, and works if it was")
        except RecoveryError:
            failure.add_note(f"if it was, delete {self._plan.subject_id}, whose token is lost")
        return failure

    def _conclude(self, intent_id: int, outcome: str, *, txid_after: int | None) -> None:
        """Record the end; it has happened already, so a ledger that fails is only a warning."""
        try:
            self._ports.recorder.conclude(intent_id, outcome, txid_after=txid_after)
        except RecoveryError as error:
            self._warnings.append(str(error))
            LOG.warning("ledger.failed", operation=self._plan.operation, outcome=outcome)

    def _hand_over(self) -> bool:
        """Hand the token over, where there is one; tell whether there was."""
        secret, record_id = self._plan.secret, self._plan.subject_id
        if self._destination is None or secret is None or record_id is None:
            return False
        self._warnings.extend(self._destination.deliver(secret, record_id=record_id))
        return True

    def _deliver(self, intent_id: int) -> None:
        try:
            self._hand_over()
        except BaseException as error:
            if self._work.is_lasting:
                self._conclude(intent_id, "undelivered", txid_after=self._work.txid)
                raise
            if isinstance(error, DeliveryError):  # what was made is taken back with the error
                problem = f"the token could not be handed over: {error.problem}"
                raise self._work.failed(problem) from error
            raise


def _clause(error: RecoveryError) -> str:
    """Return what went wrong without what it says about changes, which is worked out again."""
    if isinstance(error, WriteFailedError):
        return error.problem  # the same is said around it once more
    return str(error).removesuffix(f"; {UNCHANGED}")


@contextmanager
def _undone_on_failure() -> Iterator[ExitStack]:
    """Give a stack whose callbacks run, last first, if the block fails; `pop_all` forgets them."""
    with ExitStack() as undo:
        yield undo
        undo.pop_all()
