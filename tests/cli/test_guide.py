"""The program's name and nothing else, at a terminal."""

import gzip
from pathlib import Path

import pytest

from recovery.metastore.transaction import MetaTx
from tests.support.locks import locked
from tests.support.run_cli import Cli
from tests.support.stores import MadeStore, edit, make_store

pytestmark = pytest.mark.pty


@pytest.fixture
def store(tmp_path: Path) -> MadeStore:
    return make_store(tmp_path / "influxd.bolt", level=21)


def test_it_says_what_is_there_and_makes_a_token_by_a_command_that_it_shows(
    cli: Cli, store: MadeStore
) -> None:
    with cli.at_terminal("--bolt-path", store.path) as terminal:
        terminal.wait_for("Which? ")
        for word in ("Store:", "Server:", "Sign-in:", "Operator tokens:"):
            assert word in terminal.text
        terminal.type("1\n")
        terminal.wait_for("Which user gets it? ")
        terminal.type("alice\n")
        terminal.wait_for("Which organization")
        terminal.type("acme\n")
        terminal.wait_for("Type yes")
        terminal.type("yes\n")
        ended = terminal.end()
    assert ended.code == 0
    assert "$ influx-recovery auth create-operator --org acme --username alice" in ended.stdout
    assert "shown only this once" in ended.stdout


def test_it_names_what_a_killed_command_has_left(cli: Cli, store: MadeStore) -> None:
    store.path.with_name(".influx-recovery-abc").mkdir(0o700)
    with cli.at_terminal("--bolt-path", store.path) as terminal:
        terminal.wait_for("Which? ")
        assert "Beside it, .influx-recovery-abc is what a command that was killed" in " ".join(
            terminal.text.split()
        )
        terminal.type("5\n")
        terminal.end()


@pytest.mark.parametrize(("number", "words"), [("3", "store check"), ("4", "store undo")])
def test_a_number_runs_a_command_on_the_same_store(
    cli: Cli, store: MadeStore, number: str, words: str
) -> None:
    with cli.at_terminal("--bolt-path", store.path) as terminal:
        terminal.wait_for("Which? ")
        terminal.type(f"{number}\n")
        ended = terminal.end()
    assert f"$ influx-recovery {words} --bolt-path {store.path}" in ended.stdout.replace("\n", "")


def test_where_nobody_is_left_the_new_password_is_that_of_a_new_user(
    cli: Cli, store: MadeStore
) -> None:
    def delete_all(tx: MetaTx) -> None:
        for user in list(tx.users.walk([])):
            tx.users.delete(user)

    edit(store.path, delete_all)
    with cli.at_terminal("--bolt-path", store.path) as terminal:
        terminal.wait_for("Which? ")
        terminal.type("2\n")
        terminal.wait_for("What is the new one called? ")
        terminal.type("me\n")
        terminal.wait_for("Which organization")
        terminal.type("acme\n")
        terminal.wait_for("New password: ")
        terminal.type("\x03")
        ended = terminal.end()
    assert "$ influx-recovery user create --username me --owner-of acme" in ended.stdout


def test_a_store_that_nobody_has_set_up_is_set_up(cli: Cli, store: MadeStore) -> None:
    def empty(tx: MetaTx) -> None:
        for user in list(tx.users.walk([])):
            tx.users.delete(user)
        for organization in list(tx.organizations.walk([])):
            tx.organizations.delete(organization)

    edit(store.path, empty)
    with cli.at_terminal("--bolt-path", store.path, columns=200) as terminal:
        terminal.wait_for("Which? ")
        assert "Nobody has set it up" in terminal.text
        terminal.type("1\n")
        for question, answer in (
            ("user called? ", "ann\n"),
            ("organization? ", "main\n"),
            ("data go? ", "b\n"),
            ("New password: ", "\x03"),
        ):
            terminal.wait_for(question)
            terminal.type(answer)
        ended = terminal.end()
    assert f"setup --bolt-path {store.path} --username ann --org main --bucket b" in ended.stdout


def test_of_several_stores_one_is_chosen_by_number(cli: Cli, store: MadeStore) -> None:
    other = cli.home / ".influxdbv2" / "influxd.bolt"
    other.parent.mkdir()
    other.write_bytes(store.path.read_bytes())
    (cli.home / "config.toml").write_text(f'bolt-path = "{store.path}"\n')
    with cli.at_terminal(columns=200) as terminal:
        terminal.wait_for("Which store? ")
        (line,) = (one for one in terminal.text.splitlines() if str(other) in one)
        terminal.type(f"{line.split()[0]}\n")
        terminal.wait_for("Which? ")
        assert f"{other}" in terminal.text.partition("Which store? ")[2]
        terminal.type("3\n")
        ended = terminal.end()
    assert f"$ influx-recovery store check --bolt-path {other}" in ended.stdout.replace("\n", "")


@pytest.mark.parametrize(
    ("first", "end", "answers", "command", "said"),
    [
        (2, 99, "1\n", "store check", "store salvage TARGET"),
        (5, 6, "2\n{target}\n", "store salvage {target}", "Verdict: influxd will start"),
        (2, 99, "2\n\x04", "", "Nothing was done."),
        (2, 99, "3\n", "store undo", "store salvage TARGET"),
        (5, 6, "4\n", "store backups", "0 copies, 0 bytes."),
        (5, 6, "5\n", "", "Nothing was done."),
        (0, 2, "1\n{target}\n", "store salvage {target}", "and start influxd:"),
        (0, 2, "2\n", "store backups", "no copy lies beside it"),
        (0, 2, "3\n", "", "Nothing was done."),
    ],
)
def test_of_a_damaged_store_that_is_offered_which_can_be_done(
    cli: Cli, store: MadeStore, first: int, end: int, answers: str, command: str, said: str
) -> None:
    target = cli.home / "new.bolt"
    content = bytearray(store.path.read_bytes())
    damaged = range(len(content))[first << 12 : end << 12]
    content[damaged.start : damaged.stop] = bytes(len(damaged))
    store.path.write_bytes(content)
    with cli.at_terminal("--bolt-path", store.path, columns=132) as terminal:
        terminal.wait_for("Which? ")
        assert "do not start influxd on " in terminal.text.casefold()
        assert "operator token" not in terminal.text
        assert "new password" not in terminal.text
        number, *files = answers.format(target=target).splitlines(keepends=True)
        terminal.type(number)
        for file in files:
            terminal.wait_for("Into which new file? ")
            terminal.type(file)
        ended = terminal.end()
    text = ended.stdout.replace("\n", "")
    assert (f"$ influx-recovery {command.format(target=target)}" in text) == bool(command)
    assert said in ended.stdout


@pytest.mark.parametrize("answers", ["5\n", "\n\n\n", "9\n9\nx\n", "token\nq\n", "\x04", " 5. \n"])
def test_who_leaves_has_changed_nothing(cli: Cli, store: MadeStore, answers: str) -> None:
    before = store.path.read_bytes()
    with cli.at_terminal("--bolt-path", store.path) as terminal:
        question = "Which? "
        for answer in answers.splitlines(keepends=True):
            terminal.wait_for(question)
            terminal.text, question = "", "Type a number from 1 to 5; 5 leaves: "
            terminal.type(answer)
        ended = terminal.end()
    assert (ended.code, before) == (0, store.path.read_bytes())
    assert "Nothing was done." in ended.stdout


@pytest.mark.parametrize(
    "answer", ["2\n", "bob\\u200b\n", "{bob}\n", "\n2\n", "bab\n2.\n", '9\n "2" \n']
)
def test_a_user_is_chosen_by_number_name_or_id_and_asked_for_again(
    cli: Cli, store: MadeStore, answer: str
) -> None:
    rename = ("user", "rename", "--id", store.bob, "--new-name", "bob\u200b", "--yes")
    assert cli.run(*rename, "--bolt-path", store.path).code == 0
    with cli.at_terminal("--bolt-path", store.path) as terminal:
        terminal.wait_for("Which? ")
        terminal.type("2\n")
        question = "  2  bob\\u200b\n  3  leave\n\nWhose password? "
        for typed in answer.format(bob=store.bob).splitlines(keepends=True):
            terminal.wait_for(question)
            terminal.text, question = "", "Type a number from 1 to 3; 3 leaves: "
            terminal.type(typed)
        terminal.wait_for("New password: ")
        assert f"$ influx-recovery user update --username {store.bob}" in terminal.text
        terminal.type("\x03")
        assert terminal.end().code == 130


@pytest.mark.parametrize("answers", ["3\n", "\n\n\n", "\x04", "leave\n", "nobody\n\x04"])
@pytest.mark.parametrize(
    ("number", "question"), [("1", "Which user gets it? "), ("2", "Whose password? ")]
)
def test_a_question_within_is_left_without_a_command(
    cli: Cli, store: MadeStore, number: str, question: str, answers: str
) -> None:
    with cli.at_terminal("--bolt-path", store.path) as terminal:
        terminal.wait_for("Which? ")
        terminal.type(f"{number}\n")
        for typed in answers.splitlines(keepends=True):
            terminal.wait_for(question)
            terminal.text, question = "", "Type a number from 1 to 3; 3 leaves: "
            terminal.type(typed)
        ended = terminal.end()
    assert ended.code == 0
    assert "Nothing was done." in ended.stdout
    assert "$ influx-recovery" not in ended.stdout


def test_a_name_and_a_file_are_asked_for_again(cli: Cli, store: MadeStore) -> None:
    content = bytearray(store.path.read_bytes())
    content[:8192] = bytes(8192)
    store.path.write_bytes(content)
    with cli.at_terminal("--bolt-path", store.path, columns=132) as terminal:
        terminal.wait_for("Which? ")
        terminal.type("1\n")
        question = "Into which new file? "
        for typed in ("\n", f"{store.path}\n", "leave\n"):
            terminal.wait_for(question)
            question = "Type the path of a file that is not there yet, or leave: "
            terminal.text = ""
            terminal.type(typed)
        ended = terminal.end()
    assert "Nothing was done." in ended.stdout


@pytest.mark.parametrize("content", [b"", bytes(8192)], ids=["empty", "zeros"])
def test_where_nothing_of_a_store_is_left_it_is_made_again_from_the_data(
    cli: Cli, content: bytes
) -> None:
    store = cli.home / "influxd.bolt"
    store.write_bytes(content)
    engine = cli.home / "engine"
    (engine / "data" / "00000000000000aa").mkdir(parents=True)
    with cli.at_terminal("--bolt-path", store, columns=132) as terminal:
        terminal.wait_for("Which? ")
        terminal.type("1\n")
        terminal.wait_for("New password: ")
        terminal.type("\x03")
        text = terminal.end().stdout.replace("\n", "")
    assert f"$ influx-recovery store rebuild {store}.rebuilt --" in text
    assert f" --engine-path {engine}A password has" in text


def test_without_a_store_there_is_the_short_help_and_the_reason(cli: Cli) -> None:
    with cli.at_terminal("--bolt-path", cli.home / "nothing.bolt") as terminal:
        ended = terminal.end()
    assert ended.code == 3
    assert "influx-recovery demo" in ended.stdout
    assert "error:" in ended.stdout
    assert "check the path, and that the disk" in ended.stdout


@pytest.mark.parametrize(
    ("number", "words"), [("1", "auth list"), ("2", "user list"), ("3", "store check")]
)
def test_a_store_in_use_can_be_looked_at_as_it_is(
    cli: Cli, store: MadeStore, number: str, words: str
) -> None:
    with (
        locked(store.path, exclusive=True) as pid,
        cli.at_terminal("--bolt-path", store.path) as terminal,
    ):
        terminal.wait_for("Which? ")
        assert f"In use: process {pid}" in terminal.text
        terminal.type(f"{number}\n")
        ended = terminal.end()
    assert ended.code == 0
    assert f"$ influx-recovery {words} --live" in ended.stdout
    assert "this is a snapshot" in " ".join(ended.stdout.split())


@pytest.mark.parametrize("number", ["1", "4"])
def test_a_packed_copy_can_be_looked_at_and_the_way_to_change_it_is_said(
    cli: Cli, store: MadeStore, number: str
) -> None:
    packed = store.path.with_suffix(".gz")
    packed.write_bytes(gzip.compress(store.path.read_bytes()))
    packed.chmod(0o600)
    with cli.at_terminal("--bolt-path", packed, columns=200) as terminal:
        terminal.wait_for("Which? ")
        assert f"gunzip -k {packed}" in " ".join(terminal.text.split())
        terminal.type(f"{number}\n")
        ended = terminal.end()
    assert ended.code == 0
    assert ("alice" in ended.stdout) is (number == "1")
    assert ("Nothing was done." in ended.stdout) is (number == "4")


def test_with_a_store_in_use_the_way_out_is_said(cli: Cli, store: MadeStore) -> None:
    with (
        locked(store.path, exclusive=True) as pid,
        cli.at_terminal("--bolt-path", store.path) as terminal,
    ):
        terminal.wait_for("Which? ")
        terminal.type("4\n")
        ended = terminal.end()
    assert ended.code == 4
    assert f"or stop it: kill {pid}" in ended.stdout
