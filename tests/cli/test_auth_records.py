"""The commands that make, check, show, change and delete authorizations, as a person runs them."""

import json
from pathlib import Path

import pytest

from recovery.errors import ExitCode
from tests.support.invariants import assert_invariants
from tests.support.oracle import Oracle
from tests.support.run_cli import Cli, Ended
from tests.support.stores import (
    HASHED_TOKEN,
    OLD_OPERATOR_TOKEN,
    OPERATOR_TOKEN,
    READER_TOKEN,
    MadeStore,
    difference,
    make_store,
)

GIVEN = "canary-given-token-0123456789"
MADE_HERE = (OPERATOR_TOKEN, OLD_OPERATOR_TOKEN, READER_TOKEN, HASHED_TOKEN, GIVEN)


@pytest.fixture
def store(tmp_path: Path) -> MadeStore:
    return make_store(tmp_path / "influxd.bolt", level=21)


def secret_file(cli: Cli, secret: str, name: str = "secret") -> Path:
    path = cli.home / name
    path.write_text(f"{secret}\n")
    return path


def auth(cli: Cli, store: MadeStore, verb: str, *words: object) -> Ended:
    return cli.run("auth", verb, "--bolt-path", store.path, *words)


def test_create_hands_over_a_token_that_verify_knows(cli: Cli, store: MadeStore) -> None:
    place = cli.home / "new.token"
    words = ("--user", "bob", "--org", "acme", "--read-bucket", "sensors", "--write-tasks")
    done = auth(cli, store, "create", *words, "--token-file", place, "--yes", "--json")
    assert done.code == 0
    made = json.loads(done.stdout)
    assert made["is_changed"]
    assert made["plan"]["permissions"] == [
        f"read:orgs/{store.org}/buckets/{store.bucket}",
        f"write:orgs/{store.org}/tasks",
    ]
    checked = auth(cli, store, "verify", "--token-file", place, "--json")
    assert checked.code == 0
    document = json.loads(checked.stdout)
    assert (document["answer"], document["authorization"]["id"]) == (
        "accepted",
        made["record_ids"][0],
    )
    assert place.read_text().rstrip() not in done.stdout + done.stderr + checked.stdout
    assert_invariants(store.path)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "no permission was named"),
        (["--operator", "--all-access"], "cannot be given together"),
        (["--operator", "--read-tasks"], "cannot be combined"),
        (["--read-tasks", "--ensure"], "--ensure needs --token-value-file"),
        (["--permissions", "-", "--token-value-file", "-"], "both claim standard input"),
        (["--read-tasks", "--token-stdout", "--json"], "both claim standard output"),
        (["--read-tasks", "--raw", "--hashed"], "cannot be given together"),
        (["--read-flows"], "unknown option"),
    ],
)
def test_options_that_make_no_sense_together_are_answered_before_the_store_is_looked_at(
    cli: Cli, words: list[str], sentence: str
) -> None:
    done = cli.run("auth", "create", "--bolt-path", "/nowhere", "--yes", *words)
    assert done.code == ExitCode.USAGE
    assert sentence in done.error


def test_the_older_words_of_the_influx_command_are_understood(cli: Cli, store: MadeStore) -> None:
    words = ("--username", "bob", "--org", "acme", "--read-user", "--write-dbrps", "--dry-run")
    done = auth(cli, store, "create", *words, "--json")
    assert json.loads(done.stdout)["plan"]["permissions"] == [
        "read:users",
        f"write:orgs/{store.org}/dbrp",
    ]


def test_permissions_come_from_a_file_or_standard_input(cli: Cli, store: MadeStore) -> None:
    document = [{"action": "read", "resource": {"type": "tasks", "orgID": store.org}}]
    place = cli.home / "permissions.json"
    place.write_text(json.dumps(document))
    words = ("create", "--user", "bob", "--org", "acme", "--dry-run", "--json", "--permissions")
    expected = [f"read:orgs/{store.org}/tasks"]
    done = auth(cli, store, *words, place)
    assert json.loads(done.stdout)["plan"]["permissions"] == expected
    done = cli.run(
        "auth",
        *words,
        "-",
        "--bolt-path",
        store.path,
        prefix=["sh", "-c", 'exec "$@" <"$0"', str(place)],
    )
    assert json.loads(done.stdout)["plan"]["permissions"] == expected


@pytest.mark.parametrize("verb", ["create", "create-operator"])
def test_a_given_value_is_used_once_and_ensured_twice(
    cli: Cli, store: MadeStore, verb: str
) -> None:
    place = secret_file(cli, GIVEN)
    words = ["--username", "alice", "--org", "acme", "--token-value-file", place, "--yes"]
    if verb == "create":
        words.append("--all-access")
    assert auth(cli, store, verb, *words).code == 0
    content = store.path.read_bytes()
    refused = auth(cli, store, verb, *words)
    assert (refused.code, content) == (ExitCode.REFUSED, store.path.read_bytes())
    assert "exists already" in refused.error
    done = auth(cli, store, verb, *words, "--ensure", "--json")
    assert (done.code, json.loads(done.stdout)["is_changed"]) == (0, False)
    assert content == store.path.read_bytes()
    assert auth(cli, store, "verify", "--token-file", place).code == 0
    assert GIVEN not in refused.stderr + done.stdout + done.stderr


def test_a_value_that_can_be_guessed_is_refused(cli: Cli, store: MadeStore) -> None:
    words = ("--username", "alice", "--org", "acme", "--yes")
    place = secret_file(cli, "s3cret")
    done = auth(cli, store, "create-operator", *words, "--token-value-file", place)
    assert done.code == ExitCode.REFUSED
    assert "6 characters" in done.error
    assert "s3cret" not in done.stderr


@pytest.mark.parametrize(
    ("secret", "code", "answer"),
    [
        (HASHED_TOKEN, ExitCode.DONE, "accepted"),
        ("a-token-of-nobody", ExitCode.REFUSED, "unknown"),
    ],
)
def test_verify_tells_a_script_by_its_exit_code_and_changes_nothing(
    cli: Cli, store: MadeStore, secret: str, code: ExitCode, answer: str
) -> None:
    before = store.path.stat()
    done = auth(cli, store, "verify", "--token-file", secret_file(cli, secret), "--json")
    assert (done.code, json.loads(done.stdout)["answer"]) == (code, answer)
    assert secret not in done.stdout + done.stderr
    after = store.path.stat()
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)


@pytest.mark.pty
def test_verify_asks_for_the_token_and_does_not_show_it(cli: Cli, store: MadeStore) -> None:
    with cli.at_terminal("auth", "verify", "--bolt-path", store.path) as terminal:
        terminal.wait_for("it does not show")
        terminal.type(f"{READER_TOKEN}\n")
        done = terminal.end()
    assert done.code == 0
    assert "A server would accept this token" in done.stdout
    assert READER_TOKEN not in done.stdout


def test_verify_without_a_terminal_or_a_file_says_what_to_do(cli: Cli, store: MadeStore) -> None:
    done = auth(cli, store, "verify")
    assert done.code == ExitCode.REFUSED
    assert "no terminal" in done.error


def test_show_has_everything_but_the_token(cli: Cli, store: MadeStore) -> None:
    done = auth(cli, store, "show", store.reader, "--json")
    one = json.loads(done.stdout)["authorization"]
    assert (one["user"], one["organization"], one["token"]) == ("bob", "acme", "REDACTED (raw)")
    assert one["is_usable"]
    done = auth(cli, store, "show", store.reader)
    assert "reads <sensors> & \\u2028" in done.stdout
    assert READER_TOKEN not in done.stdout


def test_show_gives_the_token_when_asked_and_records_that(cli: Cli, store: MadeStore) -> None:
    hashed = auth(cli, store, "show", store.hashed, "--show-tokens")
    assert "=, a hash and no token: nothing gives it back\n" in hashed.stdout
    done = auth(cli, store, "show", store.reader, "--show-tokens", "--json")
    assert json.loads(done.stdout)["authorization"]["token"] == READER_TOKEN
    assert b"auth show --show-tokens" in cli.ledger.read_bytes()
    assert READER_TOKEN.encode() not in cli.ledger.read_bytes()


def test_an_id_that_is_none_or_unknown_is_refused(cli: Cli, store: MadeStore) -> None:
    for verb in ("show", "set-active", "set-inactive", "delete", "complete", "hash"):
        words = () if verb == "show" else ("--yes",)
        done = auth(cli, store, verb, "nonsense", *words)
        assert done.code == ExitCode.USAGE
        done = auth(cli, store, verb, "00000000000000ff", *words)
        assert done.code == ExitCode.NOT_FOUND
        assert store.operator in done.error


def test_a_token_goes_out_of_force_and_back_and_away(cli: Cli, store: MadeStore) -> None:
    place = secret_file(cli, READER_TOKEN)
    for verb, code in (("set-inactive", 7), ("set-active", 0), ("delete", 7)):
        assert auth(cli, store, verb, store.reader, "--yes").code == 0
        assert auth(cli, store, "verify", "--token-file", place).code == code
        assert_invariants(store.path)
    assert auth(cli, store, "delete", store.reader, "--yes").code == ExitCode.NOT_FOUND
    done = auth(cli, store, "delete", store.reader, "--yes", "--ensure", "--json")
    assert (done.code, json.loads(done.stdout)["is_changed"]) == (0, False)


def test_complete_makes_an_old_operator_full(cli: Cli, store: MadeStore) -> None:
    done = auth(cli, store, "list", "--operators", "--json")
    assert [one["operator"] for one in json.loads(done.stdout)["authorizations"]] == [
        "full",
        "partial",
    ]
    assert auth(cli, store, "complete", store.old_operator, "--yes").code == 0
    done = auth(cli, store, "list", "--operators", "--json")
    assert {one["operator"] for one in json.loads(done.stdout)["authorizations"]} == {"full"}


def test_hash_needs_one_id_or_all(cli: Cli, store: MadeStore) -> None:
    for words in ([], ["--all", store.reader]):
        assert auth(cli, store, "hash", *words).code == ExitCode.USAGE


def test_hash_all_keeps_every_token_working_and_shows_none(cli: Cli, store: MadeStore) -> None:
    done = auth(cli, store, "hash", "--all", "--yes")
    assert done.code == 0
    assert "unless store undo puts the backup back" in " ".join(done.stderr.split())
    for token in (OPERATOR_TOKEN, OLD_OPERATOR_TOKEN, READER_TOKEN, HASHED_TOKEN):
        assert auth(cli, store, "verify", "--token-file", secret_file(cli, token)).code == 0
        assert token not in done.stdout + done.stderr


@pytest.mark.parametrize("verb", ["set-inactive", "delete", "complete", "hash"])
def test_a_dry_run_shows_the_plan_and_writes_nothing(cli: Cli, store: MadeStore, verb: str) -> None:
    content = store.path.read_bytes()
    which = store.old_operator if verb == "complete" else store.reader
    done = auth(cli, store, verb, which, "--dry-run")
    assert done.code == 0
    assert f"Plan of auth {verb}" in done.stdout
    assert content == store.path.read_bytes()
    assert not cli.ledger.exists()
    assert [store.path] == list(store.path.parent.glob("influxd*"))


def test_recovery_with_hashes_loses_neither_the_new_token_nor_the_others(
    cli: Cli, store: MadeStore, oracle: Oracle
) -> None:
    """There the new token is never shown, and every other token is hashed before all else."""
    before = oracle.dump(store.path)
    words = ("--username", "alice", "--org", "acme", "--store-token-hashes", "--yes")
    done = auth(cli, store, "create-operator", *words, "--token-stdout")
    changed = difference(before, oracle.dump(store.path))
    assert changed.places == {"added": ["authorizationhashedindexv1", "authorizationsv1"]}
    token = secret_file(cli, done.stdout.strip())
    assert auth(cli, store, "verify", "--token-file", token).code == 0


def test_recovery_with_a_missing_flag_changes_nothing(cli: Cli, store: MadeStore) -> None:
    """There, a run that ends in "must provide --username" has hashed the whole store already."""
    content = store.path.read_bytes()
    words = ("--org", "acme", "--store-token-hashes", "--yes", "--token-stdout")
    done = auth(cli, store, "create-operator", *words)
    assert (done.code, content) == (ExitCode.REFUSED, store.path.read_bytes())
    assert "alice" in done.error


def test_making_a_token_shows_no_other_token(cli: Cli, store: MadeStore) -> None:
    """`influxd recovery` prints every token of every user after making one."""
    words = ("--username", "alice", "--org", "acme", "--yes", "--token-stdout")
    done = auth(cli, store, "create-operator", *words)
    assert done.code == 0
    for token in (OPERATOR_TOKEN, OLD_OPERATOR_TOKEN, READER_TOKEN):
        assert token not in done.stdout + done.stderr


def test_secrets_stay_out_of_everything_that_commands_leave_behind(
    cli: Cli, store: MadeStore
) -> None:
    said = []
    place = secret_file(cli, GIVEN)
    for verb, *words in (
        ("create", "--user", "bob", "--org", "acme", "--all-access", "--token-value-file", place),
        ("set-inactive", store.reader),
        ("set-active", store.reader),
        ("complete", store.old_operator),
        ("hash", store.reader),
        ("delete", store.reader),
    ):
        done = auth(cli, store, verb, *words, "--yes", "--log-level", "debug", "--reason", "test")
        assert done.code == 0, done.stderr
        said.append(done.stdout + done.stderr)
    said += [
        done.stdout + done.stderr
        for done in (
            auth(cli, store, "show", store.operator),
            auth(cli, store, "list"),
            auth(cli, store, "verify", "--token-file", place),
        )
    ]
    text = "".join(said).encode() + cli.ledger.read_bytes()
    assert [token for token in MADE_HERE if token.encode() in text] == []
    assert b"$influxdb2-sha" not in text


def test_rotation_after_a_leak_writes_one_private_file(cli: Cli, store: MadeStore) -> None:
    place = cli.home / "new.csv"
    line = ("--all", "--except", store.reader, "--token-file", place, "--yes")
    done = auth(cli, store, "rotate", *line)
    assert done.code == 0, done.stderr
    assert place.stat().st_mode & 0o777 == 0o600
    head, *rows = place.read_text().splitlines()
    assert head == "id,description,token"
    assert len(rows) == 3
    assert "store compact" in done.stdout
    for row in rows:
        one = secret_file(cli, row.rsplit(",", 1)[1])
        assert auth(cli, store, "verify", "--token-file", one).code == 0
    old = secret_file(cli, OPERATOR_TOKEN)
    assert auth(cli, store, "verify", "--token-file", old).code != 0
    assert auth(cli, store, "rotate", *line).code == ExitCode.REFUSED
    assert cli.run("store", "undo", "--bolt-path", store.path, "--yes").code == 0
    assert auth(cli, store, "verify", "--token-file", old).code == 0


@pytest.mark.parametrize(
    "words",
    [(), ("--all", "{operator}"), ("{operator}",), ("{operator}", "--except", "{reader}")],
    ids=["nothing", "both", "no place", "except of named"],
)
def test_a_rotation_that_is_not_clear_is_refused(
    cli: Cli, store: MadeStore, words: tuple[str, ...]
) -> None:
    content = store.path.read_bytes()
    names = {"operator": store.operator, "reader": store.reader}
    line = [word.format_map(names) for word in words]
    assert auth(cli, store, "rotate", *line, "--yes").code == ExitCode.USAGE
    assert store.path.read_bytes() == content


def test_a_deletion_of_nothing_named_is_refused(cli: Cli, store: MadeStore) -> None:
    for verb in ("delete", "set-inactive", "set-active"):
        assert auth(cli, store, verb, "--yes").code == ExitCode.USAGE
    both = (store.reader, "--all-but", store.operator)
    assert auth(cli, store, "delete", *both, "--yes").code == ExitCode.USAGE
