"""The first screen, the sheet of keys, and the end.

Lives here: the verdict, who can get in and the one button that most people need; stopping. Must not
live here: the verdict itself (`recovery.services.doctor`), and who can get in
(`recovery.services.stores.info`).
"""

from http import HTTPStatus
from typing import NamedTuple

from recovery.daemon.answer import Answer
from recovery.daemon.page.render import count, own_path, redirect
from recovery.daemon.page.token_index import WaysIn
from recovery.daemon.page.tokens import readable
from recovery.daemon.page.visit import Visit
from recovery.daemon.page.words import Place
from recovery.services.doctor.check import Outlook
from recovery.services.stores.info import sign_ins

SIGN_INS_SHOWN = 6
OPERATORS_SHOWN = 6
REASONS_SHOWN = 3
STOPPED_BY = "it was stopped on the page"


class Verdict(NamedTuple):
    """What a start of influxd would come to.

    Attributes:
        tone: "good", "locked", "bad" or "unknown".
        sentence: It, in a few words.
        reasons: Why it does not start: records, and what is wrong with each; the first few.
        others: Which servers would fare differently, in a sentence each.
        is_mendable: Whether a repair takes one of the reasons away.
    """

    tone: str
    sentence: str
    reasons: tuple[tuple[Place, str], ...] = ()
    others: tuple[str, ...] = ()
    finding_count: int = 0
    is_mendable: bool = False


_TONES = {
    Outlook.STARTS: "good",
    Outlook.STARTS_LOCKED: "locked",
    Outlook.NOT_SET_UP: "locked",
    Outlook.DOES_NOT_START: "bad",
}
_ENDS = {
    Outlook.STARTS: "will start",
    Outlook.STARTS_LOCKED: "will start, but nobody can get in",
    Outlook.NOT_SET_UP: "will start, and nobody has set it up yet",
    Outlook.DOES_NOT_START: "will not start",
}


def verdict_of(visit: Visit, *, is_asked_for: bool) -> Verdict:
    """Say what a start of influxd would come to, as far as that is known."""
    found = visit.page.book.examination(is_asked_for=is_asked_for)
    if found is None:
        return Verdict("unknown", "This store has not been examined yet")
    likely = found.verdict.likely
    stopping = [one for one in found.findings if likely.server in one.stops]
    end = f": {count(len(stopping), 'reason')}" if stopping else ""
    return Verdict(
        _TONES[likely.outlook],
        f"InfluxDB {_ENDS[likely.outlook]}{end}",
        tuple(
            (visit.place_of(one.bucket, one.id), one.problem) for one in stopping[:REASONS_SHOWN]
        ),
        tuple(
            f"But {one.server.value} {_ENDS[one.outlook]}."
            for one in found.verdict.others
            if one.outlook is not likely.outlook
        ),
        len(found.findings),
        any(one.is_mendable for one in stopping),
    )


def show(visit: Visit) -> Answer:
    """Show what somebody wants to know who has just come in."""
    book = visit.page.book
    if visit.is_operator:
        ways = book.ways_in()
        signing = list(sign_ins(visit.tx, book.rights(visit.tx)))
    else:
        ways, signing = WaysIn.of(readable(visit, book.tokens().rows.values())), []
    able = [one for one in signing if not one.obstacles]
    return visit.screen(
        "home.html",
        verdict=verdict_of(visit, is_asked_for=False),
        is_bare=visit.is_operator and not signing and not ways.token_count,
        operators=ways.operators[:OPERATORS_SHOWN],
        operator_count=len(ways.operators),
        able=able[:SIGN_INS_SHOWN],
        able_count=len(able),
        unable=[one for one in signing if one.obstacles][:SIGN_INS_SHOWN],
        unable_count=len(signing) - len(able),
        token_count=ways.token_count,
    )


def keys(visit: Visit) -> Answer:
    """Show the keys that the script knows."""
    return visit.screen("keys.html", pages=visit.places)


def keep_open(visit: Visit) -> Answer:
    """Lead back: that somebody asked for anything has set the clock back already."""
    return redirect(own_path(visit.asked.get("next")))


def ask_stop(visit: Visit) -> Answer:
    """Ask whether to end."""
    visit.require_operator()
    return visit.screen("stop.html", backup=visit.page.desk.changes.backup_path)


def stop(visit: Visit) -> Answer:
    """End, and say what comes next on a page that needs nobody any more."""
    visit.require_operator()
    visit.page.lifetime.end(STOPPED_BY)
    changes = visit.page.desk.changes
    return visit.page.renderer.page(
        "stopped.html",
        {
            "change_count": changes.count,
            "backup": changes.backup_path,
            "store_path": str(visit.page.desk.session.facts().path),
        },
        status=HTTPStatus.OK,
    )
