"""All stores that a machine has or may have.

Lives here: `survey`, which puts the sources of candidates together. Must not live here: the choice
among them (`recovery.discovery.search`), and how a source is read.

Invariants: nothing is created or changed. What may not be looked at is reported.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from recovery.discovery.candidate import AS_NAMED, Candidate, Files, State, beside, look_at
from recovery.discovery.containers import read_containers
from recovery.discovery.host import Host
from recovery.discovery.places import Blind, Place, fixed_places, further_places, matching_places
from recovery.discovery.processes import read_running
from recovery.discovery.servers import (
    Server,
    server_here,
    server_of_container,
    server_running,
    servers_of_system,
)
from recovery.errors import ConfigurationError
from recovery.model.display import displayed
from recovery.system_advice import made_again

_UNIONS: Final = frozenset({"user", "user0"})
"""What Unraid calls the union of its disks, below /mnt."""


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """All stores that this machine may have.

    Attributes:
        candidates: Files, and configured places without a file; the strongest first.
        notes: What could not be looked at, as sentences.
        errors: Configurations at which a server would stop.
    """

    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...]
    errors: tuple[ConfigurationError, ...]


def survey(
    host: Host,
    *,
    bolt_path: str | None = None,
    named_by: str = AS_NAMED,
    is_everywhere: bool = False,
) -> Survey:
    """List every store that this machine may have, and what its servers would open.

    Args:
        is_everywhere: Whether to look where copies are kept, too, although a store was found; they
            never make the choice of a server's own store ambiguous.

    Returns:
        Candidates. Known places without a file are left out, but where the data of a lost store
        are still beside one.
    """
    merged: dict[tuple[object, ...], Candidate] = {}
    notes: list[str] = []
    errors: list[ConfigurationError] = []
    blind: dict[str, list[str]] = {}

    def further() -> Iterator[Candidate | Server | Blind]:
        if is_everywhere or not any(one.has_data or one.is_configured for one in merged.values()):
            yield from _customary(further_places(host))

    for item in itertools.chain(_finds(host, bolt_path, named_by), further()):
        if isinstance(item, Blind):
            blind.setdefault(item.problem, []).append(displayed(str(item.path)))
        elif isinstance(item, Server):
            notes += item.notes
            errors += [] if item.error is None else [item.error]
        elif item.state is State.UNSEEN and not item.is_configured:
            blind.setdefault(item.problem, []).append(displayed(str(item.named_path)))
        elif (
            item.state is not State.MISSING
            or item.is_configured
            or made_again(item.named_path, item.files.engine_path)
        ):
            same = (key for key, one in merged.items() if _is_shown_twice(host, one, item))
            key = next(same, item.identity)
            known = merged.get(key)
            merged[key] = item if known is None else known.merged(item)
    for problem, paths in blind.items():
        notes.append(f"{', '.join(dict.fromkeys(paths))} {problem}")
    return Survey(candidates=tuple(merged.values()), notes=tuple(notes), errors=tuple(errors))


def _is_shown_twice(host: Host, one: Candidate, other: Candidate) -> bool:
    """Tell whether two files are one of Unraid, on its disk and in the union of all disks.

    The union is a file system of its own, so that neither device nor inode tells.
    """
    first, second = (_below_mnt(host, each) for each in (one, other))
    return (
        first is not None
        and second is not None
        and one.identity != other.identity
        and (first[0] in _UNIONS) != (second[0] in _UNIONS)
        and first[1:] == second[1:]
        and one.has_data
        and (one.size_bytes, one.modified_at) == (other.size_bytes, other.modified_at)
    )


def _below_mnt(host: Host, candidate: Candidate) -> tuple[str, ...] | None:
    root = host.inside("/mnt")
    return candidate.path.relative_to(root).parts if candidate.path.is_relative_to(root) else None


def _finds(
    host: Host, bolt_path: str | None, named_by: str
) -> Iterator[Candidate | Server | Blind]:
    """List what every source says, the strongest source first."""
    if bolt_path is not None:
        path = host.working_folder / bolt_path
        yield look_at(path, named_by, is_configured=True, files=beside(path))
    for server in (server_here(host), *servers_of_system(host)):
        yield from _opened_by(server)
    yield from _customary(fixed_places(host))
    for container in read_containers(host):
        if isinstance(container, Blind):
            yield container
        else:
            yield from _opened_by(server_of_container(host, container))
    for running in read_running(host):
        yield from _opened_by(server_running(running))
    yield from _customary(matching_places(host))


def _opened_by(server: Server) -> Iterator[Candidate | Server]:
    yield server
    if server.store_path is not None:
        yield candidate_of(server)


def candidate_of(server: Server) -> Candidate:
    """Look at the store of a server that has one; raise `ValueError` where it has none."""
    if server.store_path is None:
        raise ValueError("a server without a store is no candidate")
    return look_at(
        server.store_path,
        server.reason,
        opened_by=(server.name,) if server.name else (),
        is_configured=server.is_configured,
        files=server.files,
    )


def _customary(places: Iterable[Place | Blind]) -> Iterator[Candidate | Blind]:
    """Look at places known by custom."""
    for place in places:
        if isinstance(place, Blind):
            yield place
        else:
            files = Files(engine_path=place.engine_path).over(beside(place.path))
            yield look_at(place.path, place.reason, files=files)
