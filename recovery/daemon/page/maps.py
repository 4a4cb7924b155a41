"""The map of who can reach what, and the pages of the file.

Lives here: both screens. Must not live here: what is reached (`recovery.services.reach`), what a
page is for (`recovery.services.stores.page_map`), and how pictures are drawn
(`recovery.drawing`).

Source: spec admin-daemon 4.12.
"""

from typing import Final

from recovery.daemon.answer import Answer
from recovery.daemon.page.visit import Visit
from recovery.services.reach_picture import Links, draw_reach_of
from recovery.services.stores.page_map import MEANINGS

LINKS: Final = Links(user=lambda one: f"/users/{one}", token=lambda one: f"/tokens/{one}")


def reach(visit: Visit) -> Answer:
    """Show who can reach what, drawn and as a table."""
    visit.require_operator()
    user = visit.asked.line("user").strip() or None
    bucket = visit.asked.line("bucket").strip() or None
    found = visit.page.book.reach(visit.tx, user=user, bucket=bucket)
    return visit.screen(
        "map.html",
        reach=found,
        picture=draw_reach_of(found, LINKS),
        cut=visit.cut(found.ways),
        user=user or "",
        bucket=bucket or "",
    )


def pages(visit: Visit) -> Answer:
    """Show what each page of the file is for."""
    visit.require_operator()
    found = visit.page.book.pages()
    return visit.screen(
        "pages.html",
        found=found,
        picture=found.picture(),
        bar=found.bar(),
        shares=found.shares,
        meanings=MEANINGS,
        cut=visit.cut(found.buckets, name="buckets"),
    )
