"""Who holds the lock of a store, and how that one is stopped.

Lives here: reading the kernel's table of locks, describing the processes in it, and the command
that stops them. Must not live here: taking or breaking a lock, ending a process.

Invariants: nothing is written and nothing is opened but files of the process table. Of a command
line only the name of the program and a sub-command from a fixed list get out, because the rest may
hold secrets. The answer is help for a person: a holder that cannot be seen is no error.

Facts: proc(5), "/proc/locks" and "/proc/pid/fdinfo"; Linux fs/locks.c, lock_get_status and
locks_show (device in hexadecimal, inode in decimal, locks of invisible processes left out);
systemctl(1), systemd.special(7) (user@.service), machinectl(1), lxc.container.conf(5) (control
groups lxc.payload.NAME, before 4.0 lxc/NAME); influxdb v2.9.1 cmd/influxd/launcher/cmd.go
(`signals.WithStandardSignals`: os.Interrupt ends it cleanly, SIGTERM kills it as a crash does).
"""

import os
import pwd
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

PROC_ROOT: Final = Path("/proc")
UNSEEN_SENTENCE: Final = "a process in another container or namespace holds the lock"
HIDDEN_SENTENCE: Final = (
    "a process that this user may not look into, or one in another container or namespace, "
    "holds the lock"
)

_CONTAINER_ID_SHOWN_LENGTH: Final = 12  # what `docker ps` shows
_COMMAND_LENGTH_MAX: Final = 64
_NAMED_ARGUMENT_COUNT: Final = 3  # the sub-command is the first word, or follows an interpreter
_OURS: Final = "influx-recovery"
_SUBCOMMANDS: Final = {
    "influxd": frozenset({"run", "recovery", "upgrade", "downgrade", "inspect", "print-config"}),
    _OURS: frozenset(
        {"auth", "user", "org", "store", "demo", "export", "ledger", "serve", "setup"}
    ),
    "bbolt": frozenset({"check", "compact", "surgery", "dump", "page", "pages", "stats", "bench"}),
}
_INTERPRETER: Final = re.compile(r"python[0-9.]*\Z")
_UNPRINTABLE: Final = re.compile(r"[^\x21-\x7e]")
_LOCK_LINE: Final = re.compile(
    r"\d+:\s+(?P<blocked>->\s+)?FLOCK\s+\S+\s+(?P<mode>READ|WRITE)\s+(?P<pid>-?\d+)\s+"
    r"(?P<major>[0-9a-f]+):(?P<minor>[0-9a-f]+):(?P<inode>\d+)\s"
)
_CONTAINER: Final = re.compile(
    r"(?P<runtime>docker|libpod|cri-containerd|crio|containerd|kubepods)?[^/]*?"
    r"(?P<id>[0-9a-f]{64})(?:\.scope)?\Z"
)
_RUNTIME_NAMES: Final = {
    "libpod": "podman",
    "cri-containerd": "kubernetes",
    "crio": "kubernetes",
    "kubepods": "kubernetes",
}
_SYSTEM_CONTAINER: Final = re.compile(
    r"(?:^/lxc(?:\.payload)?[./](?P<lxc>[A-Za-z0-9_-]+)"
    r"|/systemd-nspawn@(?P<nspawn>[A-Za-z0-9_-]+)\.service"
    r"|/machine-(?P<machine>[A-Za-z0-9_-]+)\.scope)(?=/|$)"
)
_INFLUXD: Final = re.compile(r"influxd[-_.0-9a-z]*")
_USER_MANAGER: Final = re.compile(r"/user@(\d+)\.service/")
_CARRIERS: Final = frozenset({
    "anacron", "atd", "containerd", "cron", "crond", "cronie", "docker", "dropbear", "getty",
    "monit", "podman", "serial-getty", "ssh", "sshd", "supervisor", "supervisord",
})  # fmt: skip
"""Units that run programs of others: stopping them is not what is meant."""
_SYSTEMS: Final = ("lxc ", "machine ")
"""Containers that run a systemd of their own."""
_HOLDERS_NAMED_MAX: Final = 3


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """One process that holds the lock.

    Attributes:
        pid: Its process ID as seen from here.
        command: Name of its program, with the sub-command where that is a known harmless word.
        user: Its user: a name, or a number where the name would be that of another system.
        container: Runtime and short ID of its container, such as "docker 3f2a9c41d0be".
        unit: Its systemd unit, such as "influxdb.service".
        is_exclusive: Whether it holds the lock alone, as a server does.
        is_certain: False when only the inode fits and the process may not be looked into.
    """

    pid: int
    command: str | None
    user: str | None
    container: str | None
    unit: str | None
    is_exclusive: bool
    is_certain: bool


class LockHolder(Holder, frozen=True, kw_only=True):
    """A holder with what tells how it is stopped.

    Attributes:
        user_of_unit: Whose systemd or container engine runs it; None for that of the system.
        is_unit_itself: Whether systemd started this very process, not a shell or cron within it.
    """

    user_of_unit: str | None
    is_unit_itself: bool

    @property
    def way_to_stop(self) -> str:
        """Say what ends it, and how it is waited for where it will end by itself."""
        program, _, word = (self.command or "").partition(" ")
        is_influxd = word in {"", "run"} and _INFLUXD.fullmatch(program) is not None
        is_server = is_influxd or (program == _OURS and word == "serve")
        stop = self._stop_command(is_server=is_server)
        if is_server:
            return f"stop {program if is_influxd else self.command} first: {stop}"
        if program == _OURS:
            return "wait until that command has ended"
        if self.command is None:
            return f"see what process {self.pid} is, and stop it: {stop}"
        return f"wait until {self.command} has ended, or stop it: {stop}"

    def _stop_command(self, *, is_server: bool) -> str:
        """Name the command for it: what started it may start it again after a mere kill."""
        unit = f"'{self.unit}'" if self.unit and "\\" in self.unit else self.unit  # for a shell
        if self.container:
            runtime, _, name = self.container.partition(" ")
            command = {
                "docker": f"docker stop {name}",
                "podman": f"podman stop {name}",
                "machine": f"machinectl poweroff {name}",
                "lxc": f"lxc-stop -n {name}",
            }.get(runtime, "kubectl scale --replicas=0, for what runs its pod")
            if runtime == "machine" and self.unit:
                command = f"systemctl --machine {name} stop {unit}"
            if runtime == "lxc" and self.unit:
                command = f"systemctl stop {unit}, inside of the container {name}"
            return f"{command}, as user {self.user_of_unit}" if self.user_of_unit else command
        if self.unit and (is_server or self.is_unit_itself):
            name = self.unit.removesuffix(".service").partition("@")[0]
            if self.user_of_unit:
                return f"systemctl --user stop {unit}, as user {self.user_of_unit}"
            if name not in _CARRIERS:
                return f"systemctl stop {unit}"
        return f"kill -INT {self.pid}" if is_server else f"kill {self.pid}"

    @property
    def name(self) -> str:
        """Describe the process for a person."""
        facts = [
            self.command or "",
            f"user {self.user}" if self.user else "",
            f"container {self.container}" if self.container else "",
            f"unit {self.unit}" if self.unit else "",
        ]
        described = ", ".join(fact for fact in facts if fact)
        return f"process {self.pid} ({described})" if described else f"process {self.pid}"

    @property
    def sentence(self) -> str:
        """Say that it holds the lock."""
        return f"{self.name} {'holds' if self.is_certain else 'probably holds'} the lock"


class LockUse(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about the lock of one file.

    Attributes:
        holders: Processes that hold it and can be seen from here.
        is_view_partial: Whether some processes could not be looked into.
    """

    holders: tuple[LockHolder, ...]
    is_view_partial: bool

    @property
    def sentence(self) -> str:
        """Say who holds the lock, given that trying to take it has failed.

        An empty table then still means a holder: the kernel leaves out the locks of processes that
        have no ID in the reader's namespace.
        """
        if not self.holders:
            return HIDDEN_SENTENCE if self.is_view_partial else UNSEEN_SENTENCE
        first = self.holders[0].sentence
        others = len(self.holders) - 1
        if others == 0:
            return first
        return f"{first}, and so {'does' if others == 1 else 'do'} {others} more"

    @property
    def way_to_free(self) -> str:
        """Say what to do so that the lock is free; never how to stop what is not there."""
        ways = dict.fromkeys(one.way_to_stop for one in self.holders[:_HOLDERS_NAMED_MAX])
        if ways:
            return ", and ".join(ways)
        if self.is_view_partial:
            return "run it as root, which tells what holds the lock and how that is stopped"
        return "stop the container that has it, or see on the host what holds it: lslocks -u"


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One flock line of the table."""

    pid: int
    device: int
    is_exclusive: bool
    is_blocked: bool


class _Openers(msgspec.Struct, frozen=True, kw_only=True):
    """Processes that have the file open.

    Attributes:
        modes: By process: True or False for an exclusive or shared lock, None for no lock.
        hidden_pids: Processes whose open files may not be read.
    """

    modes: dict[int, bool | None]
    hidden_pids: frozenset[int]

    def may_have(self, pid: int) -> bool:
        """Say whether a process has the file open, as far as can be seen."""
        return pid in self.modes or pid in self.hidden_pids


def find_lock_holders(*, device: int, inode: int, proc_root: Path = PROC_ROOT) -> LockUse:
    """Find who holds the flock of a file.

    The table names the process that took the lock, even when that one has ended and a child of it
    keeps the file open, so a process counts only if it has the file open. And the device in the
    table is that of the file system proper; on btrfs and overlayfs `stat` reports another one. So
    where no entry fits fully, the open files of all processes decide.

    Args:
        device: Device of the file, as `stat` gives it.
        proc_root: Where the process table is; another place in tests.

    Returns:
        What could be seen, which may be nothing.
    """
    entries = _entries(proc_root / "locks", inode=inode)
    held = [entry for entry in entries if not entry.is_blocked and entry.pid > 0]
    near = {entry.pid for entry in held if entry.device == device}
    openers = _find_openers(proc_root, near, device=device, inode=inode)
    certain = {e.pid: e.is_exclusive for e in held if e.pid in near and openers.may_have(e.pid)}
    probable: dict[int, bool] = {}
    if not certain:
        openers = _find_openers(proc_root, _pids(proc_root), device=device, inode=inode)
        certain = {pid: mode for pid, mode in openers.modes.items() if mode is not None}
        certain |= {e.pid: e.is_exclusive for e in held if e.pid in openers.modes}
        probable = {e.pid: e.is_exclusive for e in held if e.pid in openers.hidden_pids}
    holders = [
        *(_describe(proc_root, pid, mode=mode, is_certain=True) for pid, mode in certain.items()),
        *(_describe(proc_root, pid, mode=mode, is_certain=False) for pid, mode in probable.items()),
    ]
    return LockUse(holders=tuple(holders), is_view_partial=bool(openers.hidden_pids))


def describe_process(pid: int, *, proc_root: Path = PROC_ROOT) -> LockHolder:
    """Describe a process that keeps something else in use than a lock, as far as it can be seen."""
    return _describe(proc_root, pid, mode=False, is_certain=True)


def _entries(table: Path, *, inode: int) -> Iterator[_Entry]:
    """Read the flock lines of one inode."""
    for line in (_text_of(table) or "").splitlines():
        found = _LOCK_LINE.match(line)
        if found is not None and int(found["inode"]) == inode:
            yield _Entry(
                pid=int(found["pid"]),
                device=os.makedev(int(found["major"], 16), int(found["minor"], 16)),
                is_exclusive=found["mode"] == "WRITE",
                is_blocked=found["blocked"] is not None,
            )


def _find_openers(proc_root: Path, pids: Iterable[int], *, device: int, inode: int) -> _Openers:
    """Look through the open files of some processes."""
    modes: dict[int, bool | None] = {}
    hidden: set[int] = set()
    for pid in pids:
        try:
            links = list((proc_root / str(pid) / "fd").iterdir())
        except PermissionError:
            hidden.add(pid)
            continue
        except OSError:  # the process has ended
            continue
        for link in links:
            if not _is_file(link, device=device, inode=inode):
                continue
            mode = _lock_mode(proc_root / str(pid) / "fdinfo" / link.name)
            if mode is not None or pid not in modes:
                modes[pid] = mode
    return _Openers(modes=modes, hidden_pids=frozenset(hidden))


def _pids(proc_root: Path) -> list[int]:
    """List the processes but this one, which has the file open to try the lock."""
    try:
        names = [entry.name for entry in proc_root.iterdir()]
    except OSError:
        return []
    return sorted({int(name) for name in names if name.isdecimal()} - {os.getpid()})


def _is_file(link: Path, *, device: int, inode: int) -> bool:
    """Say whether an open file is the one with this device and inode."""
    try:
        status = link.stat()
    except OSError:  # closed meanwhile
        return False
    return status.st_dev == device and status.st_ino == inode


def _lock_mode(information: Path) -> bool | None:
    """Read from the information about an open file whether a flock belongs to it."""
    for line in (_text_of(information) or "").splitlines():
        found = _LOCK_LINE.match(line.removeprefix("lock:").lstrip())
        if line.startswith("lock:") and found is not None:
            return found["mode"] == "WRITE"
    return None


def _describe(proc_root: Path, pid: int, *, mode: bool, is_certain: bool) -> LockHolder:
    """Describe a process as far as this user may read it."""
    folder = proc_root / str(pid)
    paths = _control_group_paths(folder)
    container = _container(paths)
    manager = next((found[1] for path in paths if (found := _USER_MANAGER.search(path))), None)
    return LockHolder(
        pid=pid,
        command=_command(folder),
        user=_user(folder, is_local=container is None),
        container=container,
        unit=None if container and not container.startswith(_SYSTEMS) else _unit(paths),
        is_exclusive=mode,
        is_certain=is_certain,
        user_of_unit=manager and _user_name(int(manager), is_local=True),
        is_unit_itself=_is_child_of_systemd(proc_root, folder),
    )


def _is_child_of_systemd(proc_root: Path, folder: Path) -> bool:
    """Say whether systemd itself has started a process, or has inherited it."""
    found = re.search(r"^PPid:\s+(\d+)", _text_of(folder / "status") or "", re.MULTILINE)
    return (
        found is not None and (_text_of(proc_root / found[1] / "comm") or "").strip() == "systemd"
    )


def _command(folder: Path) -> str | None:
    """Name the program, never more of its arguments than one known word."""
    name = (_text_of(folder / "comm") or "").strip()
    try:
        executable = (folder / "exe").readlink().name.removesuffix(" (deleted)")
    except OSError:  # another user's process, or a thread of the kernel
        executable = ""
    if executable and not (_INTERPRETER.match(executable) and name):
        name = executable
    name = _UNPRINTABLE.sub("?", name)[:_COMMAND_LENGTH_MAX]
    arguments = (_text_of(folder / "cmdline") or "").split("\0")[1:_NAMED_ARGUMENT_COUNT]
    known = _SUBCOMMANDS.get(name, frozenset())
    word = next((argument for argument in arguments if argument in known), "")
    return f"{name} {word}".strip() or None


def _user(folder: Path, *, is_local: bool) -> str | None:
    """Name the effective user; in a container the number alone means something."""
    found = re.search(r"^Uid:\s+\d+\s+(\d+)", _text_of(folder / "status") or "", re.MULTILINE)
    if found is None:
        return None
    return _user_name(int(found[1]), is_local=is_local)


def _user_name(uid: int, *, is_local: bool) -> str:
    try:
        name = pwd.getpwuid(uid).pw_name if is_local else None
    except (KeyError, OverflowError):
        name = None
    return name or str(uid)


def _control_group_paths(folder: Path) -> list[str]:
    """List the control groups of a process, the unified one first."""
    lines = (_text_of(folder / "cgroup") or "").splitlines()
    paths = [line.split(":", 2)[2] for line in sorted(lines) if line.count(":") >= 2]  # noqa: PLR2004 # id:controllers:path
    return [path for path in paths if path != "/"]


def _container(paths: list[str]) -> str | None:
    """Read runtime and ID of a container from the names of control groups."""
    for path in paths:
        for part in reversed(path.split("/")):
            found = _CONTAINER.match(part)
            if found is None:
                continue
            word = found["runtime"] or ("kubepods" if "kubepods" in path else None)
            word = word or ("libpod" if "libpod" in path else "docker")
            runtime = _RUNTIME_NAMES.get(word, word)
            return f"{runtime} {found['id'][:_CONTAINER_ID_SHOWN_LENGTH]}"
        system = _SYSTEM_CONTAINER.search(path)
        if system is not None:
            name = system["lxc"] or system["nspawn"] or system["machine"]
            return f"{'lxc' if system['lxc'] else 'machine'} {name}"
    return None


def _unit(paths: list[str]) -> str | None:
    """Read the innermost systemd service from the names of control groups."""
    for path in paths:
        for part in reversed(path.split("/")):
            if part.endswith(".service") and not part.startswith("user@"):
                return _UNPRINTABLE.sub("?", part)[:_COMMAND_LENGTH_MAX]
    return None


def _text_of(path: Path) -> str | None:
    """Read a file of the process table, or nothing if that is not possible."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
