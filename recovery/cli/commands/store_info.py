"""The command that describes one store.

Lives here: `store info`, and the words for what is in a store. Must not live here: what is said of
it (`recovery.services.stores.info`).
"""

from collections.abc import Iterator
from typing import Final, Self

import msgspec

from recovery.cli.context import Context
from recovery.cli.documents import StoreDocument, shaped
from recovery.cli.hints import Named, named_with
from recovery.cli.listing import report_problems
from recovery.cli.options import Command, Reading
from recovery.cli.recording import open_ledger
from recovery.cli.store import absolute, find_with_files, read_session, store_of
from recovery.cli.way_in import NEVER_SET_UP, first_steps
from recovery.discovery.backup_folder import is_backup_name
from recovery.discovery.search import FoundStore
from recovery.errors import ExitCode
from recovery.model.display import displayed, moment_text, plural, quoted
from recovery.model.standing import Obstacle
from recovery.services.authorizations.listing import OperatorState
from recovery.services.ledger import LedgerOperation
from recovery.services.stores.info import (
    SESSIONS,
    Contents,
    OperatorToken,
    SignIn,
    StoreInfo,
    describe_store,
)
from recovery.services.stores.prepare_restore import client_stops, restore_problem


class OperatorFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An operator token; `OperatorToken` says what the fields are."""

    id: str
    description: str
    user: str | None
    operator: OperatorState
    lacks: tuple[str, ...]
    is_usable: bool
    because: tuple[str, ...]


class ContentsFacts(msgspec.Struct, frozen=True, kw_only=True):
    """How much is in a store; `Contents` says what the fields are."""

    organization_count: int
    user_count: int
    bucket_count: int
    authorization_count: int
    token_forms: dict[str, int]
    operators: tuple[OperatorFacts, ...]
    problem_count: int

    @classmethod
    def of(cls, contents: Contents) -> Self:
        """Show how much it is."""
        return shaped(
            contents,
            cls,
            token_forms={form.value: count for form, count in contents.token_forms.items()},
            operators=tuple(
                shaped(one, OperatorFacts, operator=one.state) for one in contents.operators
            ),
            problem_count=len(contents.problems),
        )


class SignInFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A user, and why it cannot sign in, if it cannot."""

    id: str
    name: str
    can_sign_in: bool
    because: tuple[Obstacle, ...]

    @classmethod
    def of(cls, user: SignIn) -> Self:
        """Show a user."""
        return shaped(user, cls, can_sign_in=not user.obstacles, because=user.obstacles)


class InfoDocument(StoreDocument, frozen=True, kw_only=True):
    """What --json prints; `StoreInfo` says what the fields are."""

    page_size_bytes: int
    sql_level: int | None
    last_opened_by: str
    is_mixed: bool
    contents: ContentsFacts
    is_set_up: bool
    users: tuple[SignInFacts, ...]
    downgrade_losses: tuple[str, ...]
    operations: tuple[LedgerOperation, ...]
    restore_problem: str | None = None
    restore_left_out: tuple[str, ...] = ()


def _info(options: Reading, context: Context) -> ExitCode:
    found = find_with_files(options, context)
    with (
        read_session(found, options, context.output) as session,
        context.output.waiting("looking at the records"),
    ):
        info = describe_store(
            session,
            sqlite_path=found.files.sqlite_path,
            ledger=open_ledger(options, context, found.path, is_reading=True),
        )
        with session.view() as view:
            is_backup = found.is_backup or is_backup_name(found.path.name)
            problem = restore_problem(view.tx) if is_backup else None
            left_out = client_stops(view.tx, found.path) if is_backup else ()
    output = context.output
    if options.json:
        output.document(
            shaped(
                info,
                InfoDocument,
                store=store_of(found, info.facts),
                last_opened_by=info.server_versions,
                contents=ContentsFacts.of(info.contents),
                users=tuple(SignInFacts.of(user) for user in info.users),
                downgrade_losses=info.losses,
                restore_problem=problem,
                restore_left_out=left_out,
            )
        )
    else:
        for line in _lines(info, found, named_with(options.bolt_path, options.ledger)):
            output.prose(line)
        if problem is not None or left_out:
            folder = quoted(str(absolute(found.path).parent))
            output.line()
            for sentence in (*(() if problem is None else (problem,)), *left_out):
                shown = displayed(sentence)
                output.prose(f"influx restore --full of this backup would fail: {shown}.")
            output.prose(f"First: influx-recovery store prepare-restore {folder}")
    return report_problems(info.contents.problems, context)


INFO: Final = Command(
    description="Describe one store: its schema level and the versions that leave it so, how "
    "tokens are stored, which users can sign in and which operator tokens there are, what influxd "
    "downgrade would take away, and what the ledger says was done last. It does not look for "
    "faults: store check does.",
    example="store info --bolt-path /var/lib/influxdb/influxd.bolt",
    options=Reading,
    run=_info,
    document=InfoDocument,
)


def contents_text(contents: Contents) -> str:
    """Say in one phrase how much is in a store."""
    full = sum(1 for one in contents.operators if one.state.value == "full")
    partial = len(contents.operators) - full
    return ", ".join(
        (
            plural(contents.organization_count, "organization"),
            plural(contents.user_count, "user"),
            plural(contents.bucket_count, "bucket"),
            plural(contents.authorization_count, "authorization"),
            f"{full} full and {partial} partial operator tokens",
        )
    )


def _lines(info: StoreInfo, found: FoundStore, named: Named) -> Iterator[str]:
    facts = info.facts
    yield f"Store: {displayed(str(found.named_path))} ({found.reason})"
    yield f"File: {facts.size_bytes:,} bytes in pages of {info.page_size_bytes:,} bytes"
    yield f"Level: {facts.level}, last opened by {info.server_versions}"
    yield "  Older versions refuse it; newer ones bring it to their level when they start."
    if info.is_mixed:
        yield (
            f"  The SQLite file beside it has {info.sql_level} migrations, which no version leaves "
            "at this level: the two files come from different installations or moments."
        )
    if facts.has_torn_meta:
        yield f"Transaction: {facts.txid}, the only one that is left: the other meta is damaged"
    yield f"Contents: {contents_text(info.contents)}"
    forms = [f"{count} {form.value}" for form, count in sorted(info.contents.token_forms.items())]
    yield f"Tokens: {', '.join(forms) or 'none'}"
    yield ""
    if info.is_set_up:
        yield from _access_lines(info)
    else:
        yield f"{NEVER_SET_UP}. Next:"
        yield from (f"  {step}" for step in first_steps(named, facts.path))
    yield ""
    yield "What influxd downgrade would take away:"
    yield from (f"  {loss}" for loss in info.losses or ("nothing that is known here",))
    yield ""
    yield "Last in the ledger:"
    for one in info.operations:
        yield (
            f"  {one.number}  {moment_text(one.started_at)}  {displayed(one.operation)}: "
            f"{one.outcome}"
        )
    if not info.operations:
        yield f"  nothing about this store{displayed(info.copies)}"


def _access_lines(info: StoreInfo) -> Iterator[str]:
    """Say who can get in, and how."""
    yield "Users who get in with their password:"
    able = [user for user in info.users if not user.obstacles]
    yield from (f"  {displayed(user.name)} ({user.id})" for user in able)
    if not able:
        yield "  none"
    for user in info.users:
        if user.obstacles:
            because = "; ".join(one.told for one in user.obstacles)
            yield f"  not {displayed(user.name)} ({user.id}): {because}"
    yield "Operator tokens:"
    for token in info.contents.operators:
        yield f"  {_operator_text(token)}"
    if not info.contents.operators:
        yield "  none"
    yield SESSIONS


def _operator_text(token: OperatorToken) -> str:
    user = "missing user" if token.user is None else f"user {displayed(token.user)}"
    lacks = f", lacks {', '.join(token.lacks)}" if token.lacks else ""
    useless = f", of no use: {token.because[0]}" if token.because else ""
    name = f' "{displayed(token.description)}"' if token.description else ""
    return f"{token.id}{name}, {user}, {token.state.value}{lacks}{useless}"
