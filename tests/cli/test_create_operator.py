"""`auth create-operator`, from the question to the token, on stores that real servers wrote."""

import json
import sqlite3
import stat
from hashlib import sha256
from pathlib import Path

import pytest

from recovery.errors import ExitCode
from recovery.model.permission import operator_permissions
from tests.support.oracle import Oracle
from tests.support.run_cli import Cli, Ended
from tests.support.stores import difference, make_store


def make(cli: Cli, store: Path, *words: object) -> Ended:
    """Make an operator token as a script does."""
    return cli.run("auth", "create-operator", "--yes", "--bolt-path", store, *words)


@pytest.mark.parametrize(
    ("level", "form"), [(17, ""), (17, "--raw"), (21, ""), (21, "--raw"), (21, "--hashed")]
)
def test_the_new_record_and_its_index_entry_are_all_that_changes(
    cli: Cli, stores_dir: Path, tmp_path: Path, oracle: Oracle, level: int, form: str
) -> None:
    """Judged by bbolt itself: its check, its dump."""
    store = tmp_path / "influxd.bolt"
    store.write_bytes((stores_dir / f"level{level}.bolt").read_bytes())
    before = oracle.dump(store)
    done = make(cli, store, "--token-stdout", *([form] if form else []))
    token = done.stdout.rstrip("\n")
    assert (done.code, len(token)) == (0, 88)
    changes = difference(before, oracle.dump(store))
    is_hashed = level == 21 and form != "--raw"
    index = "authorizationhashedindexv1" if is_hashed else "authorizationindexv1"
    assert changes.places == {"added": sorted(["authorizationsv1", index])}
    ((_, key), value) = next(item for item in changes.added.items() if item[0][0] == index)
    ((_, record_id), document) = next(i for i in changes.added.items() if i[0][0] != index)
    assert value == record_id
    record = json.loads(document)
    stored = record["hashedToken" if is_hashed else "token"]
    assert stored.encode() == key
    assert ("token" in record) is not is_hashed
    assert (stored == token) is not is_hashed
    assert record["permissions"] == [p.to_json() for p in operator_permissions(level)]
    assert oracle.check(store) == []
    assert oracle.rewrite_records([("authorization", document)]) == [document]


def test_a_backup_has_the_old_bytes_and_the_rights_of_the_store(
    cli: Cli, level21_bolt: Path
) -> None:
    level21_bolt.chmod(0o640)
    before = level21_bolt.stat()
    content = level21_bolt.read_bytes()
    assert make(cli, level21_bolt, "--token-file", cli.home / "token").code == 0
    (backup,) = level21_bolt.parent.glob("*.backup")
    assert ".auth-create-operator." in backup.name
    assert sha256(backup.read_bytes()).digest() == sha256(content).digest()
    assert (stat.S_IMODE(backup.stat().st_mode), backup.stat().st_uid) == (0o600, before.st_uid)
    after = level21_bolt.stat()
    assert (after.st_ino, after.st_mode, after.st_uid, after.st_gid) == (
        before.st_ino,
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )


def test_a_token_file_is_new_private_and_holds_the_token_only(cli: Cli, level21_bolt: Path) -> None:
    place = cli.home / "token"
    done = make(cli, level21_bolt, "--token-file", place)
    assert done.code == 0
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    token = place.read_text()
    assert len(token) == 89
    assert token.rstrip() not in done.stdout + done.stderr


def test_a_new_token_is_found_in_the_list_as_full_operator(cli: Cli, level21_bolt: Path) -> None:
    made = make(cli, level21_bolt, "--json", "--token-file", cli.home / "token")
    document = json.loads(made.stdout)
    assert (document["version"], document["is_changed"]) == (1, True)
    listed = cli.run("auth", "list", "--operators", "--json", "--bolt-path", level21_bolt)
    by_id = {item["id"]: item for item in json.loads(listed.stdout)["authorizations"]}
    (record_id,) = document["record_ids"]
    item = by_id[record_id]
    assert (item["operator"], item["is_usable"], item["user"]) == ("full", True, "testuser")
    assert item["description"] == "testuser's Recovery Token"
    assert Path(document["backup_path"]).exists()


def test_names_and_description_are_taken_as_given(cli: Cli, level21_bolt: Path) -> None:
    words = ["--org", "myorg", "--username", "testuser", "--description", "for ticket 4711"]
    assert make(cli, level21_bolt, "--token-stdout", *words).code == 0
    assert "for ticket 4711" in cli.run("auth", "list", "--bolt-path", level21_bolt).stdout


def test_a_dry_run_prints_the_plan_and_writes_nothing(cli: Cli, level21_bolt: Path) -> None:
    before, content = level21_bolt.stat(), level21_bolt.read_bytes()
    done = cli.run("auth", "create-operator", "--dry-run", "--bolt-path", level21_bolt)
    assert (done.code, done.stderr) == (0, "")
    assert "user testuser, organization myorg" in done.stdout
    assert "nothing was written" in done.stdout
    assert (before, content) == (level21_bolt.stat(), level21_bolt.read_bytes())
    assert sorted(p.name for p in level21_bolt.parent.iterdir()) == ["home", "level21.bolt"]
    assert list(cli.home.iterdir()) == []


def test_a_dry_run_for_a_program_is_one_document(cli: Cli, level21_bolt: Path) -> None:
    done = cli.run("auth", "create-operator", "--dry-run", "--json", "--bolt-path", level21_bolt)
    document = json.loads(done.stdout)
    assert (document["is_dry_run"], document["is_changed"]) == (True, False)
    assert document["backup_path"] is None


def test_output_leaves_the_store_alone_and_works_on_a_copy(
    cli: Cli, level21_bolt: Path, oracle: Oracle
) -> None:
    before, content = level21_bolt.stat(), level21_bolt.read_bytes()
    copy = cli.home / "rehearsal.bolt"
    done = make(cli, level21_bolt, "--output", copy, "--token-file", cli.home / "token")
    assert done.code == 0
    after = level21_bolt.stat()
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
    assert content == level21_bolt.read_bytes()
    assert oracle.check(copy) == []
    added = difference(oracle.dump(level21_bolt), oracle.dump(copy))
    assert set(added.places) == {"added"}
    assert list(level21_bolt.parent.glob("*.backup")) == []


def test_the_ledger_says_what_was_done_and_why_but_not_the_token(
    cli: Cli, level21_bolt: Path
) -> None:
    environ = {"SUDO_USER": "carol"}
    done = cli.run(
        "auth", "create-operator", "--yes", "--token-stdout", "--reason", "ticket 4711",
        "--bolt-path", level21_bolt, environ=environ,
    )  # fmt: skip
    with sqlite3.connect(cli.ledger) as connection:
        connection.row_factory = sqlite3.Row
        rows = list(connection.execute("SELECT * FROM entries ORDER BY id"))
    connection.close()
    assert [(row["phase"], row["outcome"]) for row in rows] == [
        ("intent", "pending"),
        ("done", "done"),
    ]
    assert {row["operation"] for row in rows} == {"auth create-operator"}
    assert {(row["sudo_user"], row["reason"]) for row in rows} == {("carol", "ticket 4711")}
    assert done.stdout.rstrip().encode() not in cli.ledger.read_bytes()


@pytest.mark.pty
@pytest.mark.parametrize(("columns", "lines"), [(80, "two lines"), (40, "three lines")])
def test_a_person_sees_the_plan_types_yes_and_gets_the_token_on_the_terminal(
    cli: Cli, level21_bolt: Path, columns: int, lines: str
) -> None:
    with cli.at_terminal(
        "auth", "create-operator", "--bolt-path", level21_bolt, columns=columns
    ) as terminal:
        terminal.wait_for("Type yes to change")
        assert "user testuser, organization myorg" in " ".join(terminal.text.split())
        terminal.type("y\n")
        terminal.wait_for("Type the whole word yes")
        terminal.type("yes\n")
        done = terminal.end()
    assert done.code == 0
    token = next(line for line in done.stdout.splitlines() if len(line) == 88)
    verdict = cli.run("auth", "list", "--show-tokens", "--json", "--bolt-path", level21_bolt)
    hashes = {item["token"] for item in json.loads(verdict.stdout)["authorizations"]}
    assert any(value.startswith("$influxdb2-sha256$") for value in hashes)
    assert token not in hashes
    assert done.stdout.count(token) == 1
    said = " ".join(done.stdout.split())
    assert f"{lines} here and is one word" in said, "so few columns are too few for it"
    assert len(max(done.stdout.partition("shown only")[0].split("\n\n")[-1].split("\n"))) <= columns


@pytest.mark.pty
@pytest.mark.parametrize("answers", ["no\n", "\n", "\x04", "y\n|y\n", "y\n|\x04"])
def test_any_other_answer_changes_nothing(cli: Cli, level21_bolt: Path, answers: str) -> None:
    content = level21_bolt.read_bytes()
    place = cli.home / "token"
    words = ("auth", "create-operator", "--bolt-path", level21_bolt, "--token-file", place)
    with cli.at_terminal(*words) as terminal:
        questions = ("Type yes to change", "the whole word")
        for question, answer in zip(questions, answers.split("|"), strict=False):
            terminal.wait_for(question)
            terminal.type(answer)
        done = terminal.end()
    assert done.code == ExitCode.REFUSED
    assert "nothing was changed" in done.stdout
    assert content == level21_bolt.read_bytes()
    assert not place.exists()
    assert list(level21_bolt.parent.glob("*.backup")) == []


@pytest.mark.pty
def test_control_c_at_the_question_changes_nothing_and_says_so(
    cli: Cli, level21_bolt: Path
) -> None:
    content = level21_bolt.read_bytes()
    with cli.at_terminal("auth", "create-operator", "--bolt-path", level21_bolt) as terminal:
        terminal.wait_for("Type yes to change")
        terminal.type("\x03")
        done = terminal.end()
    assert done.code == ExitCode.INTERRUPTED
    assert "interrupted; nothing was changed" in done.stdout
    assert content == level21_bolt.read_bytes()


@pytest.mark.pty
def test_a_dry_run_at_a_terminal_asks_nothing(cli: Cli, level21_bolt: Path) -> None:
    words = ("auth", "create-operator", "--dry-run", "--bolt-path", level21_bolt)
    with cli.at_terminal(*words) as terminal:
        done = terminal.end()
    assert done.code == 0
    assert "Type yes" not in done.stdout


@pytest.mark.pty
def test_a_terminal_gets_the_token_even_when_stdout_is_elsewhere(
    cli: Cli, level21_bolt: Path
) -> None:
    words = ("auth", "create-operator", "--yes", "--json", "--bolt-path", level21_bolt)
    report = cli.home / "report"
    with report.open("wb") as file, cli.at_terminal(*words, stdout=file) as terminal:
        done = terminal.end()
    assert done.code == 0
    token = next(line for line in done.stdout.splitlines() if len(line) == 88)
    assert token not in report.read_text()
    assert json.loads(report.read_text())["is_changed"] is True


def test_behind_the_word_recovery_the_token_is_where_scripts_of_influxd_cut_it_out(
    cli: Cli, tmp_path: Path
) -> None:
    store = make_store(tmp_path / "influxd.bolt", level=21)
    words = ("auth", "create-operator", "--username", "alice", "--org", "acme", "--yes")
    where = ("--token-stdout", "--bolt-path", store.path)
    head, row = cli.run_here("recovery", *words, *where).stdout.splitlines()
    assert head.startswith(  # as influxd 2.9.1 prints it for one authorization with this name
        f"ID{TAB * 3}User Name{TAB}User ID{TAB * 3}Description{TAB * 2}Token{TAB * 12}Permissions"
    )
    authorization_id, name, _, user_id, text, token, permissions = row.split(TAB)
    assert (name, user_id, text) == ("alice", store.alice, "alice's Recovery Token")
    assert permissions.startswith("[read:authorizations write:authorizations read:buckets ")
    token_file = tmp_path / "token"
    token_file.write_text(token)
    token_file.chmod(0o600)
    verified = cli.run_here("auth", "verify", "--token-file", token_file, *where[1:])
    assert (verified.code, authorization_id in verified.stdout) == (0, True)
    alone = cli.run_here(*words, *where).stdout
    assert len(alone) == len(token) + 1


TAB = "\t"
