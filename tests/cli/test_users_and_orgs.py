"""Users, organizations and set-up on the command line, and the defects of `influxd recovery`."""

import json
import os
import stat
from pathlib import Path

import pytest

from recovery.errors import ExitCode
from tests.support.invariants import assert_invariants
from tests.support.real_stores import unpack_real_store
from tests.support.run_cli import Cli, Ended
from tests.support.stores import make_store

MINT = "auth create-operator --username testuser --org myorg"
PASSWORD = "canary-password-on-a-terminal"


@pytest.fixture
def run(cli: Cli, level21_bolt: Path) -> "Runner":
    (cli.home / "password").write_text(PASSWORD + "\n")
    return Runner(cli, level21_bolt)


class Runner:
    """Runs commands on one store, the way a script does."""

    def __init__(self, cli: Cli, store: Path) -> None:
        self.cli = cli
        self.store = store

    def __call__(self, words: str, *, is_mutating: bool = True) -> Ended:
        line = words.format(home=self.cli.home).split()
        yes = ["--yes"] if is_mutating else []
        return self.cli.run(*line, *yes, "--bolt-path", self.store)


@pytest.mark.parametrize(
    "words",
    [
        "user list",
        "user create --username erin --password canary-argv-password",
        "user update --username testuser --password canary-argv-password",
        "user update --id 08371db1dd8c8000 --password canary-argv-password",
        "org list",
        "org create --org second",
        "auth list",
        f"{MINT} --token-stdout",
        f"{MINT} --store-token-hashes --token-stdout",
    ],
)
def test_the_words_of_the_official_recovery_work_as_they_are(run: Runner, words: str) -> None:
    done = run(words, is_mutating=" list" not in words)
    assert done.code == 0, done.stderr
    assert_invariants(run.store)
    assert "canary-argv-password" not in done.stdout + done.stderr
    assert ("command line can be seen" in done.stderr) == ("--password" in words)


def test_no_password_is_reset_when_no_user_is_named(run: Runner) -> None:
    """The official command then resets the password of the only user."""
    before = run.store.read_bytes()
    done = run("user update --password-file {home}/password")
    assert done.code == ExitCode.USAGE
    assert "--username NAME or --id ID" in done.error
    assert run.store.read_bytes() == before


def test_a_new_user_can_sign_in_and_sees_the_organization(run: Runner) -> None:
    """The official command leaves status and membership out."""
    assert run("user create --username erin --password-file {home}/password").code == 0
    shown = run("user show --username erin --json", is_mutating=False)
    user = json.loads(shown.stdout)["user"]
    assert (user["status"], user["can_sign_in"]) == ("active", True)
    assert [(one["organization"], one["role"]) for one in user["memberships"]] == [
        ("myorg", "member")
    ]
    words = "user verify-password --username erin --password-file {home}/password"
    assert run(words, is_mutating=False).code == 0


def test_a_new_organization_has_its_entries_in_the_catalogue(run: Runner) -> None:
    """Without them, as the official command leaves it, influxd exits at its next start."""
    assert run("org create --org second").code == 0
    rows = json.loads(run("bucket list --json", is_mutating=False).stdout)["buckets"]
    assert [row["is_in_catalogue"] for row in rows] == [True] * 5


def test_a_mistyped_path_makes_no_store(cli: Cli, tmp_path: Path) -> None:
    """The official command makes an empty store there."""
    wrong = tmp_path / "influxdb2" / "influxd.bolt"
    for words in ("user list", "org create --org x --yes", "user update --username x --yes"):
        more = ["--password-file", "/dev/null"] if "update" in words else []
        done = cli.run(*words.split(), *more, "--bolt-path", wrong)
        assert done.code in {ExitCode.NOT_FOUND, ExitCode.REFUSED}
        assert not wrong.parent.exists()


def test_a_password_is_asked_for_twice_and_never_shown(run: Runner) -> None:
    words = ("user", "update", "--username", "testuser", "--bolt-path", run.store)
    with run.cli.at_terminal(*words) as terminal:
        terminal.wait_for("New password: ")
        terminal.type(PASSWORD + "\n")
        terminal.wait_for("again: ")
        terminal.type(PASSWORD + "\n")
        terminal.wait_for("Type yes")
        terminal.type("yes\n")
        done = terminal.end()
    assert done.code == 0
    assert PASSWORD not in done.stdout
    words_ = "user verify-password --username testuser --password-file {home}/password"
    assert run(words_, is_mutating=False).code == 0


def test_no_password_is_asked_for_a_user_who_is_not_there(run: Runner) -> None:
    words = ("user", "passwd", "nobody", "--bolt-path", run.store)
    with run.cli.at_terminal(*words) as terminal:
        done = terminal.end()
    assert (done.code, "New password" in done.stdout) == (ExitCode.NOT_FOUND, False)


def test_a_password_that_is_empty_or_too_short_is_asked_for_again(run: Runner) -> None:
    words = ("user", "update", "--username", "testuser", "--bolt-path", run.store)
    with run.cli.at_terminal(*words) as terminal:
        for typed, problem in (("", "is empty"), ("short", "this one has 5")):
            terminal.wait_for("New password: ")
            terminal.text = ""
            terminal.type(f"{typed}\n")
            terminal.wait_for(problem)
        terminal.wait_for("New password: ")
        terminal.type(f"{PASSWORD} \n")
        terminal.wait_for("again: ")
        terminal.type(f"{PASSWORD} \n")
        terminal.wait_for("Type yes")
        assert terminal.text.count("ends with a blank") == 1
        terminal.type("yes\n")
        done = terminal.end()
    assert done.code == 0


@pytest.mark.parametrize("words", ["user update --username", "user create --owner-of o --name"])
def test_an_odd_password_is_remarked_on_once_and_taken_as_it_is(
    cli: Cli, tmp_path: Path, words: str
) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    place = cli.home / "password"
    place.write_text("one-two-3 \n")
    name = "alice" if "update" in words else "eve"
    typed = [*words.replace(" o ", " acme ").split(), name, "--password-file", place, "--yes"]
    done = cli.run(*typed, "--bolt-path", made.path)
    assert done.code == 0, done.stderr
    assert done.stderr.count("ends with a blank; that is taken as it is, as a part of it") == 1
    verify = ["user", "verify-password", "--username", name, "--password-file", place]
    assert cli.run(*verify, "--bolt-path", made.path).code == 0


def test_two_different_passwords_change_nothing(run: Runner) -> None:
    before = run.store.read_bytes()
    words = ("user", "update", "--username", "testuser", "--bolt-path", run.store)
    with run.cli.at_terminal(*words) as terminal:
        for _ in range(3):
            terminal.wait_for("New password: ")
            terminal.type(PASSWORD + "\n")
            terminal.wait_for("again: ")
            terminal.text = terminal.text.replace("New password: ", "").replace("again: ", "")
            terminal.type(PASSWORD + "x\n")
        done = terminal.end()
    assert done.code == ExitCode.REFUSED
    assert "differ" in done.stdout
    assert run.store.read_bytes() == before


def test_a_wrong_password_is_told_by_the_exit_code(run: Runner) -> None:
    words = "user verify-password --username testuser --password-file {home}/password --json"
    done = run(words, is_mutating=False)
    assert done.code == ExitCode.REFUSED
    assert json.loads(done.stdout)["password"]["matches"] is False
    said = run(words.removesuffix(" --json"), is_mutating=False)
    assert (said.stdout + said.stderr).count("the password of") == 1  # and not the same once more


def test_what_is_ensured_a_second_time_is_not_changed(run: Runner) -> None:
    words = "user create --username erin --password-file {home}/password --ensure --json"
    assert json.loads(run(words).stdout)["is_changed"] is True
    before = run.store.read_bytes()
    assert json.loads(run(words).stdout)["is_changed"] is False
    assert run.store.read_bytes() == before


def test_a_new_store_is_for_its_owner_and_nothing_is_replaced(cli: Cli, tmp_path: Path) -> None:
    (cli.home / "password").write_text(PASSWORD)
    store = tmp_path / "influxd.bolt"
    line = (
        *("setup", "--bolt-path", store, "--username", "admin", "--org", "first"),
        *("--bucket", "data", "--retention", "4w", "--password-file", cli.home / "password"),
        *("--token-file", cli.home / "token"),
    )
    assert cli.run(*line).code == 0
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    assert_invariants(store)
    listed = cli.run("auth", "list", "--operators", "--bolt-path", store, "--json")
    (row,) = json.loads(listed.stdout)["authorizations"]
    assert (row["operator"], row["is_usable"]) == ("full", True)
    before = store.read_bytes()
    again = cli.run(*line[:-1], cli.home / "token2")
    assert again.code == ExitCode.REFUSED
    assert store.read_bytes() == before
    assert not os.path.lexists(cli.home / "token2")


def test_a_store_that_nobody_has_set_up_is_set_up_in_place(cli: Cli, tmp_path: Path) -> None:
    store = unpack_real_store("influxd-2.9.1-fresh", tmp_path / "influxd.bolt")
    line = (
        *("setup", "--bolt-path", store, "--username", "admin", "--org", "first"),
        *("--bucket", "data", "--no-password", "--token-file", cli.home / "token"),
    )
    assert cli.run(*line).code == ExitCode.REFUSED  # nobody said yes
    assert cli.run(*line, "--yes").code == 0
    assert_invariants(store)
    verified = cli.run("auth", "verify", "--token-file", cli.home / "token", "--bolt-path", store)
    assert verified.code == 0, verified.stderr
    assert len(list(tmp_path.glob("*.setup.backup"))) == 1
    again = cli.run(*line[:-1], cli.home / "token2", "--yes")
    assert (again.code, again.hint.startswith("type influx-recovery user list")) == (7, True)
    assert not (cli.home / "token2").exists()
    refused = cli.run(*line[:-2], "--no-token", "--yes")
    assert refused.code == ExitCode.USAGE


def test_a_user_gets_a_given_id_and_the_tokens_that_name_it(cli: Cli, tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    where = ("--bolt-path", made.path, "--yes")
    assert cli.run_here("user", "delete", "--username", "bob", *where).code == 0
    line = ("user", "create", "--username", "rob", "--no-password", "--no-org", "--id")
    done = cli.run_here(*line, made.bob, *where)
    assert (done.code, "tokens name this ID" in done.stdout + done.stderr) == (0, True)
    listed = cli.run_here("user", "list", "--bolt-path", made.path, "--json")
    users = {one["id"]: one["name"] for one in json.loads(listed.stdout)["users"]}
    assert users[made.bob] == "rob"
    assert cli.run_here(*line, made.alice, *where).code == ExitCode.REFUSED
    assert cli.run_here(*line, made.bob, "--ensure", *where).code == 0
    assert cli.run_here(*line, "0000000000000abc", "--ensure", *where).code == ExitCode.REFUSED
    assert cli.run_here(*line, "bob", *where).code == ExitCode.USAGE


@pytest.mark.parametrize("retention", ["7", "30m", "-1d", "1.5h", "forever", ""])
def test_a_retention_that_is_none_is_refused(cli: Cli, tmp_path: Path, retention: str) -> None:
    store = tmp_path / "influxd.bolt"
    done = cli.run(
        *("setup", "--bolt-path", store, "--username", "a", "--org", "b", "--bucket", "c"),
        *("--no-password", "--no-token", f"--retention={retention}"),
    )
    assert done.code == ExitCode.USAGE
    assert not store.exists()


def test_a_bucket_needs_no_organization_where_it_is_named_alone(cli: Cli, tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    words = ("bucket", "update", "--retention", "1w2d3h", "--bolt-path", made.path, "--dry-run")
    for name in ("sensors", made.bucket, made.bucket.upper()):
        done = cli.run(*words, "--name", name)
        assert (done.code, "bucket sensors" in done.stdout) == (0, True)
    assert "organizations and none was named" in cli.run(*words, "--name", "_tasks").error
    assert "organizations and none was named" in cli.run(*words, "--name", "nix").error


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("user verify-password --username testuser", "the password with --password-file FILE"),
        ("auth verify", "the token with --token-file FILE"),
    ],
)
def test_without_a_terminal_a_secret_comes_with_the_option_that_the_hint_names(
    run: Runner, words: str, option: str
) -> None:
    refused = run(words, is_mutating=False)
    assert refused.code == ExitCode.REFUSED
    assert refused.hint == f"give {option}"
