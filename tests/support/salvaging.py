"""Salvage for tests: into a folder, with what comes out required to be sound."""

from pathlib import Path
from typing import Final

import bolt_store
from bolt_store import SalvageReport, salvage
from tests.support.history import NAMES, Damage, History, flat, tree_of
from tests.support.memory_file import MemoryFile
from tests.support.model import Model, dump_file, problems

NO_KNOWLEDGE: Final = bolt_store.Knowledge()


class Salvager:
    """Salvages files into a folder, each time into the same name."""

    def __init__(self, folder: Path) -> None:
        self.target = folder / "salvaged.bolt"

    def __call__(
        self,
        source: MemoryFile | Damage,
        *,
        root_pgid: int | None = None,
        use_older: bool = False,
        knowledge: bolt_store.Knowledge = NO_KNOWLEDGE,
    ) -> tuple[SalvageReport, Model]:
        """Salvage, require that the new file is sound, and return its content."""
        file = source.file if isinstance(source, Damage) else source
        before = file.content()
        self.target.unlink(missing_ok=True)
        report = salvage(
            file, self.target, root_pgid=root_pgid, use_older=use_older, knowledge=knowledge
        )
        assert file.content() == before
        assert report.is_written == self.target.exists()
        roots = [facts.root_pgid for facts in report.snapshots if facts.root_pgid]
        assert len(roots) == len(set(roots))
        if not report.is_written:
            return report, {}
        with bolt_store.open(self.target) as db:
            assert problems(db) == []
            model = dump_file(db)
            assert report.key_count == key_count(model)
        return report, model


def key_count(model: Model) -> int:
    """Count the plain keys of all buckets; they may nest by the thousand."""
    count = 0
    pending = [model]
    while pending:
        for value in pending.pop().values():
            if isinstance(value, dict):
                pending.append(value)
            else:
                count += 1
    return count


def classify(key: bytes, _: bytes) -> tuple[bytes, ...] | None:
    """Tell the bucket by the name that the keys of `history` begin with."""
    name = key[: len(NAMES[0])]
    return (name,) if name in NAMES else None


def shared_leaf(past: History) -> int:
    """Return a leaf below a branch that both snapshots have, so that no snapshot is whole."""
    tree = tree_of(past.newest)
    return next(pgid for pgid in tree.leaves if pgid in tree.shared)


def shared_branch(past: History) -> int:
    tree = tree_of(past.newest)
    return next(pgid for pgid in tree.branches if pgid in tree.shared)


KNOWLEDGE: Final = bolt_store.Knowledge(classify=classify)


def true_count(model: Model, past: History) -> int:
    """Count the keys that the newest state really had."""
    return len(flat(model).keys() & flat(past.states[-1]).keys())
