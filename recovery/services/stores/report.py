"""A report on a store, as one page that can be sent along with a question.

Lives here: `Report`, what it has to say, and `write_report`, which makes the file. Must not live
here: how pictures are drawn (`recovery.drawing`) and what is found out (the services it asks).

Invariants: the page loads nothing from anywhere and runs nothing. No token, hash or password is in
it: it has what listings show. Every text is escaped by the template, and what nobody could see is
made visible. Of a damaged store it has what could be read, and says what could not.
"""

import os
from collections.abc import Callable
from datetime import datetime
from importlib.resources import files as package_files
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from recovery.discovery.candidate import Files
from recovery.drawing import style
from recovery.drawing.svg import shortened
from recovery.errors import RecoveryError
from recovery.model.display import displayed, size_text
from recovery.new_file import StagedFile, failed, written
from recovery.ports import Clock, Rng
from recovery.services.doctor.check import Examination, examine
from recovery.services.ledger import Entries
from recovery.services.reach import Reach, reach_of
from recovery.services.reach_picture import draw_reach_of
from recovery.services.session import Session
from recovery.services.store_facts import StoreFacts
from recovery.services.stores.info import StoreInfo, describe_store
from recovery.services.stores.page_map import MEANINGS, PageMap

TEMPLATE: Final = "report.html"
ROWS_MAX: Final = 200
"""Rows of one table; what is beyond is counted."""
_T = TypeVar("_T")


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page says; a part that could not be read is None, and is in `problems`.

    Attributes:
        examination: What is wrong, and what influxd would do.
        info: Users, tokens, contents, and what was done last.
        problems: Why a part is missing, as sentences.
    """

    facts: StoreFacts
    made_at: datetime
    tool_version: str
    host: str
    examination: Examination
    info: StoreInfo | None
    reach: Reach | None
    pages: PageMap | None
    problems: tuple[str, ...]


def report_on(
    session: Session, *, files: Files, ledger: Entries, tool_version: str, clock: Clock, rng: Rng
) -> Report:
    """Look at everything that the report tells.

    Args:
        session: The store, opened whatever its schema is.

    Raises:
        StoreDamagedError: Nothing of the store can be read.
    """
    lacks: dict[str, list[str]] = {}
    examination = examine(session, files=files, clock=clock, rng=rng, reads_series=True)
    return Report(
        facts=session.facts(),
        made_at=clock.now(),
        tool_version=tool_version,
        host=os.uname().nodename,
        examination=examination,
        info=_part(
            "what is in it and what was done",
            lambda: describe_store(session, sqlite_path=files.sqlite_path, ledger=ledger),
            lacks,
        ),
        reach=_part("who can reach what", lambda: _reach(session), lacks),
        pages=_part("its pages", lambda: PageMap.of(session), lacks),
        problems=tuple(f"{', '.join(parts)}: {why}" for why, parts in lacks.items()),
    )


def _reach(session: Session) -> Reach:
    with session.view() as view:
        return reach_of(view)


def _part(name: str, find_out: Callable[[], _T], lacks: dict[str, list[str]]) -> _T | None:
    try:
        return find_out()
    except RecoveryError as error:
        lacks.setdefault(str(error), []).append(name)
        return None


def write_report(report: Report, target: Path) -> None:
    """Write the page into a new file of mode 0600; a `WriteFailedError` leaves nothing."""
    content = page_of(report).encode(errors="backslashreplace")
    with StagedFile(target) as new:
        try:
            with written(new.path) as file:
                file.write(content)
        except OSError as error:
            raise failed(target, error) from error
        new.publish()
        new.keep()


def page_of(report: Report) -> str:
    """Write the page, HTML with its style in it."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 # 60 ms, for one command

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        shown=lambda text: displayed(str(text)),
        size=size_text,
        cut=lambda text: shortened(str(text), 90),
    )
    source = package_files(__package__ or "").joinpath(TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(source).render(
        report=report,
        drawing_style=style(),
        reach_picture=None if report.reach is None else draw_reach_of(report.reach),
        meanings=MEANINGS,
        rows_max=ROWS_MAX,
    )
