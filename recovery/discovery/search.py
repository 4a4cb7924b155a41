"""The search: which store, and why.

Lives here: `discover`, which decides. Must not live here: the list of candidates
(`recovery.discovery.survey`), and how a place or a configuration is read.

Invariants: nothing is created or changed. What a person or the environment names is taken or
refused, never replaced by a find. Without a name there must be exactly one store with data; a store
that a configuration names and that is not there is no reason to take another one in its place. What
may not be looked at is reported.

Facts: influxdb v2.9.1, as named in `recovery.discovery.servers` and `recovery.discovery.places`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from recovery.discovery.backup_folder import FolderBackup, newest_backup
from recovery.discovery.candidate import (
    AS_NAMED,
    STORE_NAME,
    Candidate,
    Files,
    State,
    beside,
    look_at,
)
from recovery.discovery.host import Host
from recovery.errors import AmbiguousError, RecoveryError, StoreAccessError, StoreNotFoundError
from recovery.model.display import displayed, quoted
from recovery.remedy import Give, Input, Remedy, Run, ways
from recovery.system_advice import SEE_COPIES, made_again

if TYPE_CHECKING:
    from recovery.discovery.survey import Survey

_NAME_IT: Final = Give(Input.STORE, "name the store")
_AS_ROOT: Final = "run it as root or as the user of influxd"
SEARCH_ALL: Final = "search for it: find / -path /proc -prune -o -name '*.bolt' -size +16k -print"
_SEE_PLACES: Final = Run("store find", "to see which places were looked at")
_SEE_ALL: Final = Run("store find", "to see which one a server would open")


class FoundStore(msgspec.Struct, frozen=True, kw_only=True):
    """The store that a command works on.

    Attributes:
        path: The file itself, all links followed.
        reason: Why this one, as a short phrase that every output shows.
        notes: What a person should know about the search, as sentences.
        is_backup: Whether it is what `influx backup` wrote, found in the folder that was named.
    """

    path: Path
    named_path: Path
    reason: str
    files: Files
    notes: tuple[str, ...] = ()
    is_backup: bool = False


def discover(host: Host, *, bolt_path: str | None, named_by: str = AS_NAMED) -> FoundStore:
    """Decide which store a command works on.

    Args:
        named_by: How it was named, as a phrase.

    Returns:
        A file that can be read and is not empty. Whether it is a store is not looked at.

    Raises:
        StoreNotFoundError: There is none, or what is named is no file with content.
        StoreAccessError: It may not be read or looked at.
        AmbiguousError: Several hold data, and none was named.
        ConfigurationError: A configuration that names the store cannot be understood.
    """
    if bolt_path is not None:
        named = host.working_folder / bolt_path
        backup = newest_backup(named)
        if backup is not None:
            return _accepted_backup(backup, named_by)
        return _accepted(look_at(named, named_by, files=beside(named)), notes=())
    from recovery.discovery.servers import server_here  # noqa: PLC0415 # not with --bolt-path
    from recovery.discovery.survey import candidate_of, survey  # noqa: PLC0415 # as above

    here = server_here(host)
    if here.is_configured:
        errors = () if here.error is None else (f"{here.error.path} {here.error.problem}",)
        return _accepted(candidate_of(here), notes=(*here.notes, *errors))
    found = survey(host)
    if found.errors:
        raise found.errors[0]
    return _accepted(_only(found), notes=found.notes)


def with_files(found: FoundStore, host: Host) -> FoundStore:
    """Add what the configuration of a server says about the other files of a store.

    Only a server that would open this very file counts: with `--bolt-path` the store may be a copy,
    and the engine of the running installation has nothing to do with it. What the environment of
    this command names beside another store was put there by a person, and is taken.
    """
    from recovery.discovery.configuration import (  # noqa: PLC0415 # few commands need other files
        settings_of_variables,
    )
    from recovery.discovery.servers import (  # noqa: PLC0415 # as above
        server_here,
        servers_of_system,
    )
    from recovery.discovery.survey import candidate_of  # noqa: PLC0415 # as above

    named = look_at(found.named_path, found.reason)
    for server in (server_here(host), *servers_of_system(host)):
        if server.store_path is not None:
            opened = candidate_of(server)
            if opened.identity == named.identity:
                return replace(found, files=opened.files.over(found.files))
    said = settings_of_variables(host.environment)
    here = Files(
        sqlite_path=host.working_folder / said.sqlite_path if said.sqlite_path else None,
        engine_path=host.working_folder / said.engine_path if said.engine_path else None,
        use_hashed_tokens=said.use_hashed_tokens,
    )
    return replace(found, files=here.over(found.files))


def _only(found: "Survey") -> Candidate:
    """Pick the one store with data; raise where there is none, several, or one that is hidden."""
    full = [candidate for candidate in found.candidates if candidate.has_data]
    if len(full) > 1:
        raise AmbiguousError(
            kind="store",
            candidates=[candidate.description for candidate in full],
            hint=(
                Give(Input.STORE, "name one of them"),
                _SEE_ALL,
            ),
        )
    absent = [c for c in found.candidates if c.is_configured and not c.has_data]
    if absent and full:
        raise _refusal(absent[0], other=full[0])
    chosen = (*full, *absent, *found.candidates)
    if not chosen:
        blind = f"; {'; '.join(found.notes)}" if found.notes else ""
        raise StoreNotFoundError(
            path=STORE_NAME,
            problem=f"is neither configured nor at any of the known places{blind}",
            hint=(_NAME_IT, *([_AS_ROOT] if blind else []), _SEE_PLACES, SEARCH_ALL),
        )
    return chosen[0]


def _accepted(candidate: Candidate, *, notes: tuple[str, ...]) -> FoundStore:
    """Take a candidate if it can be used; raise `StoreNotFoundError` or `StoreAccessError`."""
    if candidate.state is not State.HOLDS_DATA:
        raise _refusal(candidate, other=None)
    return FoundStore(
        path=candidate.path,
        named_path=candidate.named_path,
        reason=candidate.reasons[0],
        files=candidate.files,
        notes=notes,
    )


def _accepted_backup(backup: FolderBackup, named_by: str) -> FoundStore:
    """Take the newest backup in a folder; raise `StoreNotFoundError` or `StoreAccessError`."""
    which = "the backup" if backup.count == 1 else f"the newest of {backup.count} backups"
    reason = f"{which} in the folder {named_by}"
    found = _accepted(look_at(backup.path, reason), notes=())
    return replace(found, is_backup=True)


def _refusal(candidate: Candidate, *, other: Candidate | None) -> RecoveryError:
    """Say why a candidate is of no use."""
    path = displayed(str(candidate.named_path))
    problem = f"{candidate.problem} ({candidate.reasons[0]})"
    if other is not None:
        problem += f", while there is data in {other.description}"
    if candidate.state in {State.UNREADABLE, State.UNSEEN}:
        return StoreAccessError(path=path, problem=problem, hint=_AS_ROOT)
    hint: Remedy
    if other is not None:
        hint = ("mount or restore it", Give(Input.STORE, "choose the other one", str(other.path)))
    elif candidate.state is State.EMPTY:
        again = made_again(candidate.named_path, candidate.files.engine_path)
        others = again or ways(_hint_about(candidate))
        hint = (
            replace(
                SEE_COPIES,
                purpose="to see which copies of it are there, because influxd would make a new "
                "store of the empty file",
            ),
            *(way for way in others if way is not SEE_COPIES),
        )
    else:
        hint = _hint_about(candidate)
    return StoreNotFoundError(path=path, problem=problem, hint=hint)


def _hint_about(candidate: Candidate) -> Remedy:
    """Look for what could have been meant: a store in the folder, or one of a name like it."""
    from recovery.discovery.neighbours import is_slip, stores_near  # noqa: PLC0415 # only for a refusal

    is_folder = candidate.state is State.NOT_A_FILE
    paths = stores_near(candidate.named_path, is_folder=is_folder)
    check = "check the path, and that the disk is mounted"
    again = () if is_folder else made_again(candidate.named_path, candidate.files.engine_path)
    if not paths:
        return (check, SEE_COPIES, *again, _SEE_ALL) if again else (check, _SEE_ALL)
    name = f"{candidate.named_path.name}."
    if not is_folder and all(near.name.startswith(name) for near in paths):
        return (check, SEE_COPIES, *again, _SEE_ALL)
    is_beside = paths[0].parent == candidate.named_path.parent
    near = [path for path in paths if not str(path).startswith(f"{paths[0]}.")]  # its copies
    alike = [path for path in near if is_beside and is_slip(path.name, candidate.named_path.name)]
    first, *others = map(str, alike if len(alike) == 1 else near)
    if not others and (is_folder or is_beside):
        return Give(Input.STORE, "name the store that is there", first)
    # None is given as an example: it would be typed, and may be that of another server.
    named = " or ".join(map(quoted, (first, *others)))
    return (check, Give(Input.STORE, f"if it is the one that you mean, name {named}"), _SEE_ALL)
