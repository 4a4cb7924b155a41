"""Getting out of a damaged file what can be got, into a new one.

Lives here: one module a step. `scan` says of every page whether it can be one; `partial` finds what
is sound on a damaged page; `survey` walks a tree that may be damaged, and `content` reads what it
found; `claims` tells whose a page is that several buckets refer to; `freelist` tells whether a tree
and a freelist belong together; `knowledge` is what the caller can tell; `find` searches snapshots
that no meta names; `candidate` is one of the states, and `choose` decides between all of them;
`joining` puts parts of a lost root together; `repair` puts back what a lost branch led to;
`compare` walks two states side by side; `run` writes the new file; `stale` lists what is left
aside; `report` says it all. `beginning` finds files that begin elsewhere than at the first byte.

Must not live here: the engine. No meta, no tree and no freelist of the file is believed, so nothing
of `bolt_store.tree`, `bolt_store.db` or `bolt_store.check` is used, which believe the metas.

Invariants: the file is read through its block file and never mapped, for a map of a file that a
bad disk cuts short kills the process. Whatever bytes it holds, the work ends: each walk visits a
page once, and the number of walks is bounded. What cannot be known to be current is listed apart.
What reads a page raises `OSError` where that fails, and `PageError` where it has changed since the
scan.

Source: spec section 3.5.
"""

from bolt_store.salvaging.beginning import likely_beginnings, named_beginnings
from bolt_store.salvaging.knowledge import Classify, Knowledge, Plausible
from bolt_store.salvaging.report import (
    SalvageMethod,
    SalvageReport,
    SalvageSentence,
    StaleEntry,
)
from bolt_store.salvaging.run import salvage
from bolt_store.salvaging.stale import stale_entries

__all__ = [
    "Classify",
    "Knowledge",
    "Plausible",
    "SalvageMethod",
    "SalvageReport",
    "SalvageSentence",
    "StaleEntry",
    "likely_beginnings",
    "named_beginnings",
    "salvage",
    "stale_entries",
]
