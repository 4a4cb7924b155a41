"""The three listings, on stores that real servers wrote and on one of ours."""

import json
import os
import re
from pathlib import Path
from typing import Final

import pytest

from recovery.metastore.transaction import MetaTx
from recovery.services.tenancy.user_creation import CreateUser
from tests.support.ports import FixedClock
from tests.support.run_cli import PROJECT, Cli
from tests.support.stores import (
    CHANGED_AT,
    HASHED_TOKEN,
    OPERATOR_TOKEN,
    MadeStore,
    SeededRng,
    change,
    edit,
    make_store,
)

FIELDS: Final = {
    "usersv1": "name",
    "organizationsv1": "name",
    "bucketsv1": "name",
    "authorizationsv1": "description",
}
GOLDEN: Final = PROJECT / "tests" / "golden"
OPERATOR_OF_LEVEL21: Final = (
    "A9Ovdl8SmP-rfp8wQ2vJoPUsZoQQJ3EochD88SlJcgrcLw4HBwgUqpSHQxc9N9Drg0_aY6Lp1jutBRcKhbV7aQ=="
)


@pytest.fixture
def made_store(tmp_path: Path) -> MadeStore:
    """A store with tokens of every kind."""
    return make_store(tmp_path / "influxd.bolt", level=21)


def test_user_list_names_the_users_of_a_real_store(cli: Cli, level17_bolt: Path) -> None:
    done = cli.run("user", "list", "--bolt-path", level17_bolt, "--json")
    document = json.loads(done.stdout)
    assert (done.code, document["version"]) == (0, 1)
    assert (document["store"]["level"], document["store"]["reason"]) == (17, "from --bolt-path")
    assert document["users"] == [
        {
            "id": "08371db1dd8c8000",
            "name": "testuser",
            "status": "active",
            "has_password": True,
            "memberships": [
                {"organization_id": "dd7cd2292f6e974a", "organization": "myorg", "role": "owner"}
            ],
            "is_instance_owner": False,
        }
    ]


def test_org_list_names_the_organizations_of_a_real_store(cli: Cli, level21_bolt: Path) -> None:
    done = cli.run("org", "list", "--bolt-path", level21_bolt, "--json")
    (organization,) = json.loads(done.stdout)["organizations"]
    assert (organization["id"], organization["name"]) == ("dd7cd2292f6e974a", "myorg")
    assert [one["user"] for one in organization["owners"]] == ["testuser"]


@pytest.mark.parametrize(("level", "operator", "count"), [(17, "full", 40), (21, "full", 44)])
def test_auth_list_judges_the_tokens_of_a_real_store(
    cli: Cli, stores_dir: Path, level: int, operator: str, count: int
) -> None:
    done = cli.run("auth", "list", "--bolt-path", stores_dir / f"level{level}.bolt", "--json")
    first, second = json.loads(done.stdout)["authorizations"]
    assert ("08371db24dcc8000", operator, count) == (
        first["id"],
        first["operator"],
        first["permission_count"],
    )
    assert count == len(first["permissions"])
    assert (second["operator"], second["token"]) == ("no", "REDACTED (raw)")
    assert (second["permissions"]) == [
        {"action": "read", "resource": {"type": "buckets", "orgID": "dd7cd2292f6e974a"}}
    ]


def test_every_id_and_time_of_json_has_its_form(cli: Cli, made_store: MadeStore) -> None:
    text = cli.run("auth", "list", "--bolt-path", made_store.path, "--json").stdout
    for item in json.loads(text)["authorizations"]:
        assert re.fullmatch(r"[0-9a-f]{16}", item["id"])
        assert re.fullmatch(r"[0-9a-f]{16}", item["user_id"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", item["created_at"])


def test_filters_choose_by_user_organization_and_kind(cli: Cli, made_store: MadeStore) -> None:
    def ids(*words: str) -> list[str]:
        done = cli.run("auth", "list", "--bolt-path", made_store.path, "--json", *words)
        return [item["id"] for item in json.loads(done.stdout)["authorizations"]]

    everything = [
        made_store.operator,
        made_store.old_operator,
        made_store.reader,
        made_store.hashed,
    ]
    assert everything == ids()
    assert everything[:2] == ids("--operators")
    assert everything[2:] == ids("--user", "bob")
    assert everything == ids("--org", "acme")
    assert ids("--org", "other") == []
    assert everything[:2] == ids("--user", "alice", "--org", "acme", "--operators")


def test_a_partial_operator_says_what_it_lacks(cli: Cli, made_store: MadeStore) -> None:
    done = cli.run("auth", "list", "--bolt-path", made_store.path)
    assert "partial (lacks read/write notebooks, annotations, remotes, replications)" in done.stdout


def test_tokens_show_only_when_asked_for_and_that_is_recorded(cli: Cli, level21_bolt: Path) -> None:
    assert OPERATOR_OF_LEVEL21 not in cli.run("auth", "list", "--bolt-path", level21_bolt).stdout
    assert not cli.ledger.exists()
    done = cli.run("auth", "list", "--show-tokens", "--bolt-path", level21_bolt)
    assert OPERATOR_OF_LEVEL21 in done.stdout
    content = cli.ledger.read_bytes()
    assert b"auth list --show-tokens" in content
    assert OPERATOR_OF_LEVEL21.encode() not in content


def test_a_hashed_token_shows_its_hash_when_asked_for(cli: Cli, made_store: MadeStore) -> None:
    done = cli.run("auth", "list", "--show-tokens", "--json", "--bolt-path", made_store.path)
    tokens = {item["id"]: item["token"] for item in json.loads(done.stdout)["authorizations"]}
    assert tokens[made_store.operator] == OPERATOR_TOKEN
    assert tokens[made_store.hashed].startswith("$influxdb2-sha256$")
    assert HASHED_TOKEN not in done.stdout


@pytest.mark.parametrize("noun", ["user", "org", "auth"])
def test_a_listing_changes_nothing_at_all(cli: Cli, level21_bolt: Path, noun: str) -> None:
    os.utime(level21_bolt, ns=(1_000_000_000, 1_000_000_000))
    before = level21_bolt.stat()
    content = level21_bolt.read_bytes()
    os.utime(level21_bolt, ns=(before.st_atime_ns, before.st_mtime_ns))
    before = level21_bolt.stat()
    assert cli.run(noun, "list", "--bolt-path", level21_bolt).code == 0
    assert before == level21_bolt.stat()
    assert content == level21_bolt.read_bytes()
    assert sorted(p.name for p in level21_bolt.parent.iterdir()) == ["home", "level21.bolt"]
    assert list(cli.home.iterdir()) == []


@pytest.mark.parametrize("noun", ["user", "org", "auth", "bucket", "v1-auth"])
def test_tables_fit_the_terminal(
    cli: Cli, made_store: MadeStore, noun: str, *, update_golden: bool
) -> None:
    environ = {"INFLUXD_BOLT_PATH": str(made_store.path)}
    shown = ""
    for columns in (40, 60, 80, 132):
        done = cli.shown_here(noun, "list", columns=columns, environ=environ)
        head, _, body = done.stdout.partition("\n\n")
        assert done.code == 0
        assert str(made_store.path) in head, "a path is never broken"
        assert "(from INFLUXD_BOLT_PATH)" in head.replace("\n", " ")
        assert columns >= max(map(len, body.splitlines()))
        shown += f"== {columns} columns\n{body}"
    golden = GOLDEN / f"{noun}_list.txt"
    if update_golden:
        golden.write_text(shown)
    assert golden.read_text() == shown


@pytest.mark.pty
def test_the_width_of_a_terminal_is_that_which_it_has(cli: Cli, made_store: MadeStore) -> None:
    words = ("user", "list", "--bolt-path", made_store.path)
    with cli.at_terminal(*words, columns=40, environ={"NO_COLOR": "1"}) as terminal:
        text = terminal.end().stdout
    assert "ID             0cff2e2708da0001\n" in text


@pytest.mark.pty
def test_colour_is_for_terminals_and_can_be_turned_off(cli: Cli, level21_bolt: Path) -> None:
    words = ("user", "list", "--bolt-path", level21_bolt)
    with cli.at_terminal(*words) as terminal:
        assert "\x1b[" in terminal.end().stdout
    with cli.at_terminal(*words, environ={"NO_COLOR": "1"}) as terminal:
        assert "\x1b[" not in terminal.end().stdout
    assert "\x1b[" not in cli.run(*words).stdout


def test_a_reader_who_leaves_early_is_no_error(cli: Cli, level21_bolt: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        done = cli.run("auth", "list", "--bolt-path", level21_bolt, stdout=gone)
    assert (done.code, "error:" in done.stderr) == (0, False)


@pytest.mark.parametrize(("noun", "name"), [("user", "testuser"), ("org", "myorg")])
def test_a_script_gets_the_table_and_nothing_else(
    cli: Cli, level21_bolt: Path, noun: str, name: str
) -> None:
    """The headings first, then the rows, ID and name in front."""
    done = cli.run_here(noun, "list", "--bolt-path", level21_bolt)
    heading, row = done.stdout.splitlines()
    assert heading.split()[0] == "ID"
    assert row.split()[1] == name
    assert f"Store: {level21_bolt}" in done.stderr


TAB = "\t"


@pytest.mark.parametrize(
    ("noun", "row"), [("user", "08371db1dd8c8000\ttestuser"), ("org", "dd7cd2292f6e974a\tmyorg")]
)
def test_behind_the_word_recovery_a_list_has_the_bytes_of_influxd(
    cli: Cli, level21_bolt: Path, noun: str, row: str
) -> None:
    done = cli.run_here("recovery", noun, "list", "--bolt-path", level21_bolt)
    assert done.stdout == f"ID{TAB * 3}Name\n{row}\n"


@pytest.mark.parametrize("how", [(), ("--show-tokens",)])
def test_behind_the_word_recovery_tokens_have_the_columns_of_influxd(
    cli: Cli, tmp_path: Path, how: tuple[str, ...]
) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    done = cli.run_here("recovery", "auth", "list", *how, "--bolt-path", made.path)
    heading, *rows = (
        [cell for cell in line.split(TAB) if cell] for line in done.stdout.splitlines()
    )
    assert heading == ["ID", "User Name", "User ID", "Description", "Token", "Permissions"]
    full = next(row for row in rows if "write:authorizations" in row[-1])
    assert full[1:3] == ["alice", made.alice]
    assert full[-1].startswith("[read:authorizations write:authorizations ")
    assert full[-1].endswith("]")
    assert full[-2].startswith("REDACTED") is not bool(how)


def test_behind_the_word_recovery_a_change_prints_what_it_made_where_influxd_does(
    cli: Cli, tmp_path: Path
) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    password = tmp_path / "password"
    password.write_text("correct horse")
    password.chmod(0o600)
    typed = ("--username", "bert", "--password-file", password)
    for words in (
        ("org", "create", "--org", "new", "--owner", "alice"),
        ("user", "create", "--org", "acme", *typed),
        ("user", "update", *typed),
    ):
        name = {"org": "new", "user": "bert"}[words[0]]
        where = ("--yes", "--bolt-path", made.path)
        done = cli.run_here("recovery", *words, *where, "--dry-run")
        assert "\t" not in done.stdout
        done = cli.run_here("recovery", *words, *where)
        heading, row = done.stdout.splitlines()
        assert heading == f"ID{TAB * 3}Name"
        record_id, shown = row.split(TAB)
        assert shown == name
        assert "Backup: " in done.stderr
        assert record_id in cli.run_here(words[0], "list", *where[1:]).stdout


def test_a_result_that_cannot_be_written_is_an_error(cli: Cli, level21_bolt: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = cli.run("auth", "list", "--json", "--bolt-path", level21_bolt, stdout=full)
    assert done.code == 8
    assert "standard output cannot be written" in done.error
    assert done.error.endswith("nothing was changed")


def test_a_closed_stdout_is_an_error_and_a_closed_stderr_is_none(
    cli: Cli, level21_bolt: Path
) -> None:
    words = ("user", "list", "--bolt-path", level21_bolt)
    done = cli.run(*words, prefix=("/bin/sh", "-c", 'exec "$@" >&-', "sh"))
    assert done.code == 8
    assert done.error.endswith("nothing was changed")
    done = cli.run(*words, prefix=("/bin/sh", "-c", 'exec "$@" 2>&-', "sh"))
    assert (done.code, done.stderr) == (0, "")
    assert "testuser" in done.stdout


EVIL = "adm\u0456n\x1b[2J\u202egnp.exe\n\u200b\u00a0\\"


@pytest.fixture
def evil_path(tmp_path: Path) -> Path:
    """A store with a user whose name would play tricks on a terminal."""
    path = make_store(tmp_path / "influxd.bolt", level=21).path
    change(
        path,
        CreateUser(
            name=EVIL,
            password=None,
            organization=None,
            has_role=False,
            is_owner=False,
            is_ensured=False,
            clock=FixedClock(CHANGED_AT),
            rng=SeededRng(),
        ),
    )
    return path


def test_names_cannot_play_tricks_on_a_terminal(cli: Cli, evil_path: Path) -> None:
    done = cli.run("user", "list", "--bolt-path", evil_path)
    assert all(line.isprintable() for line in done.stdout.splitlines())
    assert "adm\u0456n\\x1b[2J\\u202egnp.exe\\n\\u200b\\xa0\\\\" in done.stdout
    done = cli.run("auth", "list", "--user", "x" + EVIL, "--bolt-path", evil_path)
    assert all(line.isprintable() for line in done.stderr.splitlines())
    assert len(done.stderr.splitlines()) == 2


def test_names_are_whole_and_escaped_for_a_program(cli: Cli, evil_path: Path) -> None:
    done = cli.run("user", "list", "--json", "--bolt-path", evil_path)
    assert EVIL in {user["name"] for user in json.loads(done.stdout)["users"]}


def test_a_terminal_without_unicode_gets_escapes(cli: Cli, evil_path: Path) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = cli.run("user", "list", "--bolt-path", evil_path, environ=plain)
    assert done.code == 0
    assert "adm\\u0456n" in done.stdout


@pytest.mark.parametrize("noun", ["user", "org", "bucket", "auth"])
def test_json_holds_nothing_that_a_terminal_obeys_or_hides(
    cli: Cli, made_store: MadeStore, noun: str
) -> None:
    odd = "x\u009b31m\x7f\u202e\u2028\U0001d173y"

    def rename(tx: MetaTx) -> None:
        for table, field in FIELDS.items():
            for key, document in list(tx.table(table).items()):
                record = json.loads(document) | {field: odd}
                stored = json.dumps(record, ensure_ascii=False).encode()
                tx.table(table).put(key, stored)

    edit(made_store.path, rename)
    text = cli.run(noun, "list", "--bolt-path", made_store.path, "--json").stdout
    assert text.isascii()
    assert "\x7f" not in text
    assert json.dumps(odd)[1:-1].replace("\x7f", "\\u007f") in text


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("auth list --status inactive", []),
        ("auth list --id {reader}", ["reader"]),
        ("auth find -i {reader} -u bob", ["reader"]),
        ("auth ls --limit 1 --offset 1", ["old_operator"]),
        ("auth list --user alice --sort created --reverse", ["old_operator", "operator"]),
    ],
)
def test_the_flags_of_influx_choose_rows(
    cli: Cli, made_store: MadeStore, typed: str, expected: list[str]
) -> None:
    words = typed.format(reader=made_store.reader).split()
    done = cli.run_here(*words, "--json", "--bolt-path", made_store.path)
    found = [one["id"] for one in json.loads(done.stdout)["authorizations"]]
    assert found == [getattr(made_store, one) for one in expected]


@pytest.mark.parametrize("noun", ["auth", "v1-auth", "user", "org", "bucket"])
def test_every_listing_can_be_limited_and_printed_without_headings(
    cli: Cli, made_store: MadeStore, noun: str
) -> None:
    listing = (noun, "list", "--bolt-path", made_store.path)
    whole = cli.run_here(*listing).stdout.splitlines()
    assert whole[0].startswith("ID ")
    assert cli.run_here(*listing, "--hide-headers").stdout.splitlines() == whole[1:]
    limited = cli.run_here(*listing, "--limit", "1", "--hide-headers")
    assert len(limited.stdout.splitlines()) == min(1, len(whole) - 1)
    if len(whole) > 2:
        assert "There are more: --offset 1 shows the next, --limit 0 all." in limited.stderr
