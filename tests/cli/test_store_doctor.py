"""Checking and repairing a store with the real program."""

import gzip
import json
from pathlib import Path

import pytest

from recovery.metastore.transaction import MetaTx
from tests.support.full_store import (
    FullStore,
    change,
    drop,
    keys_of_file,
    make_full_store,
    put,
    remove_table,
)
from tests.support.oracle import Dump, Oracle
from tests.support.run_cli import Cli
from tests.support.stores import edit


@pytest.fixture
def full(tmp_path: Path) -> FullStore:
    folder = tmp_path / "store"
    folder.mkdir()
    return make_full_store(folder / "influxd.bolt")


@pytest.fixture
def broken(full: FullStore) -> FullStore:
    """A store on which influxd does not start, with something mendable and something not."""
    edit(full.path, lambda tx: drop(tx, "bucketindexv1", f"{full.org}_tasks"))
    edit(full.path, lambda tx: change(tx, "usersv1", full.bob, status="away"))
    return full


def check(cli: Cli, full: FullStore, *words: str) -> tuple[int, str]:
    done = cli.run("store", "check", "--bolt-path", full.path, *words)
    assert done.stderr == ""
    return done.code, done.stdout


def test_a_store_in_which_all_is_well_ends_with_0_and_a_verdict(cli: Cli, full: FullStore) -> None:
    code, text = check(cli, full)
    assert code == 0
    assert "Nothing is wrong." in text
    assert text.splitlines()[-1] == "Verdict: influxd will start."


def test_check_names_what_is_wrong_what_influxd_does_and_what_to_do(
    cli: Cli, broken: FullStore
) -> None:
    code, text = check(cli, broken)
    assert code == 1
    lines = text.splitlines()
    fatal = next(number for number, line in enumerate(lines) if line.startswith("[fatal] I16 "))
    assert "bucketsv1" in lines[fatal]
    assert lines[fatal + 1].startswith("    effect: ")
    assert lines[fatal + 2] == "    what to do: repair adds the entry"
    assert f"[medium] I7 usersv1 {broken.bob}: " in text
    assert "1 of 2 findings can be mended: influx-recovery store repair --bolt-path" in text
    assert lines[-1].startswith("Verdict: influxd will not start, because bucketsv1 ")


def test_what_to_type_about_organizations_names_them(cli: Cli, full: FullStore) -> None:
    for org, named in ((full.org, full.org), (full.other_org, "NAME")):
        words = ("org", "rename", "--org", org, "--new-name", f"{org}\u200b", "--yes")
        assert cli.run(*words, "--bolt-path", full.path).code == 0
        _, text = check(cli, full)
        assert f"--org {named} --new-name NAME" in text


def test_check_tells_a_program_the_same(cli: Cli, broken: FullStore) -> None:
    code, text = check(cli, broken, "--json")
    document = json.loads(text)
    assert (code, document["version"]) == (1, 1)
    assert document["verdict"]["outlook"] == "does not start"
    assert document["verdict"]["users_who_can_sign_in"] == 1
    kinds = [(one["number"], one["severity"], one["is_mendable"]) for one in document["findings"]]
    assert kinds == [("I7", "M", False), ("I16", "F", True)]
    assert document["findings"][0]["id"] == broken.bob


def test_nothing_is_wrong_with_a_store_that_setup_has_made(cli: Cli) -> None:
    path = cli.home / "new.bolt"
    words = ("setup", "--org", "acme", "--username", "alice", "--bucket", "data", "--no-password")
    place = ("--token-file", cli.home / "token", "--bolt-path", path)
    done = cli.run(*words, *place)
    assert (done.code, done.stderr.count("error")) == (0, 0), done.stderr
    document = json.loads(cli.run("store", "check", "--json", "--bolt-path", path).stdout)
    assert (document["findings"], document["advice"]) == ([], [])
    assert document["verdict"]["usable_full_operator_tokens"] == 1


def test_nobody_can_get_in_ends_with_1(cli: Cli, full: FullStore) -> None:
    edit(full.path, lambda tx: change(tx, "usersv1", full.alice, status="inactive"))
    code, text = check(cli, full)
    assert code == 1
    *_, verdict, hint = text.splitlines()
    assert verdict == "Verdict: influxd will start, but nobody can get in."
    assert hint == (
        f"Next: influx-recovery user activate --bolt-path {full.path} --ledger {cli.ledger} "
        f"--id {full.alice}"
    ), "about the same store"
    assert "Nothing is wrong." not in text


@pytest.mark.parametrize("others", [(), ("bob",)], ids=["alone", "with another"])
def test_after_the_last_owner_was_deleted_the_way_back_is_named_and_works(
    cli: Cli, others: tuple[str, ...]
) -> None:
    path, password = cli.home / "new.bolt", cli.home / "password"
    password.write_text("long-enough-1\n")
    place = ("--yes", "--bolt-path", path)
    words = ("setup", "--org", "acme", "--username", "alice", "--bucket", "data")
    made = cli.run(*words, "--password-file", password, "--no-token", *place)
    assert made.code == 0, made.stderr
    for other in others:
        assert cli.run("user", "create", other, "--no-password", *place).code == 0
    assert cli.run("user", "delete", "alice", "--with-tokens", *place).code == 0
    *_, verdict, first, second = cli.run("store", "check", "--bolt-path", path).stdout.splitlines()
    if others:
        assert second.startswith("Or: influx-recovery user update ")
    else:
        verdict, first = first, second
    assert verdict == "Verdict: influxd will start, but nobody can get in."
    (cli.home / "ledger").write_text("no ledger")
    spoilt = cli.run("store", "check", "--bolt-path", path, "--ledger", cli.home / "ledger")
    assert f"\n{verdict}\n" in f"{spoilt.stdout}\n", spoilt.stderr
    line, comma, why = first.removeprefix("Next: influx-recovery ").partition(",")
    assert (comma, why) == (",", " to bring alice back, who was deleted")
    back = cli.run(*line.split(), "--yes", own_ledger=False)
    assert back.code == 0, back.stderr
    assert "1 user with a password" in cli.run("store", "check", "--bolt-path", path).stdout


def test_an_inactive_user_signs_in_and_is_refused_all_that_follows(
    cli: Cli, full: FullStore
) -> None:
    """As 2.9.1 and 2.7.12 do: 204 with a session, and 403 for each request in it."""
    edit(full.path, lambda tx: change(tx, "usersv1", full.alice, status="inactive"))
    seems = "a sign-in is answered with 204, and all that follows with 403"
    assert f"Who cannot: 1 inactive user with a password; {seems}." in check(cli, full)[1]
    document = json.loads(check(cli, full, "--json")[1])
    assert document["verdict"]["users_refused_after_sign_in"] == 1
    assert document["verdict"]["users_who_can_sign_in"] == 0
    info = cli.run("--bolt-path", full.path, "store", "info").stdout
    assert f"not alice ({full.alice}): it is inactive, so {seems}" in info


def test_what_is_refused_is_not_named_as_what_to_type(cli: Cli, full: FullStore) -> None:
    """A store half way to a new version is not changed, so neither is what else is wrong."""
    edit(full.path, lambda tx: drop(tx, "userindexv1", "bob"))
    assert "1 of 1 finding can be mended" in check(cli, full)[1]
    edit(full.path, lambda tx: unfinish(tx, 21))
    text = check(cli, full)[1]
    assert "    what to do: I2 comes first" in text
    assert "influx-recovery" not in text
    assert cli.run("--bolt-path", full.path, "store", "repair", "--dry-run").code == 6


def unfinish(tx: MetaTx, ordinal: int) -> None:
    change(tx, "migrationsv1", f"{ordinal:016x}", finished_at=None)


def test_migrations_in_front_of_the_last_are_written_again(cli: Cli, full: FullStore) -> None:
    whole = keys_of_file(full.path)

    def harm(tx: MetaTx) -> None:
        drop(tx, "migrationsv1", f"{5:016x}")
        put(tx, "migrationsv1", f"{7:016x}", "")
        unfinish(tx, 9)

    edit(full.path, harm)
    assert "3 of 3 findings can be mended" in check(cli, full)[1]
    refused = cli.run("--bolt-path", full.path, "auth", "create-operator", "--dry-run")
    assert refused.code == 6
    before = full.path.read_bytes()
    assert cli.run("--bolt-path", full.path, "store", "repair", "--only", "I8", "--yes").code == 6
    assert cli.run("--bolt-path", full.path, "store", "repair", "--yes").code == 0
    assert check(cli, full)[0] == 0
    assert keys_of_file(full.path).keys() == whole.keys()
    assert cli.run("--bolt-path", full.path, "store", "undo", "--yes").code == 0
    assert full.path.read_bytes() == before


def test_a_renamed_migration_is_written_again_where_it_is_asked_for(
    cli: Cli, full: FullStore
) -> None:
    """Somebody's own influxd may call it so, and would not start then."""
    edit(
        full.path,
        lambda tx: change(tx, "migrationsv1", f"{9:016x}", name="ours"),
    )
    store = ("--bolt-path", full.path, "store", "repair", "--yes")
    assert cli.run(*store).code == 6
    assert cli.run(*store, "--only", "I2").code == 0
    assert check(cli, full)[0] == 0


def test_a_repair_that_leaves_what_stops_influxd_says_so(cli: Cli, full: FullStore) -> None:
    edit(full.path, lambda tx: tx.table("v1_tsm1_metadata").put(b"meta.db", b"odd"))
    done = cli.run("--bolt-path", full.path, "store", "repair", "--yes")
    assert done.code == 1
    assert "Do not start influxd yet" in done.stdout
    assert "Next: influx-recovery store rebuild NEW " in done.stdout


def test_check_changes_nothing_and_leaves_nothing(cli: Cli, broken: FullStore) -> None:
    before = broken.path.read_bytes(), broken.path.stat()
    check(cli, broken)
    after = broken.path.read_bytes(), broken.path.stat()
    assert before == after
    assert [broken.path] == list(broken.path.parent.iterdir())
    assert not cli.ledger.exists()


def test_check_reads_what_influx_backup_wrote(cli: Cli, broken: FullStore) -> None:
    packed = broken.path.with_name("20260101T000000Z.bolt.gz")
    packed.write_bytes(gzip.compress(broken.path.read_bytes()))
    packed.chmod(0o600)
    done = cli.run("store", "check", "--bolt-path", packed)
    assert done.code == 1
    assert "[fatal] I16 " in done.stdout


def test_many_records_with_the_same_fault_are_counted(cli: Cli, full: FullStore) -> None:
    def add(tx: MetaTx) -> None:
        for number in range(30):
            put(tx, "userspasswordv1", f"0f{number:014x}", "canary")

    edit(full.path, add)
    _, text = check(cli, full)
    assert text.count("[low] I9 ") == 1
    assert " and 25 more: " in text
    assert len(json.loads(check(cli, full, "--json")[1])["findings"]) == 30


def test_a_damaged_file_is_a_finding_and_not_repaired(cli: Cli, full: FullStore) -> None:
    content = bytearray(full.path.read_bytes())
    for page in range(2, len(content) // 4096):
        content[page * 4096 + 8 : page * 4096 + 12] = b"\xff\xff\xff\xff"
    full.path.write_bytes(content)
    code, text = check(cli, full)
    assert code == 1
    assert "[fatal] I1 influxd.bolt" in text
    done = cli.run("store", "repair", "--yes", "--bolt-path", full.path)
    assert done.code == 5
    assert bytes(content) == full.path.read_bytes()


def test_a_newer_store_is_checked_and_not_repaired(cli: Cli, full: FullStore) -> None:
    key = f"{22:016x}"
    record = {"id": key, "name": "new", "started_at": "2027-01-01T00:00:00Z"}
    edit(
        full.path,
        lambda tx: put(tx, "migrationsv1", key, record | {"finished_at": "2027-01-01T00:00:00Z"}),
    )
    code, text = check(cli, full)
    assert code == 1
    assert f"[fatal] I2 migrationsv1 {key}: " in text
    assert cli.run("store", "repair", "--yes", "--bolt-path", full.path).code == 6


def test_a_dry_run_shows_the_plan_and_writes_nothing(cli: Cli, broken: FullStore) -> None:
    before = broken.path.read_bytes()
    done = cli.run("store", "repair", "--dry-run", "--bolt-path", broken.path)
    assert done.code == 0
    assert "I16: bucketsv1 " in done.stdout
    assert "stays: I7: usersv1 " in done.stdout
    assert "before the repair, influxd will not start" in done.stdout
    assert before == broken.path.read_bytes()


def test_repair_mends_and_leaves_what_is_ambiguous(
    cli: Cli, broken: FullStore, oracle: Oracle
) -> None:
    done = cli.run("store", "repair", "--yes", "--json", "--bolt-path", broken.path)
    document = json.loads(done.stdout)
    assert (done.code, document["is_changed"]) == (0, True)
    assert [one["number"] for one in document["plan"]["mended"]] == ["I16"]
    assert [one["number"] for one in document["plan"]["left"]] == ["I7"]
    assert document["plan"]["verdict_after"] == "influxd will start"
    code, text = check(cli, broken)
    assert code == 1
    assert "[fatal]" not in text
    assert oracle.check(broken.path) == []
    assert oracle.dump(broken.path) == Dump.of_file(broken.path)


def test_a_second_repair_has_nothing_to_do(cli: Cli, broken: FullStore) -> None:
    words = ("store", "repair", "--yes", "--bolt-path", broken.path)
    assert cli.run(*words).code == 0
    before = broken.path.read_bytes()
    done = cli.run(*words)
    assert done.code == 0
    assert "nothing was written" in done.stdout
    assert before == broken.path.read_bytes()


def test_a_repair_can_be_taken_back_to_the_last_byte(cli: Cli, broken: FullStore) -> None:
    before = broken.path.read_bytes()
    assert cli.run("store", "repair", "--yes", "--bolt-path", broken.path).code == 0
    assert before != broken.path.read_bytes()
    assert cli.run("store", "undo", "--yes", "--bolt-path", broken.path).code == 0
    assert before == broken.path.read_bytes()


def test_only_what_is_named_is_mended(cli: Cli, broken: FullStore) -> None:
    edit(broken.path, lambda tx: drop(tx, "userindexv1", "bob"))
    done = cli.run(
        "store", "repair", "--only", "i8", "--only", "I9", "--yes", "--bolt-path", broken.path
    )
    assert done.code == 1  # influxd does not start without the entry that stays away
    keys = keys_of_file(broken.path)
    assert ("userindexv1", b"bob") in keys
    assert ("bucketindexv1", f"{broken.org}_tasks".encode()) not in keys


@pytest.mark.parametrize("numbers", ["I41", "16", "I16,X", ","])
def test_a_number_that_is_none_is_refused(cli: Cli, full: FullStore, numbers: str) -> None:
    done = cli.run("store", "repair", "--only", numbers, "--yes", "--bolt-path", full.path)
    assert done.code == 2
    assert "no such invariant" in done.error
    assert "I16,I25" in done.hint


def test_a_repair_in_a_copy_leaves_the_store_alone(cli: Cli, broken: FullStore) -> None:
    before = broken.path.read_bytes()
    copy = cli.home / "copy.bolt"
    words = ("store", "repair", "--yes", "--output", copy, "--bolt-path", broken.path)
    assert cli.run(*words).code == 0
    assert before == broken.path.read_bytes()
    assert ("bucketindexv1", f"{broken.org}_tasks".encode()) in keys_of_file(copy)


def test_a_store_in_use_is_neither_checked_nor_repaired(
    cli: Cli, full: FullStore, oracle: Oracle
) -> None:
    with oracle.hold(full.path):
        for words in (("store", "check"), ("store", "repair", "--yes")):
            assert cli.run(*words, "--bolt-path", full.path).code == 4


@pytest.mark.damages
def test_of_a_damaged_file_only_salvage_and_the_list_of_copies_are_to_be_typed(
    cli: Cli, level21_bolt: Path
) -> None:
    """Whatever would change it refuses it, so that no other command helps."""
    remove_table(level21_bolt, "secretsv1")
    remove_table(level21_bolt, "scraperv2")
    content = bytearray(level21_bolt.read_bytes())
    newest = max((0, 4096), key=lambda at: int.from_bytes(content[at + 64 : at + 72], "little"))
    freelist = int.from_bytes(content[newest + 48 : newest + 56], "little")
    content[freelist * 4096 + 8] = 2
    level21_bolt.write_bytes(content)
    level21_bolt.with_name(".influx-recovery-abc").mkdir(0o700)
    done = cli.run("store", "check", "--bolt-path", level21_bolt)
    assert done.code == 1
    assert "what to do: delete it when no command runs" in done.stdout
    typed = {
        line.split(" --")[0].strip() for line in done.stdout.splitlines() if "      influx" in line
    }
    assert typed == {"influx-recovery store backups", "influx-recovery store salvage TARGET"}
    assert "I3 scraperv2, secretsv1: is a bolt bucket" in done.stdout
    assert "salvage the file first, and check what that makes" in done.stdout
