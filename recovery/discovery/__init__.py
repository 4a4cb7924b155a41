"""Which store a command works on, and why; and which stores a machine has.

Lives here: the door of the room, without `recovery.discovery.survey`, which is imported by name
because a command with `--bolt-path` does not need it. Must not live here: what is in a store.

Invariants: see `recovery.discovery.search`.
"""

from recovery.discovery.candidate import Candidate, Files, State
from recovery.discovery.host import Host
from recovery.discovery.search import FoundStore, discover, with_files

__all__ = ["Candidate", "Files", "FoundStore", "Host", "State", "discover", "with_files"]
