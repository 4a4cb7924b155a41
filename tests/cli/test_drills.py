"""What newcomers and operators at night typed, at a terminal: each drill is a line of the table."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import pytest

import bolt_store
from tests.support.backup_folder import write_backup_folder
from tests.support.full_store import put
from tests.support.run_cli import Cli
from tests.support.stores import MadeStore, edit, make_store

Dialogue: TypeAlias = tuple[tuple[str, str], ...]
Prepare: TypeAlias = Callable[[Cli, MadeStore], AbstractContextManager[object]]

NO: Final[Dialogue] = (("Type yes", "no\n"),)
YES: Final[Dialogue] = (("Type yes", "yes\n"),)
LEAVE: Final[Dialogue] = (("8 to 72 bytes", "\x03"),)
MINT: Final = "auth create-operator -o acme -u alice"


def as_made(_cli: Cli, _made: MadeStore) -> AbstractContextManager[object]:
    return nullcontext()


def _first(*commands: str) -> Prepare:
    """Run these before somebody comes to the terminal."""

    def prepare(cli: Cli, made: MadeStore) -> AbstractContextManager[object]:
        for words in commands:
            done = cli.run_here(*words.split(), "--yes", "--bolt-path", made.path)
            assert done.code == 0, done.stderr
        return nullcontext()

    return prepare


@contextmanager
def held(_cli: Cli, made: MadeStore) -> Iterator[None]:
    """Hold it here, in a python that is no influxd."""
    with made.path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def without_tasks(_cli: Cli, made: MadeStore) -> AbstractContextManager[object]:
    with bolt_store.open(made.path, write=True) as db, db.update() as tx:
        tx.delete_bucket(b"tasksv1")
        tx.commit()
    return nullcontext()


def torn(cli: Cli, made: MadeStore) -> AbstractContextManager[object]:
    _first("user deactivate bob")(cli, made)  # so that the older state is no empty file
    with bolt_store.open(made.path) as db:
        place = db.meta.page_size_bytes * (db.meta.txid % 2) + 70
    content = bytearray(made.path.read_bytes())
    content[place] ^= 1
    made.path.write_bytes(content)
    return nullcontext()


def cut_token(_cli: Cli, made: MadeStore) -> AbstractContextManager[object]:
    edit(made.path, lambda tx: put(tx, "authorizationsv1", made.reader, b"{cut short"))
    return nullcontext()


def backup(cli: Cli, made: MadeStore) -> AbstractContextManager[object]:
    _first("auth hash --all")(cli, made)
    write_backup_folder(cli.home / "backup", made.path)
    return nullcontext()


def body(cli: Cli, made: MadeStore) -> AbstractContextManager[object]:
    resource = f'{{"type":"buckets","name":"%s","orgID":"{made.org}"}}'
    for name in ("sensors", "nosuch"):
        permission = f'[{{"action":"read","resource":{resource % name}}}]'
        (cli.home / f"{name}.json").write_text(f'{{"permissions":{permission}}}')
    return nullcontext()


class Drill(NamedTuple):
    """A drill.

    Attributes:
        case: Its number in the list of what people ran into.
        words: What is typed, with {home}, {made} and {folder}.
        dialogue: What is answered to which words.
        read: What must be read, in any order.
        code: The exit code.
        never: What must not be read.
        prepare: What was before.
    """

    case: str
    words: str
    dialogue: Dialogue
    read: tuple[str, ...]
    code: int
    never: str = "internal error"
    prepare: Prepare = as_made


def _page(name: str) -> str:
    return f"auth create -u alice -o acme --permissions {{home}}/{name}.json"


DRILLS: Final = [
    Drill("D1", "store check", (), ("tasksv1", "Verdict: influxd will not start"), 1,
          prepare=without_tasks),
    Drill("D2", "store prepare-restore {home}/backup", (),
          ("A full restore of it would fail", "influx restore --full", "--after"), 0,
          prepare=backup),
    Drill("D4", "user list", (), ("in use", "python"), 4, "systemctl", held),
    Drill("D5", "user list --bolt-path {folder}/none/influxd.bolt", (), ("store find",), 3,
          "name the store that is there"),
    Drill("D6", "store info", (), ("meta", "store salvage"), 0, prepare=torn),
    Drill("D7", "auth rotate --all --except {made.operator} --token-file {home}/new", YES,
          ("holds the old tokens", "{home}/new, readable for its owner alone"), 0),
    Drill("D8", MINT, NO, ("will not start on this store", "auth delete"), 7, prepare=cut_token),
    Drill("D9", "user show bob", (), ("has no password", "user update", "--id {made.bob}"), 0),
    Drill("D10", "auth list --show-tokens", (), ("hash begins with $influxdb2- and is no token",),
          0),
    Drill("D11", MINT + " --token-file {home}/none/token", (), ("{home}/none", "nothing was"), 7),
    Drill("D12", "user list --bolt-path /proc/version", (), ("made up by the kernel",), 3,
          "in use"),
    Drill("D13", "auth list --limit 1", (), ("1 authorization;", "--offset 1 shows the next"), 0),
    Drill("N1", "auth create -o acme", (), ("no permission was named",), 2, "--operator"),
    Drill("N1", "auth list -o json", (), ("type --json",), 2, "--operator"),
    Drill("N2", "org create --username alice", (), ("no option --username",
          "org create --help"), 2),
    Drill("N2", "store diff a b --bolt-path x", (), ("type influx-recovery store diff A B",), 2),
    Drill("N3", "store check", (), ("user activate", "nobody can get in"), 1, "Nothing is wrong",
          _first("user deactivate alice", "user deactivate bob")),
    Drill("N4", _page("sensors"), NO, ("read bucket sensors",), 7, "all buckets", body),
    Drill("N4", _page("nosuch"), (), ("there is no bucket nosuch", "sensors"), 3, "Plan", body),
    Drill("N5", "user delete alice --with-tokens", NO,
          ("nobody can get in", "no full operator token is left", "only owner of"), 7),
    Drill("N5", "user deactivate alice", NO,
          ("nobody can get in", "no full operator token is left", "only owner of"), 7),
    Drill("N6", MINT + " --output {home}/copy", (("Type yes", "\x03"),),
          ("interrupted; nothing was changed",), 130),
    Drill("N7", MINT + " --token-file {home}/token", YES, ("Token: in {home}/token",), 0),
    Drill("N8", "user reset-password alice", LEAVE, ("nothing was changed",), 130),
    Drill("N8", "auth deactivate {made.reader}", NO, ("to inactive",), 7, "set-active"),
    Drill("N8", "auth revoke {made.reader}", (), ("auth set-inactive ID", "auth delete ID"), 2),
    Drill("N9", "user passwd alice",
          (("New password: ", "short\n"), ("this one has 5", "correct-1\n"),
           ("again: ", "correct-2\n"), ("The two differ.", "\x03")), ("nothing was changed",), 130),
    Drill("N10", "auth create-operator", (),
          ("2 users and none was named", "2 organizations and none was named"), 7),
    Drill("N11", "auth delete --id {made.reader}", NO, ("delete API token {made.reader}",), 7),
    Drill("N11", "user show {made.alice}", (), ("User alice, {made.alice}",), 0),
    Drill("N12", MINT + " --dry-run --token-file {home}/nosuch.json", (), ("exists already",), 7,
          "Plan", body),
    Drill("N14", "user show nobody --json", (), ('"is_changed": false', '"code": 3'), 3),
    Drill("N15", "user verify-password alice", (("Password: ", "wrong password\n"),),
          ("This is not the password",), 7),
    Drill("N16", "user list --bolt-path={folder}/influx.bolt", (), ("{folder}/influxd.bolt",), 3),
    Drill("N16", "user list --bolt-path=", (), ("--bolt-path is empty",), 2),
    Drill("N16", "store backup /no/such/dir/", (), ("named as a folder, and there is none",), 2),
    Drill("N17", "org create --name x --owner nobody --ensure", (), ("no user nobody",), 3),
    Drill("N18", "store repair --only I22", (), ("instance add-owner",), 0),
    Drill("N19", "store backups", (), ("1 copy, ",), 0, prepare=_first("user deactivate bob")),
    Drill("N20", "auth list", (), ("in use", "--live"), 4, prepare=held),
    Drill("N21", "auth list --status active --match sensors", (), ("1 authorization;",), 0),
    Drill("N22", "auth create -o acme -u alice --all-access", NO,
          ("everything in organization acme, by 43 permissions",), 7),
    Drill("N22", MINT, YES, ("It takes two lines here and is one word",), 0),
]  # fmt: skip


@pytest.mark.pty
@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: f"{drill.case}-{drill.words[:24]}")
def test_a_drill_reads_as_it_should(cli: Cli, tmp_path: Path, drill: Drill) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    names = {"home": cli.home, "made": made, "folder": tmp_path}
    words = [word.format(**names) for word in drill.words.split()]
    with drill.prepare(cli, made):
        before = made.path.read_bytes()
        named = {"INFLUXD_BOLT_PATH": str(made.path), "NO_COLOR": "1"}
        with cli.at_terminal(*words, environ=named) as terminal:
            for question, answer in drill.dialogue:
                terminal.wait_for(question)
                terminal.type(answer)
            ended = terminal.end()
    shown = " ".join(ended.stdout.split())
    for wanted in drill.read:
        assert wanted.format(**names) in shown
    assert drill.never not in shown
    assert ended.code == drill.code
    assert (made.path.read_bytes() != before) == (drill.dialogue == YES)
