"""The command that brings deleted authorizations back.

Lives here: `auth undelete`. Must not live here: where they are looked for and what is written
(`recovery.services.undeletion`).
"""

from typing import Final

from recovery.cli.choices import authorization_ids
from recovery.cli.context import Context
from recovery.cli.options import Command
from recovery.cli.outcome import ChangeDocument
from recovery.cli.table import Column
from recovery.cli.traces import Listed, Undeletion, add_undeletion, run_undeletion
from recovery.cli.words import Parser
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.model.permission import OperatorLevel
from recovery.remedy import Input
from recovery.services.undeletion.tokens import DeletedToken, UndeleteTokens, list_deleted_tokens
from recovery.services.undeletion.traces import Traces

SECONDS_LENGTH: Final = len("2026-01-02T03:04:05")


class _Undelete(Undeletion, frozen=True):
    id: tuple[str, ...]


def _add_undelete(command: Parser) -> None:
    command.add_argument(
        "id",
        nargs="*",
        metavar="ID",
        help="an authorization to bring back, 16 hex digits; there may be several (default: list "
        "what can be brought back)",
    )
    add_undeletion(command, wanted="the authorizations are there")


class DeletedTokens(ChangeDocument, frozen=True, kw_only=True):
    """What --json prints: without an ID a list, with one a change."""

    deleted: tuple[DeletedToken, ...] = ()


def _undelete(options: _Undelete, context: Context) -> ExitCode:
    ids = authorization_ids(options.id, listed_by="auth undelete")

    def planner(traces: Traces, deletions: dict[str, str]) -> UndeleteTokens:
        return UndeleteTokens(
            ids=ids, traces=traces, deletions=deletions, is_ensured=options.ensure
        )

    return run_undeletion(LISTED, options, context, planner if ids else None)


UNDELETE: Final = Command(
    description="List the authorizations that were deleted and can be brought back, or bring some "
    "of them back by their IDs: each as it was, with its index entries, so that its token works "
    "again, also one that is stored as a hash. They are looked for in the state before the last "
    "one, on freed pages, and in the copies beside the store. influxd must be stopped. No token is "
    "shown. What contradicts the store is refused, and what is missing is named. What has been "
    "written over is gone.",
    example="auth undelete 08371deae98c8000",
    options=_Undelete,
    run=_undelete,
    add_options=_add_undelete,
    document=DeletedTokens,
)


def _cells(row: DeletedToken, origin: str, can_return: str) -> tuple[str, ...]:
    return (
        row.id,
        displayed(row.user) if row.user is not None else f"missing {row.user_id or ''}".strip(),
        displayed(row.organization) if row.organization is not None else "missing",
        "no" if row.operator is OperatorLevel.NONE else row.operator.value,
        displayed(row.updated_at[:SECONDS_LENGTH]),
        origin,
        can_return,
        displayed(row.description),
    )


LISTED: Final = Listed(
    operation="auth undelete",
    document=DeletedTokens,
    kind="deleted authorization",
    input=Input.ID,
    name=lambda row: row.id,
    rows=list_deleted_tokens,
    columns=(
        Column("ID"),
        Column("User", 6),
        Column("Org", 6),
        Column("Operator"),
        Column("Updated", 10),
        Column("Found in", 14),
        Column("Can return", 10),
        Column("Description", 11),
    ),
    cells=_cells,
    needs_user=lambda row: row.is_user_deleted,
)
