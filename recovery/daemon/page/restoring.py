"""Preparing a backup of `influx backup`, so that it can be restored in full.

Lives here: the form and what comes of it. Must not live here: what is missing in such a backup and
how it is added (`recovery.services.stores.prepare_restore`).
"""

from pathlib import Path
from typing import Final

from recovery.daemon.answer import Answer
from recovery.daemon.page.form import FieldError
from recovery.daemon.page.visit import Visit
from recovery.errors import FileError
from recovery.model.display import displayed
from recovery.services.stores.prepare_restore import PreparedRestore, prepare_restore

SUFFIX: Final = ".prepared"
WHOLE_PATH: Final = "write the whole path of the folder, from / on"


def ask(visit: Visit) -> Answer:
    """Show the form."""
    visit.require_operator()
    return _shown(visit, None, is_made=False)


def prepare(visit: Visit) -> Answer:
    """Look at a backup, or prepare a copy of it, by the button that was pressed."""
    visit.require_operator()
    is_made = visit.form.get("act") == "prepare"
    folder = Path(visit.form.line("folder").strip())
    if not folder.is_absolute():
        raise FieldError("folder", WHOLE_PATH)
    desk = visit.page.desk
    try:
        report = prepare_restore(
            folder,
            folder.with_name(folder.name + SUFFIX),
            recorder=desk.recorder,
            reason=visit.call.caller.name,
            clock=desk.clock,
            rng=desk.rng,
            is_dry_run=not is_made,
        )
    except FileError as error:
        raise FieldError("folder", f"{displayed(error.path)} {error.problem}") from error
    if is_made:
        visit.session.spend(visit.form.get("once"), "/backups/restore")
    return _shown(visit, report, is_made=is_made and report.is_needed)


def _shown(visit: Visit, report: PreparedRestore | None, *, is_made: bool) -> Answer:
    return visit.screen("restore.html", report=report, is_made=is_made)
