"""Who holds the lock: real locks of real processes, and process tables made by hand."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recovery.lock_holder import (
    HIDDEN_SENTENCE,
    UNSEEN_SENTENCE,
    LockUse,
    describe_process,
    find_lock_holders,
)
from tests.support.as_other_user import run_as_nobody

CONTAINER_ID = "3f2a9c41d0be" + "0123456789abcdef" * 3 + "feed"
SECRET = "canary-9Xw2-argument"  # a canary, not a secret

_HOLD = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.flock(file, {mode})
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(path: Path, *, mode: str = "fcntl.LOCK_EX") -> Iterator[subprocess.Popen[str]]:
    """Hold a real flock in another process, whose command line carries a canary."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD.format(mode=mode), str(path), SECRET],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.communicate()


def use_of(path: Path, *, proc_root: Path | None = None) -> LockUse:
    status = path.stat()
    if proc_root is None:
        return find_lock_holders(device=status.st_dev, inode=status.st_ino)
    return find_lock_holders(device=status.st_dev, inode=status.st_ino, proc_root=proc_root)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "influxd.bolt"
    path.write_bytes(b"x")
    return path


needs_lock_table = pytest.mark.skipif(
    not os.access("/proc/locks", os.R_OK), reason="this system shows no /proc/locks"
)


class FakeProc:
    """A process table in a folder."""

    def __init__(self, root: Path, store: Path) -> None:
        self.root = root
        self.store = store
        self.status = store.stat()
        root.mkdir()
        (root / "locks").write_text("", encoding="ascii")

    def lock(
        self,
        pid: int,
        *,
        kind: str = "FLOCK ",
        mode: str = "WRITE",
        device: int | None = None,
        blocked: bool = False,
    ) -> str:
        device = self.status.st_dev if device is None else device
        arrow = "-> " if blocked else ""
        line = (
            f"7: {arrow}{kind} ADVISORY  {mode} {pid} "
            f"{os.major(device):02x}:{os.minor(device):02x}:{self.status.st_ino} 0 EOF\n"
        )
        with (self.root / "locks").open("a", encoding="ascii") as table:
            table.write(line)
        return line

    def process(
        self,
        pid: int,
        *,
        executable: str = "/usr/bin/influxd",
        command_line: tuple[str, ...] = ("influxd",),
        cgroup: str = "0::/\n",
        uid: int = 0,
        parent: int = 7,
        opens_store: bool = True,
    ) -> Path:
        folder = self.root / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "fdinfo").mkdir()
        (folder / "comm").write_text(Path(command_line[0]).name[:15] + "\n", encoding="ascii")
        (folder / "exe").symlink_to(executable)
        (folder / "cmdline").write_bytes(b"".join(a.encode() + b"\0" for a in command_line))
        (folder / "cgroup").write_text(cgroup, encoding="ascii")
        (folder / "status").write_text(
            f"Name:\tx\nPPid:\t{parent}\nUid:\t7\t{uid}\t7\t7\n", encoding="ascii"
        )
        if opens_store:
            self.open_file(pid, 3, self.store)
        return folder

    def open_file(self, pid: int, number: int, target: Path, information: str = "") -> None:
        (self.root / str(pid) / "fd" / str(number)).symlink_to(target)
        (self.root / str(pid) / "fdinfo" / str(number)).write_text(information, encoding="ascii")

    def use(self) -> LockUse:
        return use_of(self.store, proc_root=self.root)


@pytest.fixture
def proc(tmp_path: Path, store: Path) -> FakeProc:
    return FakeProc(tmp_path / "proc", store)


@pytest.fixture
def open_proc(public_folder: Path) -> FakeProc:
    """A process table that other users may look at."""
    store = public_folder / "influxd.bolt"
    store.write_bytes(b"x")
    return FakeProc(public_folder / "proc", store)


needs_nobody = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")


def as_nobody(path: Path, proc_root: Path) -> str:
    """Ask who holds the lock as a user who may see little."""
    status = path.stat()
    code = (
        "from recovery.lock_holder import find_lock_holders\n"
        "use = find_lock_holders(device=int(sys.argv[1]), inode=int(sys.argv[2]),"
        " proc_root=Path(sys.argv[3]))\n"
        "print(use.sentence)\n"
    )
    return run_as_nobody(
        code, status.st_dev, status.st_ino, proc_root, imports="recovery.lock_holder"
    )


@needs_lock_table
@pytest.mark.parametrize(
    ("mode", "is_exclusive"), [("fcntl.LOCK_EX", True), ("fcntl.LOCK_SH", False)]
)
def test_a_real_holder_is_named_with_its_pid_program_and_user(
    store: Path, mode: str, *, is_exclusive: bool
) -> None:
    with holding(store, mode=mode) as process:
        use = use_of(store)
    assert [process.pid] == [holder.pid for holder in use.holders]
    holder = use.holders[0]
    assert (is_exclusive, True) == (holder.is_exclusive, holder.is_certain)
    assert holder.command is not None
    assert holder.command.startswith("python")
    assert f"process {process.pid} (python" in use.sentence
    assert use.sentence.endswith("holds the lock")


@needs_lock_table
def test_no_argument_of_a_real_holder_gets_out(store: Path) -> None:
    with holding(store):
        use = use_of(store)
    assert SECRET not in repr(use) + use.sentence
    assert str(store) not in repr(use) + use.sentence


@needs_lock_table
def test_several_real_readers_are_all_found(store: Path) -> None:
    with holding(store, mode="fcntl.LOCK_SH") as one, holding(store, mode="fcntl.LOCK_SH") as two:
        use = use_of(store)
    assert {one.pid, two.pid} == {holder.pid for holder in use.holders}
    assert use.sentence.endswith("holds the lock, and so does 1 more")


@needs_lock_table
def test_a_lock_that_a_dead_process_left_to_its_child_is_traced_to_the_child(store: Path) -> None:
    """The table then names a process that is gone; the open files name the living one."""
    script = (
        "import fcntl, os, sys\n"
        "file = open(sys.argv[1], 'r+b')\n"
        "fcntl.flock(file, fcntl.LOCK_EX)\n"
        "if os.fork() == 0:\n"
        "    print(os.getpid(), flush=True)\n"
        "    sys.stdin.read()\n"
    )
    read_end, write_end = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", script, str(store)], stdin=read_end, stdout=subprocess.PIPE
    ) as parent:
        os.close(read_end)
        assert parent.stdout is not None
        parent.wait()
        child_pid = int(parent.stdout.readline())
        use = use_of(store)
        os.close(write_end)
        select.select([parent.stdout], [], [])  # end of file: the child has gone too
    assert [(child_pid, True)] == [(holder.pid, holder.is_certain) for holder in use.holders]


@needs_lock_table
@needs_nobody
def test_an_ordinary_user_still_learns_the_pid_of_a_process_of_root(open_proc: FakeProc) -> None:
    with holding(open_proc.store) as process:
        answer = as_nobody(open_proc.store, Path("/proc"))
    assert answer.startswith(f"process {process.pid} (python")
    assert answer.endswith(", user root) holds the lock")


@needs_lock_table
def test_an_unlocked_file_has_no_holder(store: Path) -> None:
    assert use_of(store).holders == ()


def test_a_missing_process_table_means_that_nobody_is_seen(store: Path, tmp_path: Path) -> None:
    use = use_of(store, proc_root=tmp_path / "absent")
    assert use == LockUse(holders=(), is_view_partial=False)
    assert use.sentence == UNSEEN_SENTENCE


def test_held_and_waiting_are_told_apart(proc: FakeProc) -> None:
    proc.lock(812)
    proc.lock(900, blocked=True)
    proc.lock(0, blocked=True)
    proc.process(812)
    use = proc.use()
    assert [holder.pid for holder in use.holders] == [812]


def test_posix_and_open_file_locks_are_not_taken_for_the_store_s(proc: FakeProc) -> None:
    """A POSIX lock does not keep the store busy: the two kinds do not see each other."""
    proc.lock(812, kind="POSIX ")
    proc.lock(-1, kind="OFDLCK")
    proc.process(812)
    assert proc.use().holders == ()


def test_a_line_that_makes_no_sense_is_passed_over(proc: FakeProc) -> None:
    (proc.root / "locks").write_bytes(b"\xff\xfe nonsense\n1: FLOCK\n9: FLOCK ADVISORY WRITE x\n")
    assert proc.use().holders == ()


def test_an_unseen_holder_is_said_to_be_elsewhere(proc: FakeProc) -> None:
    proc.lock(0)
    assert proc.use().sentence == "a process in another container or namespace holds the lock"


def test_a_foreign_device_counts_when_the_process_has_the_file_open(proc: FakeProc) -> None:
    """On btrfs and overlayfs the table has another device number than stat."""
    proc.lock(812, device=os.makedev(0, 0x3A))
    proc.process(812)
    assert [(h.pid, h.is_certain) for h in proc.use().holders] == [(812, True)]


def test_the_same_inode_number_on_another_file_system_is_no_holder(
    proc: FakeProc, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"")
    proc.lock(812, device=os.makedev(0, 0x3A))
    proc.process(812, opens_store=False)
    proc.open_file(812, 9, other)
    proc.open_file(812, 10, tmp_path / "gone")
    assert proc.use().holders == ()


@needs_nobody
def test_a_process_that_may_not_be_looked_into_is_only_probable(open_proc: FakeProc) -> None:
    open_proc.lock(812, device=os.makedev(0, 0x3A))
    (open_proc.process(812) / "fd").chmod(0o700)
    assert (
        as_nobody(open_proc.store, open_proc.root)
        == "process 812 (influxd, user root) probably holds the lock"
    )


@needs_nobody
def test_a_fitting_device_is_enough_when_open_files_are_hidden(open_proc: FakeProc) -> None:
    open_proc.lock(812)
    (open_proc.process(812) / "fd").chmod(0o700)
    assert (
        as_nobody(open_proc.store, open_proc.root)
        == "process 812 (influxd, user root) holds the lock"
    )


@needs_nobody
def test_a_partial_view_without_holder_says_so(open_proc: FakeProc) -> None:
    (open_proc.process(812) / "fd").chmod(0o700)
    assert as_nobody(open_proc.store, open_proc.root) == HIDDEN_SENTENCE


def test_a_lock_in_the_information_about_an_open_file_is_found(proc: FakeProc) -> None:
    line = proc.lock(0)
    proc.process(812)
    proc.open_file(812, 4, proc.store, f"pos:\t0\nlock:\t{line}")
    assert [(h.pid, h.is_exclusive) for h in proc.use().holders] == [(812, True)]


def test_a_file_only_open_is_not_a_lock(proc: FakeProc) -> None:
    proc.process(812)
    assert proc.use().holders == ()


@pytest.mark.parametrize(
    ("executable", "command_line", "expected"),
    [
        ("/usr/bin/influxd", ("influxd", "--bolt-path", SECRET), "influxd"),
        ("/usr/bin/influxd", ("influxd", "recovery", SECRET), "influxd recovery"),
        ("/usr/bin/influxd (deleted)", ("influxd", "run"), "influxd run"),
        ("/usr/bin/odd", ("odd", "recovery"), "odd"),
        ("/usr/bin/influxd", ("influxd", SECRET), "influxd"),
        (
            "/usr/bin/python3.11",
            ("influx-recovery", "/usr/bin/influx-recovery", "auth", SECRET),
            "influx-recovery auth",
        ),
        ("/usr/bin/python3.11", ("python3", SECRET), "python3"),
        ("/opt/an\x1b[31m odd\nname", ("x",), "an?[31m?odd?name"),
    ],
)
def test_a_command_is_its_program_and_at_most_one_known_word(
    proc: FakeProc, executable: str, command_line: tuple[str, ...], expected: str
) -> None:
    proc.lock(812)
    proc.process(812, executable=executable, command_line=command_line)
    assert expected == proc.use().holders[0].command


@pytest.mark.parametrize(
    ("cgroup", "expected"),
    [
        (f"0::/system.slice/docker-{CONTAINER_ID}.scope\n", "docker 3f2a9c41d0be"),
        (f"9:name=systemd:/docker/{CONTAINER_ID}\n8:pids:/\n", "docker 3f2a9c41d0be"),
        (f"0::/../../docker-{CONTAINER_ID}.scope\n", "docker 3f2a9c41d0be"),
        (f"0::/machine.slice/libpod-{CONTAINER_ID}.scope/container\n", "podman 3f2a9c41d0be"),
        (f"0::/libpod_parent/libpod-{CONTAINER_ID}\n", "podman 3f2a9c41d0be"),
        (
            f"0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-{CONTAINER_ID}.scope\n",
            "kubernetes 3f2a9c41d0be",
        ),
        (f"4:memory:/kubepods/burstable/pod1-2/{CONTAINER_ID}\n", "kubernetes 3f2a9c41d0be"),
        (f"0::/kubepods/pod1/crio-{CONTAINER_ID}.scope\n", "kubernetes 3f2a9c41d0be"),
        ("0::/lxc.payload.101/system.slice/influxdb.service\n", "lxc 101"),
        ("0::/lxc/101/ns/system.slice/influxdb.service\n", "lxc 101"),
        (
            "0::/machine.slice/systemd-nspawn@db.service/payload/system.slice/influxdb.service\n",
            "machine db",
        ),
        ("0::/system.slice/influxdb.service\n", None),
        ("0::/system.slice/lxc.service\n", None),
        ("0::/\n", None),
        ("nonsense\n", None),
    ],
)
def test_a_container_is_read_from_the_control_groups(
    proc: FakeProc, cgroup: str, expected: str | None
) -> None:
    proc.lock(812)
    proc.process(812, cgroup=cgroup, uid=1000)
    holder = proc.use().holders[0]
    assert expected == holder.container
    if expected is not None:
        assert holder.user == "1000"  # its name would be one of this system's, not the container's
        assert f"process 812 (influxd, user 1000, container {expected}" in proc.use().sentence


@pytest.mark.parametrize(
    ("cgroup", "expected"),
    [
        ("0::/system.slice/influxdb.service\n", "influxdb.service"),
        ("0::/system.slice/system-a.slice/in\\x2dflux@1.service/sub\n", "in\\x2dflux@1.service"),
        ("1:name=systemd:/system.slice/influxdb.service\n0::/\n", "influxdb.service"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/db.service\n", "db.service"),
        ("0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", None),
        ("0::/user.slice/user-0.slice/session-4.scope\n", None),
    ],
)
def test_a_systemd_unit_is_read_from_the_control_groups(
    proc: FakeProc, cgroup: str, expected: str | None
) -> None:
    proc.lock(812)
    proc.process(812, cgroup=cgroup)
    assert expected == proc.use().holders[0].unit


def test_a_whole_sentence_has_program_user_and_unit(proc: FakeProc) -> None:
    proc.lock(812)
    proc.process(812, cgroup="0::/system.slice/influxdb.service\n")
    assert (
        proc.use().sentence
        == "process 812 (influxd, user root, unit influxdb.service) holds the lock"
    )


def test_a_user_without_name_is_a_number(proc: FakeProc) -> None:
    proc.lock(812)
    proc.process(812, uid=3_999_999_999)
    assert proc.use().holders[0].user == "3999999999"


def test_a_process_that_has_ended_is_not_named(proc: FakeProc) -> None:
    proc.lock(812)
    assert proc.use().sentence == UNSEEN_SENTENCE


def test_a_process_that_took_over_the_number_of_an_ended_one_is_not_named(proc: FakeProc) -> None:
    proc.lock(812)
    proc.process(812, executable="/usr/bin/innocent", opens_store=False)
    assert proc.use().sentence == UNSEEN_SENTENCE


def test_a_process_of_which_little_is_readable_is_named_by_its_pid(proc: FakeProc) -> None:
    proc.lock(812)
    folder = proc.process(812)
    for name in ("comm", "exe", "cmdline", "cgroup", "status"):
        (folder / name).unlink()
    assert proc.use().sentence == "process 812 holds the lock"


def test_three_holders_are_counted(proc: FakeProc) -> None:
    for pid in (812, 813, 814):
        proc.lock(pid, mode="READ")
        proc.process(pid)
    assert (
        proc.use().sentence == "process 812 (influxd, user root) holds the lock, and so do 2 more"
    )


UNIT = "0::/system.slice/influx2.service\n"
DOCKER = f"0::/system.slice/docker-{CONTAINER_ID}.scope\n"
ROOTLESS = (
    f"0::/user.slice/user-0.slice/user@0.service/user.slice/libpod-{CONTAINER_ID}.scope/container\n"
)
NSPAWN = "0::/machine.slice/systemd-nspawn@db.service/payload/system.slice/influxdb.service\n"
LXC = "0::/lxc.payload.101/system.slice/influxdb.service\n"


@pytest.mark.parametrize(
    ("program", "words", "cgroup", "expected"),
    [
        ("influxd", (), UNIT, "stop influxd first: systemctl stop influx2.service"),
        ("influxd", ("run",), UNIT, "stop influxd first: systemctl stop influx2.service"),
        ("influxd-2.9", (), UNIT, "stop influxd-2.9 first: systemctl stop influx2.service"),
        (
            "influxd",
            (),
            "0::/system.slice/system-influxdb.slice/influxdb@main.service\n",
            "stop influxd first: systemctl stop influxdb@main.service",
        ),
        (
            "influxd",
            (),
            "0::/user.slice/user-0.slice/user@0.service/app.slice/db.service\n",
            "stop influxd first: systemctl --user stop db.service, as user root",
        ),
        ("influxd", (), "0::/\n", "stop influxd first: kill -INT 812"),
        ("influxd", (), "0::/system.slice/cron.service\n", "stop influxd first: kill -INT 812"),
        ("influxd", (), DOCKER, "stop influxd first: docker stop 3f2a9c41d0be"),
        (
            "influxd",
            (),
            ROOTLESS,
            "stop influxd first: podman stop 3f2a9c41d0be, as user root",
        ),
        (
            "influxd",
            (),
            NSPAWN,
            "stop influxd first: systemctl --machine db stop influxdb.service",
        ),
        (
            "influxd",
            (),
            LXC,
            "stop influxd first: systemctl stop influxdb.service, inside of the container 101",
        ),
        (
            "influxd",
            ("recovery",),
            "0::/\n",
            "wait until influxd recovery has ended, or stop it: kill 812",
        ),
        ("flock", (), "0::/\n", "wait until flock has ended, or stop it: kill 812"),
        (
            "sleep",
            (),
            "0::/system.slice/cron.service\n",
            "wait until sleep has ended, or stop it: kill 812",
        ),
        (
            "restic",
            (),
            "0::/user.slice/session-4.scope\n",
            "wait until restic has ended, or stop it: kill 812",
        ),
        ("restic", (), DOCKER, "wait until restic has ended, or stop it: docker stop 3f2a9c41d0be"),
        ("influx-recovery", ("auth",), "0::/\n", "wait until that command has ended"),
        (
            "influx-recovery",
            ("serve",),
            "0::/\n",
            "stop influx-recovery serve first: kill -INT 812",
        ),
        (
            "influx-recovery",
            ("serve",),
            "0::/system.slice/influx-recovery.service\n",
            "stop influx-recovery serve first: systemctl stop influx-recovery.service",
        ),
    ],
)
def test_what_holds_the_lock_is_stopped_by_what_started_it(
    proc: FakeProc, program: str, words: tuple[str, ...], cgroup: str, expected: str
) -> None:
    proc.lock(812)
    proc.process(
        812, executable=f"/usr/bin/{program}", command_line=(program, *words), cgroup=cgroup
    )
    assert proc.use().way_to_free == expected


@pytest.mark.parametrize(
    ("manager", "expected"),
    [
        ("systemd", "wait until restic has ended, or stop it: systemctl stop backup.service"),
        ("sh", "wait until restic has ended, or stop it: kill 812"),
    ],
)
def test_a_unit_is_stopped_for_another_program_only_when_it_is_that_program(
    proc: FakeProc, manager: str, expected: str
) -> None:
    proc.lock(812)
    proc.process(
        812,
        executable="/usr/bin/restic",
        command_line=("restic",),
        cgroup="0::/system.slice/backup.service\n",
        parent=1,
    )
    (proc.root / "1").mkdir()
    (proc.root / "1" / "comm").write_text(f"{manager}\n", encoding="ascii")
    assert proc.use().way_to_free == expected


def test_several_holders_are_all_to_be_stopped(proc: FakeProc) -> None:
    for pid, program in ((812, "flock"), (813, "restic")):
        proc.lock(pid, mode="READ")
        proc.process(pid, executable=f"/usr/bin/{program}", command_line=(program,))
    assert proc.use().way_to_free == (
        "wait until flock has ended, or stop it: kill 812, and "
        "wait until restic has ended, or stop it: kill 813"
    )


def test_an_unseen_holder_is_not_said_to_be_influxd(proc: FakeProc) -> None:
    proc.lock(0)
    assert "influxd" not in proc.use().way_to_free


@needs_lock_table
def test_a_process_of_this_machine_is_described(store: Path) -> None:
    with holding(store) as process:
        assert describe_process(process.pid).way_to_stop == use_of(store).way_to_free
