"""`python -m bolt_store`: words, exit codes, secrets and files left behind."""

import io
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import bolt_store
from bolt_store import BucketContent, rebuild
from bolt_store.command.exit_code import ExitCode
from bolt_store.command.main import main
from tests.support.history import flat, history, tree_of
from tests.support.model import dump_file
from tests.support.oracle import Oracle, fill_key

COMMAND = [sys.executable, "-m", "bolt_store"]
CANARY_KEY = b"canary-key-8Kf3"
CANARY_VALUE = b"canary-value-2Lp7"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run left: exit code, stdout, stderr."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.stdout)
        assert document["version"] == 1
        return document


def run(*arguments: object) -> Result:
    """Run it within this process; what depends on a process of its own is tried below in one."""
    stdout, stderr = io.StringIO(), io.StringIO()
    code = main([*map(str, arguments)], environ={}, stdout=stdout, stderr=stderr)
    return Result(code=code, stdout=stdout.getvalue(), stderr=stderr.getvalue())


def assert_two_lines(result: Result, code: ExitCode) -> None:
    assert result.code == code
    error, hint = result.stderr.splitlines()
    assert error.startswith("error: ")
    assert error.endswith(("nothing was changed", "nothing was done"))
    assert hint.startswith("hint: ")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A sound file with a history and canaries in it."""
    path = tmp_path / "file.bolt"
    path.write_bytes(history(1).newest)
    path.chmod(0o600)
    with bolt_store.open(path, write=True) as db:
        with db.update() as tx:
            tx.create_bucket(b"canary-bucket").put(CANARY_KEY, CANARY_VALUE)
        with db.update() as tx:
            tx.bucket(b"bucket00").put(b"last", b"change")
    return path


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A file that has lost a leaf in both snapshots."""
    past = history(1)
    tree = tree_of(past.newest)
    leaf = next(pgid for pgid in tree.leaves if pgid in tree.shared)
    path = tmp_path / "damaged.bolt"
    path.write_bytes(bytes(past.damaged().wipe(leaf).content))
    return path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with bolt_store.open(path, write=True):
        yield


# -- looking -------------------------------------------------------------------------------------


def test_check_of_a_sound_file_says_so(file: Path) -> None:
    result = run("check", file)
    assert (result.code, result.stderr) == (ExitCode.DONE, "")
    assert result.stdout.splitlines()[-1] == f"{file} is sound"


def test_check_of_a_damaged_file_tells_its_findings(damaged: Path) -> None:
    result = run("check", damaged)
    assert result.code == ExitCode.FINDINGS
    *findings, verdict = result.stdout.splitlines()
    assert all(line.split(":")[0] in bolt_store.Severity.__members__ for line in findings)
    assert "is damaged" in verdict
    quiet = run("check", "--quiet", damaged)
    assert (quiet.code, quiet.stdout) == (ExitCode.FINDINGS, verdict + "\n")
    document = run("check", "--json", damaged).json
    assert len(document["findings"]) == len(findings)
    assert {finding["severity"] for finding in document["findings"]} >= {"FATAL"}


def test_info_tells_metas_and_sums(file: Path) -> None:
    result = run("info", file)
    assert result.code == ExitCode.DONE
    with bolt_store.open(file) as db:
        stats, meta = bolt_store.db_stats(db), db.meta
        key_count = len(flat(dump_file(db)))
    assert f"txid {meta.txid}, root page {meta.root_pgid}" in result.stdout
    assert f"keys with values: {key_count}" in result.stdout
    document = run("info", "--json", "--buckets", file).json
    assert document["stats"]["page_count"] == stats.page_count
    assert [slot["counts"] for slot in document["metas"]].count(True) == 1
    assert len(document["buckets"]) == stats.bucket_count + 1


def test_info_of_a_damaged_file_still_shows_its_metas(damaged: Path) -> None:
    result = run("info", damaged)
    assert result.code == ExitCode.FINDINGS
    assert "meta 0" in result.stdout
    assert "trees: damaged" in result.stdout


def test_pages_lists_every_page_once(file: Path) -> None:
    _, *lines = run("pages", file).stdout.splitlines()
    document = run("pages", "--json", file).json
    with bolt_store.open(file) as db:
        infos = list(bolt_store.page_infos(db))
    assert [int(line.split()[0]) for line in lines] == [info.pgid for info in infos]
    assert [page["state"] for page in document["pages"]] == [str(info.state) for info in infos]


def test_page_describes_every_kind_of_page(file: Path) -> None:
    with bolt_store.open(file) as db:
        infos = {info.kind: info for info in bolt_store.page_infos(db) if info.state == "used"}
    assert set(infos) == {"meta", "leaf", "branch", "freelist"}
    for kind, info in infos.items():
        assert f"kind: {kind}" in run("page", file, info.pgid).stdout
        document = run("page", "--json", file, info.pgid).json
        assert len(document["elements"]) == info.element_count


def test_dump_shows_lengths_and_fingerprints_only(file: Path) -> None:
    result = run("dump", file)
    assert result.code == ExitCode.DONE
    assert f"len={len(CANARY_KEY)} fp=" in result.stdout
    with bolt_store.open(file) as db:
        model = dump_file(db)
    assert len(result.stdout.splitlines()) == len(flat(model)) + len(model)
    assert result.stdout != run("dump", file).stdout, "fingerprints hold for one run only"


def test_dump_shows_what_is_asked_for_and_no_more(file: Path) -> None:
    keys = run("dump", "--show-keys", file).stdout
    assert CANARY_KEY.decode() in keys
    assert CANARY_VALUE.decode() not in keys
    values = run("dump", "--show-values", file).stdout
    assert CANARY_KEY.decode() not in values
    assert CANARY_VALUE.decode() in values
    entries = run("dump", "--json", "--show-keys", "--show-values", file).json["entries"]
    found = {
        bytes.fromhex(entry["key"]["hex"]): bytes.fromhex(entry["value"]["hex"])
        for entry in entries
        if "value" in entry
    }
    with bolt_store.open(file) as db:
        assert found == {key: value for (_, key), value in flat(dump_file(db)).items()}


def test_a_dump_of_three_thousand_levels_ends(tmp_path: Path) -> None:
    content = BucketContent(items=[(b"k", b"v")])
    for _ in range(2999):
        content = BucketContent(items=[(b"n", content)])
    rebuild([(b"n", content)], tmp_path / "deep")
    assert len(run("dump", tmp_path / "deep").stdout.splitlines()) == 3001
    assert len(run("dump", "--json", tmp_path / "deep").json["entries"]) == 3001


def test_no_command_shows_a_key_or_a_value_unasked(file: Path, tmp_path: Path) -> None:
    with bolt_store.open(file) as db:
        page_count = db.meta.high_water_mark
    runs = [
        ("check", file),
        ("info", "--buckets", file),
        ("pages", file),
        ("dump", file),
        *(("page", file, pgid) for pgid in range(0, page_count, 9)),
        ("compact", file, tmp_path / "compact"),
        ("salvage", file, tmp_path / "salvage"),
        ("snapshot", file, tmp_path / "snapshot"),
        ("revert", file, tmp_path / "revert"),
        ("rebuild-freelist", file, tmp_path / "rebuilt"),
    ]
    for words in runs:
        for extra in ((), ("--json",)):
            if extra and (tmp_path / str(words[0])).exists():
                continue
            result = run(*words, *extra)
            shown = result.stdout + result.stderr
            for canary in (CANARY_KEY, CANARY_VALUE, b"canary-bucket"):
                assert canary.decode() not in shown
                assert canary.hex() not in shown


# -- copying -------------------------------------------------------------------------------------


def test_compact_makes_a_smaller_file_of_the_same_content(file: Path, tmp_path: Path) -> None:
    before = file.read_bytes()
    document = run("compact", "--json", file, tmp_path / "t").json
    assert document["size_bytes_after"] == (tmp_path / "t").stat().st_size
    assert document["size_bytes_after"] < document["size_bytes_before"]
    assert file.read_bytes() == before
    with bolt_store.open(file) as one, bolt_store.open(tmp_path / "t") as other:
        assert dump_file(one) == dump_file(other)


def test_snapshot_copies_a_locked_file(file: Path, tmp_path: Path) -> None:
    with locked(file):
        refused = run("compact", "--lock-timeout", "0", file, tmp_path / "t")
        assert_two_lines(refused, ExitCode.BUSY)
        assert "snapshot" in refused.stderr
        result = run("snapshot", file, tmp_path / "t")
    assert result.code == ExitCode.DONE
    assert "by the first try" in result.stdout
    with bolt_store.open(file) as one, bolt_store.open(tmp_path / "t") as other:
        assert dump_file(one) == dump_file(other)


def test_revert_and_rebuild_freelist_tell_what_they_did(file: Path, tmp_path: Path) -> None:
    with bolt_store.open(file) as db:
        older = db.pager.older.meta
    assert older is not None
    reverted = run("revert", "--json", file, tmp_path / "reverted").json
    assert reverted["after"]["root_pgid"] == older.root_pgid
    rebuilt = run("rebuild-freelist", file, tmp_path / "rebuilt")
    assert rebuilt.code == ExitCode.DONE
    assert "free pages:" in rebuilt.stdout


def test_salvage_of_a_healthy_file_is_complete(file: Path, tmp_path: Path) -> None:
    result = run("salvage", file, tmp_path / "t")
    assert (result.code, result.stderr) == (ExitCode.DONE, "")
    assert "clean snapshot" in result.stdout


def test_salvage_of_a_damaged_file_tells_what_is_missing(damaged: Path, tmp_path: Path) -> None:
    result = run("salvage", damaged, tmp_path / "t")
    assert result.code == ExitCode.FINDINGS
    assert "repaired snapshot" in result.stdout
    assert "[page.unreadable]" in result.stdout
    document = run("salvage", "--json", damaged, tmp_path / "u").json
    assert (document["is_written"], document["is_complete"]) == (True, False)
    assert len(document["missing"]) == 1


def test_salvage_without_a_root_makes_no_file(tmp_path: Path) -> None:
    (tmp_path / "ruin").write_bytes(b"\xff" * 65536)
    result = run("salvage", tmp_path / "ruin", tmp_path / "t")
    assert_two_lines(result, ExitCode.DAMAGED)
    assert names(tmp_path) == ["ruin"]


def test_salvage_goes_by_the_root_that_is_named(file: Path, tmp_path: Path) -> None:
    with bolt_store.open(file) as db:
        older = db.pager.older.meta
    assert older is not None
    result = run("salvage", "--root", older.root_pgid, file, tmp_path / "t")
    assert result.code == ExitCode.FINDINGS, "whether it is the newest is not known"
    with bolt_store.open(tmp_path / "t") as db:
        assert b"last" not in dump_file(db)[b"bucket00"]


def test_salvage_reads_a_locked_file_only_when_told_to(file: Path, tmp_path: Path) -> None:
    with locked(file):
        busy = run("salvage", "--lock-timeout", "0", file, tmp_path / "t")
        assert_two_lines(busy, ExitCode.BUSY)
        assert run("salvage", "--no-lock", file, tmp_path / "t").code == ExitCode.DONE


# -- refusals ------------------------------------------------------------------------------------


COPYING = pytest.mark.parametrize(
    "command", ["compact", "salvage", "snapshot", "revert", "rebuild-freelist"]
)


@COPYING
def test_no_command_replaces_a_file(command: str, file: Path, tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"precious")
    for target in ("there", "file.bolt"):
        assert_two_lines(run(command, file, tmp_path / target), ExitCode.REFUSED)
    assert (tmp_path / "there").read_bytes() == b"precious"
    assert names(tmp_path) == ["file.bolt", "there"]


@COPYING
def test_a_target_that_cannot_be_made_is_a_failed_write(
    command: str, file: Path, tmp_path: Path
) -> None:
    result = run(command, file, tmp_path / "absent" / "t")
    assert_two_lines(result, ExitCode.WRITE_FAILED)
    assert "No such file or directory" in result.stderr


@pytest.mark.parametrize(
    "words", [["check"], ["info"], ["pages"], ["dump"], ["compact", "T"], ["snapshot", "T"]]
)
def test_a_file_that_is_not_there_is_not_made(words: list[str], tmp_path: Path) -> None:
    command, *rest = words
    result = run(command, tmp_path / "absent", *(tmp_path / name for name in rest))
    assert_two_lines(result, ExitCode.NOT_FOUND)
    assert names(tmp_path) == []


def test_a_folder_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    assert_two_lines(run("check", tmp_path), ExitCode.NOT_FOUND)
    (tmp_path / "empty").touch()
    result = run("check", tmp_path / "empty")
    assert_two_lines(result, ExitCode.NOT_FOUND)
    assert "the file is empty" in result.stderr
    assert (tmp_path / "empty").read_bytes() == b""


def test_what_is_no_bolt_file_is_damaged_and_salvage_is_offered(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"text " * 2000)
    result = run("info", tmp_path / "text")
    assert_two_lines(result, ExitCode.DAMAGED)
    assert f"hint: type python -m bolt_store salvage {tmp_path / 'text'} TARGET" in result.stderr


def test_compact_of_a_damaged_file_is_refused(damaged: Path, tmp_path: Path) -> None:
    result = run("compact", damaged, tmp_path / "t")
    assert_two_lines(result, ExitCode.DAMAGED)
    assert names(tmp_path) == ["damaged.bolt"]


def test_revert_without_a_second_tree_is_refused(level21_bolt: Path, tmp_path: Path) -> None:
    result = run("revert", level21_bolt, tmp_path / "t")
    assert_two_lines(result, ExitCode.REFUSED)
    assert "both metas name the same tree" in result.stderr


def test_snapshot_of_a_file_that_never_checks_clean_is_busy(damaged: Path, tmp_path: Path) -> None:
    result = run("snapshot", "--attempts", "2", damaged, tmp_path / "t")
    assert_two_lines(result, ExitCode.BUSY)
    assert "in 2 tries" in result.stderr


def test_a_page_that_the_file_has_not_is_not_found(file: Path) -> None:
    assert_two_lines(run("page", file, 99_999), ExitCode.NOT_FOUND)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["frobnicate"],
        ["check"],
        ["check", "x", "--frobnicate"],
        ["check", "x", "--lock-timeout", "soon"],
        ["check", "x", "--lock-timeout", "-1"],
        ["page", "x", "first"],
        ["compact", "x"],
        ["snapshot", "x", "y", "--attempts", "0"],
        ["che", "x"],
    ],
)
def test_what_cannot_be_understood_is_a_usage_error(words: list[str]) -> None:
    assert_two_lines(run(*words), ExitCode.USAGE)


def test_an_impossible_page_size_is_a_usage_error(file: Path, tmp_path: Path) -> None:
    result = run("salvage", "--page-size", "5000", file, tmp_path / "t")
    assert_two_lines(result, ExitCode.USAGE)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    def help_of(*words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            run(*words, "--help")
        assert ended.value.code == ExitCode.DONE
        stdout, stderr = capsys.readouterr()
        assert stderr == ""
        return stdout

    text = help_of()
    words = "check info pages page dump compact salvage snapshot revert rebuild-freelist"
    for word in words.split():
        assert word in text
        assert f"bolt_store {word} " in help_of(word)


def test_a_file_name_cannot_steer_the_terminal(tmp_path: Path) -> None:
    result = run("check", tmp_path / "\x1b]0;title\x07")
    assert "\x1b" not in result.stderr
    assert "\\x1b" in result.stderr


# -- streams and signals -------------------------------------------------------------------------


def test_a_result_that_cannot_be_written_is_an_error(file: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "dump", file], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == ExitCode.WRITE_FAILED
    assert "standard output cannot be written" in done.stderr


def test_a_closed_stdout_is_an_error_and_a_closed_stderr_is_none(file: Path) -> None:
    command = " ".join([*COMMAND, "check", str(file)])
    closed_out = subprocess.run(
        ["sh", "-c", f"{command} >&-"], capture_output=True, text=True, check=False
    )
    assert closed_out.returncode == ExitCode.WRITE_FAILED
    closed_err = subprocess.run(
        ["sh", "-c", f"{command} 2>&-"], capture_output=True, text=True, check=False
    )
    assert (closed_err.returncode, "is sound" in closed_err.stdout) == (0, True)


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    items = ((b"k%06d" % number, b"v") for number in range(20_000))
    rebuild([(b"b", BucketContent(items=items))], tmp_path / "t")
    command = " ".join([*COMMAND, "dump", str(tmp_path / "t")])
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -n 1; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (ExitCode.DONE, "")
    assert len(done.stdout.splitlines()) == 1


_INTERRUPT_WHILE_WRITING = """
import os, signal, sys
from bolt_store.command import main
from bolt_store.bulk import BulkWriter
number = int(sys.argv.pop(1))
put = BulkWriter.put
def interrupting(self, key, value):
    put(self, key, value)
    os.kill(os.getpid(), number)
BulkWriter.put = interrupting
main.run()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_leaves_nothing_behind(file: Path, tmp_path: Path, number: int) -> None:
    words = ["compact", str(file), str(tmp_path / "t")]
    command = [sys.executable, "-c", _INTERRUPT_WHILE_WRITING, str(int(number)), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.INTERRUPTED
    assert done.stderr.splitlines()[0] == "error: interrupted; nothing was changed"
    assert names(tmp_path) == ["file.bolt"]


_BREAK = """
import sys
from bolt_store.command import looking, main
def broken(context):
    raise KeyError("canary-key-8Kf3")
looking.check = broken
main.run()
"""


def test_the_text_of_an_unforeseen_exception_is_not_shown(file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _BREAK, "check", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitCode.INTERNAL
    assert "KeyError" in done.stderr
    assert CANARY_KEY.decode() not in done.stderr


# -- the terminal --------------------------------------------------------------------------------


def run_on_terminal(*arguments: object, term: str = "xterm") -> tuple[int, str, str]:
    """Run with stderr on a terminal; return exit code, stdout and what the terminal was sent."""
    master, slave = pty.openpty()
    words = [*COMMAND, *map(str, arguments)]
    environment = {**os.environ, "TERM": term}
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=slave, text=True, env=environment
    ) as process:
        os.close(slave)
        sent = b"".join(iter(lambda: _read(master), b""))
        assert process.stdout is not None
        stdout = process.stdout.read()
    os.close(master)
    return process.returncode, stdout, sent.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""  # a terminal that nobody holds any more


@pytest.mark.pty
def test_long_work_shows_a_bar_on_a_terminal_and_erases_it(oracle: Oracle, tmp_path: Path) -> None:
    oracle.fill(tmp_path / "large", 20_000, "-no-sync")
    for words in (
        ["check", tmp_path / "large"],
        ["compact", tmp_path / "large", tmp_path / "c"],
        ["salvage", tmp_path / "large", tmp_path / "s"],
        ["snapshot", tmp_path / "large", tmp_path / "n"],
        ["rebuild-freelist", tmp_path / "large", tmp_path / "f"],
    ):
        code, stdout, sent = run_on_terminal(*words)
        assert code == ExitCode.DONE
        assert "#" in sent
        assert "%" in sent
        assert sent.endswith("\r")
        assert sent.rstrip("\r").rsplit("\r", 1)[-1].strip() == "", (
            "the last thing drawn is nothing"
        )
        assert "#" not in stdout
        assert fill_key(7).decode() not in sent


@pytest.mark.pty
def test_a_dumb_terminal_and_a_pipe_see_no_bar(file: Path) -> None:
    _, _, sent = run_on_terminal("check", file, term="dumb")
    assert sent == ""
    assert run("check", file).stderr == ""


@pytest.mark.pty
def test_findings_on_a_terminal_are_not_drawn_over_the_bar(damaged: Path) -> None:
    code, stdout, sent = run_on_terminal("check", damaged)
    assert code == ExitCode.FINDINGS
    assert "FATAL" in stdout
    assert "FATAL" not in sent
