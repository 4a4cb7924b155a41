"""The command that describes one store.

Lives here: `store info`, and the words for what is in a store. Must not live here: what is said of
it (`recovery.services.stores.info`).
"""

from collections.abc import Iterator
from typing import Final

from recovery.cli.commands.ledger import moment_text, operation_document
from recovery.cli.context import Context
from recovery.cli.listing import plural, report_problems
from recovery.cli.options import Command, Options
from recovery.cli.recording import open_ledger
from recovery.cli.store import find_store, open_session, store_document
from recovery.discovery.host import Host
from recovery.discovery.search import FoundStore, with_files
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.services.stores.info import (
    SESSIONS,
    Contents,
    OperatorToken,
    StoreInfo,
    describe_store,
)


def _info(options: Options, context: Context) -> ExitCode:
    found = find_store(options, context)
    if not found.is_backup:
        found = with_files(found, Host.here(context.environ))
    with open_session(found) as session:
        info = describe_store(
            session,
            sqlite_path=found.files.sqlite_path,
            ledger=open_ledger(options, context),
        )
    output = context.output
    if options.json:
        output.document(_document(info, found))
    else:
        for line in _lines(info, found):
            output.prose(line)
    return report_problems(info.contents.problems, context)


INFO: Final = Command(
    description="Describe one store: its schema level and the versions that leave it so, how "
    "tokens are stored, which users can sign in and which operator tokens there are, what influxd "
    "downgrade would take away, and what the ledger says was done last. It does not look for "
    "faults: store check does.",
    options=Options,
    run=_info,
)


def contents_text(contents: Contents) -> str:
    """Say in one phrase how much is in a store.

    Args:
        contents: How much it is.

    Returns:
        The phrase.
    """
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


def contents_document(contents: Contents) -> dict[str, object]:
    """Say the same for a program.

    Args:
        contents: How much it is.

    Returns:
        An object of a JSON document.
    """
    return {
        "organization_count": contents.organization_count,
        "user_count": contents.user_count,
        "bucket_count": contents.bucket_count,
        "authorization_count": contents.authorization_count,
        "token_forms": {form.value: count for form, count in contents.token_forms.items()},
        "operators": [_operator_document(one) for one in contents.operators],
        "problem_count": len(contents.problems),
    }


def _lines(info: StoreInfo, found: FoundStore) -> Iterator[str]:
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
    yield f"Contents: {contents_text(info.contents)}"
    forms = [f"{count} {form.value}" for form, count in sorted(info.contents.token_forms.items())]
    yield f"Tokens: {', '.join(forms) or 'none'}"
    yield ""
    yield from _access_lines(info)
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
        yield "  nothing was done to it with this tool"


def _access_lines(info: StoreInfo) -> Iterator[str]:
    """Say who can get in, and how."""
    yield "Users who can sign in with their password:"
    able = [user for user in info.users if not user.obstacles]
    yield from (f"  {displayed(user.name)} ({user.id})" for user in able)
    if not able:
        yield "  none"
    for user in info.users:
        if user.obstacles:
            yield f"  not {displayed(user.name)} ({user.id}): {'; '.join(user.obstacles)}"
    yield "Operator tokens:"
    for token in info.contents.operators:
        yield f"  {_operator_text(token)}"
    if not info.contents.operators:
        yield "  none"
    yield SESSIONS


def _operator_text(token: OperatorToken) -> str:
    user = "missing user" if token.user is None else f"user {displayed(token.user)}"
    lacks = f", lacks {', '.join(token.lacks)}" if token.lacks else ""
    useless = f", of no use: {token.unusable_because}" if token.unusable_because else ""
    name = f' "{displayed(token.description)}"' if token.description else ""
    return f"{token.id}{name}, {user}, {token.state.value}{lacks}{useless}"


def _operator_document(token: OperatorToken) -> dict[str, object]:
    return {
        "id": token.id,
        "description": token.description,
        "user": token.user,
        "operator": token.state.value,
        "lacks": list(token.lacks),
        "is_usable": token.unusable_because is None,
        "unusable_because": token.unusable_because,
    }


def _document(info: StoreInfo, found: FoundStore) -> dict[str, object]:
    return {
        **store_document(found, info.facts),
        "page_size_bytes": info.page_size_bytes,
        "sql_level": info.sql_level,
        "last_opened_by": info.server_versions,
        "is_mixed": info.is_mixed,
        "contents": contents_document(info.contents),
        "users": [
            {
                "id": user.id,
                "name": user.name,
                "can_sign_in": not user.obstacles,
                "cannot_because": list(user.obstacles),
            }
            for user in info.users
        ],
        "downgrade_losses": list(info.losses),
        "operations": [operation_document(one) for one in info.operations],
    }
