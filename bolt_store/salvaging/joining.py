"""Putting together what a lost root page led to.

Lives here: `joined`. Must not live here: the search for what looks like a root (`find`), and the
choice between states (`choose`).

Where the root is a branch that is lost, and no freelist tells what belongs to it, each page below
it looks like a root. One alone is a part. The others whose keys lie outside of its own, that use
none of its pages and are as high, were beside it; where two of them exclude each other, the larger
one is taken. Nothing tells that all parts are of one state, so the result is a guess.
"""

from collections.abc import Sequence
from typing import Final

from bolt_store.salvaging.freelist import shared_count
from bolt_store.salvaging.repair import Orphan, describe
from bolt_store.salvaging.scan import Scan
from bolt_store.salvaging.survey import Attachment, Survey

LOST_ROOT: Final = 0
"""Stands for the root page that nothing names. Page 0 is a meta, so it is never read as one."""


def joined(survey: Survey, others: Sequence[Survey]) -> Survey | None:
    """Put what may have been beside a part of a lost tree in its place.

    Args:
        others: What looks like a root as well and is no part of another tree.

    Returns:
        All of them as one tree; None where the part stands alone.
    """
    scan = survey.scan
    own = describe(scan, survey.root_pgid)
    if own is None:
        return None
    taken = [(own, survey)]
    for other in sorted(others, key=lambda one: one.total, reverse=True):
        part = describe(scan, other.root_pgid)
        if (
            part is not None
            and part.height == own.height
            and _is_plausible(scan, part)
            and all(_is_beside(part, other, *one) for one in taken)
        ):
            taken.append((part, other))
    if len(taken) == 1:
        return None
    parts = sorted((part for part, _ in taken), key=lambda part: part.first_key)
    below = tuple(Attachment(part.pgid, part.first_key, is_itself=False) for part in parts)
    whole = Survey(scan, LOST_ROOT, {**survey.attached, (): below}, survey.wrong_pgids)
    # What was put back below the one may have been taken by another one.
    return whole if whole.total >= survey.total else None


def _is_beside(part: Orphan, survey: Survey, other: Orphan, other_survey: Survey) -> bool:
    is_apart = part.last_key < other.first_key or other.last_key < part.first_key
    return is_apart and not shared_count(survey.reach, other_survey.reach)


def _is_plausible(scan: Scan, part: Orphan) -> bool:
    """Tell whether the names can be those of top-level buckets, not of nested ones."""
    return any(scan.is_plausible((), name, b"") for name in (part.first_key, part.last_key))
