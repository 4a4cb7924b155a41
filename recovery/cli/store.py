"""Which store a command works on, and how that is said.

Lives here: the step from options and environment to a store, and the lines that name it. Must not
live here: the search (`recovery.discovery`).

Invariants: a result never stands without the store that it comes from and the reason why it was
that one.
"""

import os
from pathlib import Path
from typing import Final

from recovery.cli.context import Context
from recovery.cli.documents import Store, StorePath, shaped
from recovery.cli.options import Options, Reading
from recovery.cli.output import Output
from recovery.discovery.host import Host
from recovery.discovery.search import FoundStore, discover, with_files
from recovery.model.display import displayed
from recovery.services.session import Session
from recovery.services.store_facts import StoreFacts

_LISTED: Final = frozenset(
    {"usersv1", "organizationsv1", "authorizationsv1", "bucketsv1", "userresourcemappingsv1"}
)
_MISSING_SHOWN_MAX: Final = 4
NAMED_BY: Final = "from --bolt-path"
_NAMING: Final = ("INFLUXD_BOLT_PATH", "INFLUXD_CONFIG_PATH")


def find_store(options: Options, context: Context) -> FoundStore:
    """Decide which store to work on, and warn of what was odd about the search; open nothing."""
    for name in _NAMING if options.bolt_path is None else ():
        if context.environ.get(name) == "":
            context.output.message(f"note: {name} is empty, which counts as not set")
    found = discover(Host.here(context.environ), bolt_path=options.bolt_path, named_by=NAMED_BY)
    for note in found.notes:
        context.output.message(f"note: {note}")
    return found


def find_with_files(options: Options, context: Context) -> FoundStore:
    """As `find_store`, with what a configuration says of the files beside it; a backup has none."""
    found = find_store(options, context)
    return found if found.is_backup else with_files(found, Host.here(context.environ))


def read_session(
    found: FoundStore, options: Reading, output: Output, *, needs_schema: bool = True
) -> Session:
    """Open the store that was found for reading, or a snapshot of it, as `Session.open` does."""
    with output.waiting("opening the store"):
        session = Session.open(found.path, needs_schema=needs_schema, is_live=options.live)
    facts = session.facts()
    if facts.is_live:
        output.message(
            f"note: this is a snapshot of {displayed(str(found.named_path))} at transaction "
            f"{facts.txid}, made without its lock; what a server writes from now on is not in it"
        )
    if facts.has_torn_meta and needs_schema:
        from recovery.cli.hints import command_line, named_with  # noqa: PLC0415 # seldom so

        salvage = command_line("store salvage", named_with(options.bolt_path, None))
        output.message(
            "note: one of the two metas of this file is damaged: if it was the newer one, what was "
            f"done last is missing; what is left of it is shown by {salvage}"
        )
    if facts.missing_buckets and needs_schema:
        output.message(_incomplete(facts, options))
    return session


def _incomplete(facts: StoreFacts, options: Reading) -> str:
    """Say what cannot be listed because the place for it is not there."""
    from recovery.cli.hints import command_line, named_with  # noqa: PLC0415 # seldom so

    names = sorted(facts.missing_buckets, key=lambda name: (name not in _LISTED, name))
    shown = ", ".join(names[:_MISSING_SHOWN_MAX])
    rest = len(names) - _MISSING_SHOWN_MAX
    check = command_line("store check", named_with(options.bolt_path, options.ledger))
    return (
        f"warning: not everything could be read: the bolt {'buckets' if names[1:] else 'bucket'} "
        f"{shown}{f' and {rest} more' if rest > 0 else ''} that every such store has "
        f"{'are' if names[1:] else 'is'} missing, so what was there is not listed; see {check}"
    )


def described(found: FoundStore, facts: StoreFacts) -> str:
    """Name the open store, say why it is this one, and what it is, in one line."""
    return (
        f"Store: {displayed(str(found.named_path))} ({found.reason}); "
        f"schema level {facts.level}, {facts.server_versions}"
    )


def show_header(found: FoundStore, facts: StoreFacts, output: Output) -> None:
    """Write the lines above a table."""
    output.prose(described(found, facts))
    output.line()


def show_aside(found: FoundStore, facts: StoreFacts, output: Output) -> None:
    """Write the lines above a table, where a script does not take them for rows."""
    output.aside(described(found, facts))
    output.aside()


def store_of(found: FoundStore, facts: StoreFacts) -> Store:
    """Describe an open store for a program, as a part of every document about it."""
    return shaped(facts, Store, path=absolute(found.named_path), reason=found.reason)


def store_path_of(found: FoundStore) -> StorePath:
    """Describe a store that was not opened as one, for a document about it."""
    return StorePath(
        path=absolute(found.named_path), real_path=found.path.resolve(), reason=found.reason
    )


def absolute(path: Path) -> Path:
    """Say where a path leads from anywhere; links stay."""
    return Path(os.path.abspath(path))  # noqa: PTH100 # resolve() would follow links
