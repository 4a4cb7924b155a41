"""Every refusal: its exit code, its two lines, and that nothing was touched."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from recovery.errors import ExitCode
from recovery.metastore.transaction import MetaTx
from recovery.model.user import decode_user
from tests.support.full_store import change as change_record
from tests.support.mounts import make_read_only, mounted
from tests.support.oracle import Oracle, Script
from tests.support.run_cli import Cli, Ended
from tests.support.stores import edit, make_store

LIST = ("auth", "list")
CREATE = ("auth", "create-operator", "--yes", "--token-stdout")
BOTH = pytest.mark.parametrize("words", [LIST, CREATE], ids=["list", "create"])


def assert_refused(done: Ended, code: ExitCode, *parts: str) -> None:
    """Check the form of a refusal, and that it says what it should."""
    assert done.code == code, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[-2].startswith("error: ")
    assert lines[-1].startswith("hint: ")
    assert "nothing was changed" in done.error
    for part in parts:
        assert part in done.stderr


def without_roots_rights() -> list[str]:
    """Give what makes root be refused as anybody is."""
    if os.geteuid() != 0:
        return []
    names = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={names}", f"--inh-caps={names}", "--"]


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    """Check that a folder has the same files with the same content and times afterwards.

    The ledger may be made ready: that is done before anybody is asked, and holds no row yet.
    """

    def look() -> dict[str, tuple[int, int, bytes]]:
        return {
            str(path): (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes())
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.name.startswith("ledger.")
        }

    before = look()
    yield
    assert before == look()


@BOTH
def test_a_missing_file_is_named_and_never_created(
    cli: Cli, tmp_path: Path, words: Sequence[str]
) -> None:
    path = tmp_path / "nowhere" / "influxd.bolt"
    done = cli.run(*words, "--bolt-path", path)
    assert_refused(done, ExitCode.NOT_FOUND, str(path), "does not exist")
    assert not path.parent.exists()


@BOTH
def test_an_empty_file_is_never_initialised(cli: Cli, tmp_path: Path, words: Sequence[str]) -> None:
    path = tmp_path / "influxd.bolt"
    path.touch()
    assert_refused(cli.run(*words, "--bolt-path", path), ExitCode.NOT_FOUND, "0 bytes")
    assert path.stat().st_size == 0


@BOTH
def test_a_folder_is_no_store(cli: Cli, tmp_path: Path, words: Sequence[str]) -> None:
    assert_refused(cli.run(*words, "--bolt-path", tmp_path), ExitCode.NOT_FOUND, "folder")


@BOTH
@pytest.mark.parametrize("content", [b"x" * 65536, b"SQLite format 3\0" + bytes(9000), b"\0" * 99])
def test_other_files_are_no_bolt_files(
    cli: Cli, tmp_path: Path, words: Sequence[str], content: bytes
) -> None:
    path = tmp_path / "influxd.bolt"
    path.write_bytes(content)
    with untouched(tmp_path):
        done = cli.run(*words, "--bolt-path", path)
    assert_refused(done, ExitCode.DAMAGED, str(path))


@BOTH
@pytest.mark.damages
def test_two_bad_metas_are_damage(cli: Cli, level21_bolt: Path, words: Sequence[str]) -> None:
    with level21_bolt.open("r+b") as file:
        for offset in (0, 4096):
            file.seek(offset + 40)
            file.write(b"\xff" * 40)
    with untouched(level21_bolt.parent):
        done = cli.run(*words, "--bolt-path", level21_bolt)
    assert_refused(done, ExitCode.DAMAGED)


@pytest.mark.damages
def test_a_damaged_tree_is_named_with_what_was_found_before_anything_is_written(
    cli: Cli, level21_bolt: Path
) -> None:
    content = bytearray(level21_bolt.read_bytes())
    page = next(n for n in range(4, len(content) // 4096) if content[n * 4096 + 8] == 2)
    content[page * 4096 + 10 : page * 4096 + 12] = b"\xff\x7f"
    level21_bolt.write_bytes(content)
    with untouched(level21_bolt.parent):
        done = cli.run(*CREATE, "--bolt-path", level21_bolt)
    assert_refused(done, ExitCode.DAMAGED, f"page {page}")


@BOTH
def test_a_file_cut_short_is_damage(
    cli: Cli, tmp_path: Path, stores_dir: Path, words: Sequence[str]
) -> None:
    path = tmp_path / "influxd.bolt"
    path.write_bytes((stores_dir / "level21.bolt").read_bytes()[:20000])
    assert_refused(cli.run(*words, "--bolt-path", path), ExitCode.DAMAGED)


@BOTH
def test_a_running_server_is_named(
    cli: Cli, level21_bolt: Path, oracle: Oracle, words: Sequence[str]
) -> None:
    with oracle.hold(level21_bolt) as pid, untouched(level21_bolt.parent):
        done = cli.run(*words, "--bolt-path", level21_bolt)
    assert_refused(done, ExitCode.BUSY, f"process {pid}")
    assert "stop" in done.hint


def test_a_reader_elsewhere_does_not_disturb_a_listing(
    cli: Cli, level21_bolt: Path, oracle: Oracle
) -> None:
    with oracle.hold(level21_bolt, shared=True):
        assert cli.run(*LIST, "--bolt-path", level21_bolt).code == ExitCode.DONE
        done = cli.run(*CREATE, "--bolt-path", level21_bolt)
    assert_refused(done, ExitCode.BUSY)


@BOTH
def test_a_store_of_another_user_needs_another_user(
    cli: Cli, level21_bolt: Path, words: Sequence[str]
) -> None:
    """Root without the capability to pass over permissions is refused as anybody is."""
    if os.geteuid() == 0:
        os.chown(level21_bolt, 65534, 65534)
    else:
        level21_bolt.chmod(0)
    done = cli.run(*words, "--bolt-path", level21_bolt, prefix=without_roots_rights())
    if os.geteuid() == 0:
        os.chown(level21_bolt, 0, 0)
    level21_bolt.chmod(0o600)
    assert_refused(done, ExitCode.REFUSED, "may not be")


def test_a_read_only_file_system_can_be_listed_and_not_written(
    cli: Cli, level21_bolt: Path, tmp_path: Path
) -> None:
    with mounted(tmp_path / "disk", size_bytes=1 << 20) as disk:
        store = disk / "influxd.bolt"
        shutil.copyfile(level21_bolt, store)
        make_read_only(disk)
        assert cli.run(*LIST, "--bolt-path", store).code == ExitCode.DONE
        done = cli.run(*CREATE, "--bolt-path", store)
    assert_refused(done, ExitCode.REFUSED, "ead-only file system")


def test_a_full_disk_before_the_write_leaves_the_store_as_it_is(
    cli: Cli, level21_bolt: Path, tmp_path: Path
) -> None:
    with mounted(tmp_path / "disk", size_bytes=80 * 1024) as disk:
        store = disk / "influxd.bolt"
        shutil.copyfile(level21_bolt, store)
        with untouched(disk):
            done = cli.run(*CREATE, "--bolt-path", store)
            with cli.at_terminal(*CREATE[:2], "--bolt-path", store) as terminal:
                asked = terminal.end()
            dry = cli.run(*CREATE[:2], "--dry-run", "--bolt-path", store)
    assert_refused(done, ExitCode.WRITE_FAILED, "free on the disk")
    assert "free on the disk" in dry.error
    assert "Type yes" not in asked.stdout  # nobody is asked for what is going to fail


def test_a_limit_of_the_file_size_leaves_the_store_as_it_is(cli: Cli, level21_bolt: Path) -> None:
    with untouched(level21_bolt.parent):
        done = cli.run(
            *(*CREATE, "--bolt-path", level21_bolt),
            prefix=["prlimit", "--fsize=16384", "--"],
            environ={"PYTHONDONTWRITEBYTECODE": "1"},  # Python 3.11 would leave cut ones behind
        )
    assert done.code in {ExitCode.WRITE_FAILED, ExitCode.REFUSED}
    assert "nothing was changed" in done.error


@pytest.mark.parametrize("words", [(*CREATE, "--username"), (*LIST, "--user")])
def test_an_unknown_user_is_answered_with_those_that_exist(
    cli: Cli, level21_bolt: Path, words: Sequence[str]
) -> None:
    with untouched(level21_bolt.parent):
        done = cli.run(*words, "nobody", "--bolt-path", level21_bolt)
    assert_refused(done, ExitCode.NOT_FOUND, "nobody", "testuser")


@pytest.mark.parametrize("words", [(*CREATE, "--org"), (*LIST, "--org")])
def test_an_unknown_organization_is_answered_with_those_that_exist(
    cli: Cli, level21_bolt: Path, words: Sequence[str]
) -> None:
    with untouched(level21_bolt.parent):
        done = cli.run(*words, "nowhere", "--bolt-path", level21_bolt)
    assert_refused(done, ExitCode.NOT_FOUND, "nowhere", "myorg")


@pytest.mark.parametrize(
    ("words", "found", "hint"),
    [
        (
            "auth create-operator",
            "there are 2 users and none was named",
            (
                "name one with --username NAME and one with --org NAME, and add --yes, and "
                "--token-file PATH or --token-stdout"
            ),
        ),
        (
            "auth create-operator --username nix --yes",
            "there is no user nix (there are: alice, bob); and there are 2 organizations",
            (
                "name one of these, in the same letters, with --username NAME and one with --org "
                "NAME, and add --token-file PATH or --token-stdout"
            ),
        ),
        (
            "user create --username eve --yes",
            "organizations and none was named",
            "name one with --owner-of ORG or --member-of ORG, and add --password-file FILE",
        ),
        (
            "org add-owner --username nix --org nowhere --yes",
            "there is no user nix (there are: alice, bob); and there is no organization nowhere",
            (
                "name one of these, in the same letters, with --username NAME and one with --org "
                "NAME"
            ),
        ),
        (
            "auth create --user bob --org acme --read-bucket a --write-bucket b --dry-run",
            "there is no bucket a or b (there are: ",
            (
                "name a bucket of the organization that the token belongs to, or choose another "
                "organization with --org NAME"
            ),
        ),
        (
            "v1-auth create x --username bob --org acme --read-bucket a --read-bucket b --dry-run",
            "there is no bucket a or b (there are: ",
            "add --password-file FILE",
        ),
        (
            "auth delete 0000000000000001 0000000000000002 --yes",
            "there is no authorization 0000000000000001 or 0000000000000002 (there are: ",
            "to see the IDs",
        ),
        (
            "auth list --user nix --org nowhere",
            "there is no user nix (there are: alice, bob); and there is no organization nowhere",
            "with --org NAME",
        ),
    ],
)
def test_all_that_is_missing_is_said_at_once(
    cli: Cli, made_path: Path, words: str, found: str, hint: str
) -> None:
    with untouched(made_path.parent):
        done = cli.run(*words.split(), "--bolt-path", made_path)
    assert_refused(done, ExitCode(done.code), found)
    assert done.hint.endswith(hint)


def test_all_words_that_are_no_ids_are_named(cli: Cli, made_path: Path) -> None:
    done = cli.run("auth", "delete", "one", "two", "--bolt-path", made_path)
    assert done.code == ExitCode.USAGE
    assert "'one' and 'two' are no IDs" in done.error


@pytest.mark.parametrize("verb", ["delete", "set-inactive"])
def test_all_in_the_place_of_an_id_leads_to_no_command_that_takes_all_away(
    cli: Cli, made_path: Path, verb: str
) -> None:
    done = cli.run("auth", verb, "all", "--bolt-path", made_path)
    assert (done.code, done.hint) == (2, "type influx-recovery auth list to see the IDs")


def test_two_of_one_name_are_told_apart_by_their_ids(cli: Cli, made_path: Path) -> None:
    def rename(tx: MetaTx) -> None:
        for user in list(tx.users.walk([])):
            tx.users.put(decode_user(user.rewritten({"name": "twin"})))

    edit(made_path, rename)
    done = cli.run("user", "show", "--username", "twin", "--bolt-path", made_path)
    assert_refused(done, ExitCode.REFUSED, "there are 2 users that twin can mean: twin (")
    assert done.hint == "name one by its ID with --username NAME"


@pytest.mark.pty
@pytest.mark.damages
@pytest.mark.parametrize(
    ("words", "gone"),
    [
        ("user create --username eve --owner-of acme", "usersv1"),
        ("user create --username eve --owner-of acme", "userspasswordv1"),
        ("user create --username eve --owner-of acme --ensure", "userresourcemappingsv1"),
        ("user update --username bob", "userspasswordv1"),
        (
            "v1-auth create x --username bob --org acme --read-bucket sensors",
            "legacy/authorizationPasswordv1",
        ),
        ("v1-auth set-password grafana", "legacy/authorizationPasswordv1"),
    ],
)
def test_nobody_types_a_password_for_what_is_going_to_fail(
    cli: Cli, made_path: Path, oracle: Oracle, words: str, gone: str
) -> None:
    oracle.apply(made_path, Script().remove(gone.encode()))
    with (
        untouched(made_path.parent),
        cli.at_terminal(*words.split(), "--bolt-path", made_path) as terminal,
    ):
        ended = terminal.end()
    assert "password has 8 to 72" not in ended.stdout
    assert f"the bucket {gone}" in " ".join(ended.stdout.split())
    assert ended.code == ExitCode.DAMAGED


@pytest.mark.pty
@pytest.mark.parametrize(
    "words",
    [
        "user create --username eve --owner-of acme --bolt-path {store}",
        "user update --username bob --bolt-path {store}",
        "v1-auth set-password grafana --bolt-path {store}",
        "setup --username eve --org o --bucket b --bolt-path {home}/new",
    ],
)
def test_nobody_types_a_password_for_what_cannot_be_recorded(
    cli: Cli, made_path: Path, words: str
) -> None:
    cli.ledger.write_text("no ledger")
    typed = words.format(store=made_path, home=cli.home).split()
    with untouched(made_path.parent), cli.at_terminal(*typed) as terminal:
        ended = terminal.end()
    assert "password has 8 to 72" not in ended.stdout
    assert "the ledger" in ended.stdout


@pytest.mark.pty
@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("setup --username eve --org o --bucket _b --bolt-path {home}/new", ExitCode.REFUSED),
        ("auth verify --bolt-path {home}/nothing", ExitCode.NOT_FOUND),
        ("user verify-password --username nix --bolt-path {store}", ExitCode.NOT_FOUND),
    ],
)
def test_nobody_types_a_secret_before_the_rest_is_known_to_be_right(
    cli: Cli, made_path: Path, words: str, code: ExitCode
) -> None:
    typed = words.format(store=made_path, home=cli.home).split()
    with cli.at_terminal(*typed) as terminal:
        ended = terminal.end()
    assert (ended.code, "not show" in ended.stdout) == (code, False)
    assert "assword: " not in ended.stdout


def test_with_several_users_one_has_to_be_named(cli: Cli, made_path: Path) -> None:
    with untouched(made_path.parent):
        done = cli.run(*CREATE, "--org", "acme", "--bolt-path", made_path)
    assert_refused(done, ExitCode.REFUSED, "alice", "bob", "--username")
    done = cli.run(*CREATE, "--username", "alice", "--bolt-path", made_path)
    assert_refused(done, ExitCode.REFUSED, "acme", "other", "--org")


@BOTH
def test_a_newer_schema_is_refused(
    cli: Cli, level21_bolt: Path, oracle: Oracle, words: Sequence[str]
) -> None:
    record = b'{"id":"0000000000000016","name":"from the future","started_at":null}'
    oracle.apply(level21_bolt, Script().put((b"migrationsv1",), b"0000000000000016", record))
    with untouched(level21_bolt.parent):
        done = cli.run(*words, "--bolt-path", level21_bolt)
    assert_refused(done, ExitCode.SCHEMA, "22")


def test_an_unreadable_record_is_named_and_the_rest_is_listed(
    cli: Cli, level21_bolt: Path, oracle: Oracle
) -> None:
    broken = b'{"id":"0000000000001001","token":"canary'
    oracle.apply(level21_bolt, Script().put((b"authorizationsv1",), b"0000000000001001", broken))
    done = cli.run(*LIST, "--bolt-path", level21_bolt)
    assert done.code == ExitCode.FINDINGS
    assert "08371db24dcc8000" in done.stdout
    assert "0000000000001001 in authorizationsv1" in done.stderr
    assert "canary" not in done.stderr + done.stdout


def test_a_token_file_that_exists_is_not_overwritten(cli: Cli, level21_bolt: Path) -> None:
    place = cli.home / "token"
    place.write_text("dear")
    with untouched(level21_bolt.parent):
        done = cli.run(
            "auth", "create-operator", "--yes", "--token-file", place, "--bolt-path", level21_bolt
        )
    assert_refused(done, ExitCode.REFUSED, "exists already", "--token-file")
    assert place.read_text() == "dear"


def test_a_token_file_that_is_a_link_is_not_followed(cli: Cli, level21_bolt: Path) -> None:
    place = cli.home / "token"
    place.symlink_to(cli.home / "elsewhere")
    with untouched(level21_bolt.parent):
        done = cli.run(
            "auth", "create-operator", "--yes", "--token-file", place, "--bolt-path", level21_bolt
        )
    assert_refused(done, ExitCode.REFUSED)
    assert not (cli.home / "elsewhere").exists()


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("auth create-operator", "add --yes, and --token-file PATH or --token-stdout"),
        ("auth create-operator --yes", "add --token-file PATH or --token-stdout"),
        ("auth create-operator --token-stdout", "add --yes"),
        ("user create --username bob", "add --yes, and --password-file FILE"),
        ("v1-auth create x --read-bucket mybucket --yes", "add --password-file FILE"),
        ("org create --org new", "add --yes"),
    ],
)
def test_all_that_a_person_would_be_needed_for_is_said_at_once(
    cli: Cli, level21_bolt: Path, words: str, hint: str
) -> None:
    with untouched(level21_bolt.parent):
        done = cli.run(*words.split(), "--bolt-path", level21_bolt)
    assert_refused(done, ExitCode.REFUSED, "no terminal", hint)
    assert done.hint == hint


@pytest.mark.parametrize(
    "words",
    [
        "auth create-operator --org nope",
        "user create --username bob --member-of nope",
        "user update --username nope",
        "v1-auth create x --org nope --read-bucket mybucket",
        "v1-auth set-password nope",
        "org create --org myorg --owner nope --ensure",
    ],
)
def test_names_are_looked_at_before_anybody_is_asked_for_anything(
    cli: Cli, level21_bolt: Path, words: str
) -> None:
    done = cli.run(*words.split(), "--bolt-path", level21_bolt)
    assert_refused(done, ExitCode.NOT_FOUND, "nope")


@pytest.mark.parametrize(
    "words",
    [
        "auth create-operator --token-file {home}/exists",
        "auth create-operator --token-file {home}/no/token",
        "auth create-operator --output {home}/exists",
        "auth create-operator --output {home}/no/copy",
        "auth rotate --all --token-file {home}/exists",
    ],
)
def test_a_dry_run_refuses_what_the_change_would_refuse(
    cli: Cli, level21_bolt: Path, words: str
) -> None:
    (cli.home / "exists").touch()
    typed = [*words.format(home=cli.home).split(), "--bolt-path", str(level21_bolt)]
    dry = cli.run(*typed, "--dry-run")
    wet = cli.run(*typed, *([] if "token-file" in words else ["--token-stdout"]), "--yes")
    assert (dry.code, dry.error) == (wet.code, wet.error)
    assert dry.code == ExitCode.REFUSED


def test_a_hash_is_refused_where_the_server_knows_none(cli: Cli, level17_bolt: Path) -> None:
    with untouched(level17_bolt.parent):
        done = cli.run(*CREATE, "--hashed", "--bolt-path", level17_bolt)
    assert_refused(done, ExitCode.REFUSED, "hash")


@pytest.mark.parametrize(
    "words",
    [
        "auth create-operator --yes --token-file {closed}/token",
        "store backup {closed}/copy",
        "store undo --yes --backup {closed}/copy",
        "store find",
    ],
)
def test_a_folder_that_may_not_be_entered_is_no_fault_of_ours(
    cli: Cli, level21_bolt: Path, tmp_path: Path, words: str
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    done = cli.run(
        *(*words.format(closed=closed).split(), "--bolt-path", level21_bolt),
        prefix=without_roots_rights(),
        environ={"HOME": str(closed)},
        own_ledger=False,
    )
    assert "internal error" not in done.stderr
    assert done.code in {ExitCode.DONE, ExitCode.REFUSED}


def test_a_refusal_of_the_system_that_nobody_foresaw_names_the_file(
    cli: Cli, level21_bolt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        Path("/proc/1/nothing/of/this").rmdir()

    monkeypatch.setattr("recovery.cli.commands.auth_listing.find_store", refuse)
    done = cli.run_here(*LIST, "--bolt-path", level21_bolt)
    assert_refused(done, ExitCode.REFUSED, "/proc/1/nothing/of/this cannot be used (No such file")


def test_setup_says_at_once_all_that_it_needs(cli: Cli) -> None:
    done = cli.run("setup", "--org", "o")
    assert "needs --bolt-path FILE, --username NAME and --bucket NAME" in done.error


def test_output_never_overwrites(cli: Cli, level21_bolt: Path) -> None:
    for target in (level21_bolt, cli.home / "there"):
        if target != level21_bolt:
            target.write_text("dear")
        with untouched(level21_bolt.parent):
            done = cli.run(*CREATE, "--output", target, "--bolt-path", level21_bolt)
        assert_refused(done, ExitCode.REFUSED, str(target))


def test_a_ledger_that_cannot_be_written_is_refused_before_the_change(
    cli: Cli, level21_bolt: Path
) -> None:
    ledger = cli.home / "no-folder.txt"
    ledger.write_text("not a ledger")
    with untouched(level21_bolt.parent):
        done = cli.run(*CREATE, "--ledger", ledger, "--bolt-path", level21_bolt)
    assert_refused(done, ExitCode.REFUSED, str(ledger))


def test_two_stores_with_data_are_listed_and_none_is_chosen(
    cli: Cli, level17_bolt: Path, level21_bolt: Path
) -> None:
    home = cli.home / ".influxdbv2"
    home.mkdir()
    shutil.copyfile(level17_bolt, home / "influxd.bolt")
    (cli.home / "config.toml").write_text(f'bolt-path = "{level21_bolt}"\n')
    done = cli.run(*LIST)
    assert_refused(done, ExitCode.REFUSED, str(home), str(level21_bolt), "--bolt-path")


def test_the_environment_names_the_store_and_the_output_says_so(
    cli: Cli, level21_bolt: Path
) -> None:
    done = cli.run(*LIST, environ={"INFLUXD_BOLT_PATH": str(level21_bolt)})
    assert f"Store: {level21_bolt} (from INFLUXD_BOLT_PATH)" in done.stderr
    configuration = cli.home / "config.json"
    configuration.write_text(f'{{"bolt-path": "{level21_bolt}"}}')
    done = cli.run(*LIST, environ={"INFLUXD_CONFIG_PATH": str(configuration)})
    assert f"Store: {level21_bolt} (bolt-path in {configuration}" in done.stderr


@pytest.fixture
def made_path(tmp_path: Path) -> Path:
    """A store with two users and two organizations."""
    from tests.support.stores import make_store  # noqa: PLC0415 # needs bcrypt, most tests do not

    return make_store(tmp_path / "influxd.bolt", level=21).path


def test_an_internal_error_shows_its_place_and_no_text_of_the_exception(cli: Cli) -> None:
    code = (
        "import sys, os; from msgspec.structs import replace; from recovery.cli import main\n"
        "from recovery.cli.commands import user_listing\n"
        "def fail(arguments, context): raise KeyError('can' + 'ary-secret')\n"
        "user_listing.LIST = replace(user_listing.LIST, run=fail)\n"
        "ports = {'environ': os.environ, 'stdout': sys.stdout, 'stderr': sys.stderr}\n"
        "sys.exit(main.main(sys.argv[1:], **ports))"
    )
    for more in ([], ["--log-level", "debug"]):
        done = cli.run("user", "list", *more, program=(sys.executable, "-c", code))
        assert_refused(done, ExitCode.INTERNAL, "KeyError", "README.md")
        assert ("in fail" in done.stderr) == bool(more)
        assert "canary" not in done.stderr


@pytest.mark.parametrize(("name", "owned"), [("acme", "acme"), ("a\u200bb", "{org}")])
def test_the_only_organization_is_named_in_the_hint_where_no_user_is_left(
    cli: Cli, tmp_path: Path, name: str, owned: str
) -> None:
    """There is nothing to be guessed, and the hint can be typed as it is."""
    made = make_store(tmp_path / "influxd.bolt", level=21)

    def lose(tx: MetaTx) -> None:
        for table in ("usersv1", "organizationsv1"):
            for key in [key for key, _ in tx.table(table).items() if key != made.org.encode()]:
                tx.table(table).delete(key)
        change_record(tx, "organizationsv1", made.org, name=name)

    edit(made.path, lose)
    done = cli.run(*CREATE, "--bolt-path", made.path)
    assert_refused(done, ExitCode.REFUSED, "the store has no user")
    assert f"--username NAME --owner-of {owned.format(org=made.org)} to make" in done.hint


@pytest.mark.parametrize("words", [CREATE, ("bucket", "create", "--name", "x", "--yes")])
def test_a_store_that_nobody_has_set_up_is_set_up_by_what_the_hint_says(
    cli: Cli, tmp_path: Path, words: tuple[str, ...]
) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)

    def lose(tx: MetaTx) -> None:
        for name in ("usersv1", "organizationsv1"):
            for key in [key for key, _ in tx.table(name).items()]:
                tx.table(name).delete(key)

    edit(made.path, lose)
    done = cli.run(*words, "--bolt-path", made.path)
    assert_refused(done, ExitCode.REFUSED, "the store has no ")
    line = done.hint.removeprefix("type influx-recovery ").removesuffix(" to set it up")
    told = [*shlex.split(line), "--no-password", "--token-stdout", "--yes"]
    assert told[0] == "setup"
    found = cli.run(*words, environ={"INFLUXD_BOLT_PATH": str(made.path)})
    assert f" --bolt-path {made.path} --username NAME" in found.hint
    assert cli.run(*told).code == ExitCode.DONE


@pytest.mark.parametrize("columns", [40, 80])
def test_a_hint_is_wrapped_and_no_command_in_it_is_broken(
    cli: Cli, level21_bolt: Path, columns: int
) -> None:
    environ = {"INFLUXD_BOLT_PATH": str(level21_bolt)}
    words = ("user", "create", "--username", "testuser", "--no-password", "--yes")
    lines = cli.shown_here(*words, columns=columns, environ=environ).stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("hint: "))
    command = f"influx-recovery user update --ledger {cli.ledger} --id 08371db1dd8c8000"
    assert command in [line.strip() for line in lines[at + 1 :]]
    others = [line for line in lines[at:] if command not in line]
    assert max(map(len, others)) <= columns
