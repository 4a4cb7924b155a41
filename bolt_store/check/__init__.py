"""The check of a bolt file: everything that can be known without its application.

Lives here: `Check`, the walk over a snapshot; the look at the metas; `pages_of_older`, what a
commit must not write on. Must not live here: writing, and the raising of errors about damage:
whatever is wrong is a finding, and the walk goes on. Only what cannot be read is an `OSError`.

The check is stricter than bbolt's own: it also wants separators equal to the first key of their
child, two children to a branch, no empty leaf below a branch, one depth for all leaves, a freelist
within the file, and sound metas. Each of these is accepted by bbolt's check, and is followed by a
panic or a destroyed file at the next write.

Source: bbolt v1.3.6 tx.go (check), v1.3.7 tx_check.go; spec sections 1.11, 3.1 and 3.2.
"""

from collections.abc import Iterator

from bolt_store.check.finding import Finding, Severity
from bolt_store.check.metas import check_metas
from bolt_store.check.older import pages_of_older
from bolt_store.check.walk import Check, Progress
from bolt_store.file.pager import Pager

__all__ = [
    "Check",
    "Finding",
    "Progress",
    "Severity",
    "check",
    "check_metas",
    "pages_of_older",
]


def check(pager: Pager, progress: Progress | None = None) -> Iterator[Finding]:
    """Check the newest state of a file.

    Args:
        progress: Called every thousand pages or so with the pages done and the pages in all.
    """
    return Check(pager, pager.snapshot(pager.meta), progress).run()
