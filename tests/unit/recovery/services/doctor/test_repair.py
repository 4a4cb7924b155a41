"""What the repair does beyond mending each finding for itself."""

import importlib
import json
import pkgutil
from pathlib import Path

import pytest

import bolt_store
from recovery.cli.hints import command_line
from recovery.cli.vocabulary import COMMANDS
from recovery.discovery.candidate import Files
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.catalogue import Catalogue, decode_catalogue
from recovery.model.mapping import Mapping
from recovery.remedy import Input
from recovery.services import doctor
from recovery.services.doctor.check import Outlook
from recovery.services.doctor.finding import Rule, Severity
from recovery.services.doctor.indexes import IndexRules
from tests.support import breakages
from tests.support.doctor import examined, repair, words
from tests.support.full_store import (
    CHECK,
    DBRP,
    ENDPOINT,
    LABEL,
    NOBODY,
    OTHER_DBRP,
    TASK,
    FullStore,
    drop,
    keys_of_file,
    make_full_store,
    open_tables,
    put,
    remove_table,
)
from tests.support.full_store import change as change_record
from tests.support.hints import complaint
from tests.support.invariants import assert_invariants
from tests.support.stores import OPERATOR_TOKEN, READER_TOKEN, change, edit
from tests.support.workings import workings


@pytest.fixture
def full(tmp_path: Path) -> FullStore:
    return make_full_store(tmp_path / "influxd.bolt")


def break_named(full: FullStore, *names: str) -> None:
    by_name = {one.name: one for one in breakages.BREAKAGES}
    for name in names:
        edit(full.path, lambda tx, name=name: by_name[name].break_(tx, full))  # type: ignore[misc] # a default binds it


@pytest.mark.parametrize(
    ("table", "key", "outlook"),
    [
        ("userindexv1", b"alice", Outlook.STARTS),
        ("authorizationindexv1", OPERATOR_TOKEN.encode(), Outlook.DOES_NOT_START),
        ("idsv1", b"id", Outlook.DOES_NOT_START),
    ],
)
def test_a_bucket_in_the_place_of_an_entry_makes_room_for_it_by_a_plan_that_says_so(
    full: FullStore, table: str, key: bytes, outlook: Outlook
) -> None:
    with bolt_store.open(full.path, write=True) as db, db.update() as tx:
        assert tx.bucket(table.encode()).get(key) is not None
        tx.bucket(table.encode()).delete(key)
        tx.bucket(table.encode()).create_bucket(key)
    assert examined(full.path).verdict.outlook is outlook
    with MetaStore.open(full.path, write=False) as store, store.view() as tx:
        plan = repair().plan(tx)
    assert any(step.startswith(f"removes 1 key of {table}") for step in plan.steps)
    change(full.path, repair())
    assert words(examined(full.path)) == ()


def test_everything_that_can_be_mended_at_once_is_mended_at_once(full: FullStore) -> None:
    break_named(
        full,
        "user name not in the index",
        "bucket not in the catalogue",
        "no bucket _tasks though there are tasks",
        "mapping not in the index",
        "token raw and hashed",
        "database without a default",
    )
    assert examined(full.path).verdict.outlook is Outlook.DOES_NOT_START
    change(full.path, repair())
    examination = examined(full.path)
    assert words(examination) == ()
    assert examination.verdict.outlook is Outlook.STARTS
    assert_invariants(full.path)


def test_a_dry_run_writes_nothing_and_tells_what_will_become_of_the_verdict(
    full: FullStore,
) -> None:
    break_named(full, "bucket not in the catalogue")
    before = full.path.read_bytes()
    outcome = change(full.path, repair(), is_dry_run=True)
    assert before == full.path.read_bytes()
    facts = outcome.proposal.plan.facts
    assert str(facts["verdict_before"]).startswith("influxd will not start, because bucketsv1")
    assert facts["verdict_after"] == "influxd will start"
    assert facts["change_count"] == 1


def test_tokens_of_no_user_are_removed_on_request_only(full: FullStore) -> None:
    edit(full.path, lambda tx: change_record(tx, "authorizationsv1", full.reader, userID=NOBODY))
    assert change(full.path, repair()).is_changed is False
    change(full.path, repair("I24"))
    keys = keys_of_file(full.path)
    assert ("authorizationsv1", full.reader.encode()) not in keys
    assert ("authorizationindexv1", READER_TOKEN.encode()) not in keys
    assert words(examined(full.path)) == ()


def test_hashed_tokens_of_no_user_are_removed_on_request_too(full: FullStore) -> None:
    edit(full.path, lambda tx: change_record(tx, "authorizationsv1", full.hashed, userID=NOBODY))
    before = len(keys_of_file(full.path))
    change(full.path, repair("I24"))
    assert before - 2 == len(keys_of_file(full.path))
    assert words(examined(full.path)) == ()


def test_what_is_left_of_a_lost_user_is_removed_on_request_only(full: FullStore) -> None:
    break_named(full, "record of a user lost")
    before = keys_of_file(full.path)
    assert change(full.path, repair()).is_changed is False
    change(full.path, repair("I8", "I9", "I19"))
    gone = {key[0] for key in before.keys() - keys_of_file(full.path).keys()}
    assert gone == {
        "userindexv1",
        "userspasswordv1",
        "userresourcemappingsv1",
        "userresourcemappingsbyuserindexv1",
    }


def test_a_task_is_kept_while_other_records_of_its_organization_are_there(
    full: FullStore,
) -> None:
    def lose(tx: MetaTx) -> None:
        drop(tx, "organizationsv1", full.org)
        names = tx.table("organizationindexv1")
        for name in [name for name, value in names.items() if value == full.org.encode()]:
            names.delete(name)

    edit(full.path, lose)
    (task,) = (one for one in examined(full.path).findings if one.number == "I26")
    assert (task.is_mendable, task.is_on_request) == (False, True)
    change(full.path, repair("I21"))
    assert any(key[0] == "tasksv1" for key in keys_of_file(full.path))


def test_the_raw_token_that_is_taken_out_works_by_its_hash(full: FullStore) -> None:
    break_named(full, "token raw and hashed")
    change(full.path, repair())
    with MetaStore.open(full.path, write=False) as store, store.view() as tx:
        authorization = tx.authorizations.get(tx.authorizations.load(full.operator).id)  # type: ignore[union-attr] # it is there
    assert authorization is not None
    assert authorization.token is None
    assert OPERATOR_TOKEN.encode() not in {key[1] for key in keys_of_file(full.path)}


def test_a_catalogue_entry_has_the_retention_of_the_record(full: FullStore) -> None:
    break_named(full, "bucket not in the catalogue")
    edit(full.path, lambda tx: change_record(tx, "bucketsv1", full.bucket, shardGroupDuration=0))
    index = decode_catalogue(keys_of_file(full.path)["v1_tsm1_metadata", b"meta.db"]).index
    change(full.path, repair())
    catalogue = decode_catalogue(keys_of_file(full.path)["v1_tsm1_metadata", b"meta.db"])
    assert catalogue.index == index + 1
    (policy,) = next(one for one in catalogue.databases if one.name == full.bucket).policies
    assert policy.retention_ns == 30 * 24 * 3_600_000_000_000
    assert words(examined(full.path)) == ()


def test_a_store_whose_tokens_lead_nowhere_locks_everybody_out(full: FullStore) -> None:
    def lose(tx: MetaTx) -> None:
        for key in [key for key, _ in tx.table("authorizationindexv1").items()]:
            tx.table("authorizationindexv1").delete(key)
        drop(tx, "userspasswordv1", full.alice)

    edit(full.path, lose)
    not_hashing = Files(use_hashed_tokens=False)
    assert examined(full.path, not_hashing).verdict.outlook is Outlook.STARTS_LOCKED
    assert examined(full.path).verdict.outlook is Outlook.STARTS  # because 2.9 hashes raw tokens
    change(full.path, repair())
    assert examined(full.path, not_hashing).verdict.outlook is Outlook.STARTS


def test_up_to_2_4_only_the_first_twenty_buckets_stop_the_server(tmp_path: Path) -> None:
    full = make_full_store(tmp_path / "influxd.bolt", level=18)

    def add(tx: MetaTx) -> None:
        template = tx.table("bucketsv1").get(full.bucket.encode()) or b""
        for number in range(25):
            bucket = f"{number + 1:016x}"
            document = template.replace(full.bucket.encode(), bucket.encode())
            document = document.replace(b'"sensors"', b'"more%d"' % number)
            tx.table("bucketsv1").put(bucket.encode(), document)
            tx.table("bucketindexv1").put(f"{full.org}more{number}".encode(), bucket.encode())

    edit(full.path, add)
    assert sorted(words(examined(full.path))) == ["I10 F"] * 20 + ["I10 M"] * 5
    before = _catalogue_of(full.path)
    change(full.path, repair())
    assert words(examined(full.path)) == ()
    after = _catalogue_of(full.path)
    assert len(after.databases) == len(before.databases) + 25
    assert after.index == before.index + 1, "thousands of entries are made in one go"


def _catalogue_of(path: Path) -> Catalogue:
    with MetaStore.open(path, write=False) as store, store.view() as tx:
        return tx.catalogue.decoded()


def test_a_finding_shows_no_key_and_no_value(full: FullStore) -> None:
    for breakage in breakages.BREAKAGES:
        if 21 in breakage.levels:
            make_full_store(full.path)
            break_named(full, breakage.name)
            shown = repr(examined(full.path))
            assert "canary" not in shown, breakage.name
            assert "influxdb2-sha256$" not in shown, breakage.name


def test_advice_is_no_finding(full: FullStore) -> None:
    edit(full.path, lambda tx: change_record(tx, "usersv1", full.alice, status="inactive"))
    examination = examined(full.path)
    assert words(examination) == ()
    assert {"I22", "I25"} == {one.number for one in examination.advice}
    assert NOBODY not in repr(examination)


@pytest.mark.parametrize("odd", ["a\u200bb", "a\u202eb", "a\x1b[31m", "\ufe0fa", " a", "a\u00a0b"])
@pytest.mark.parametrize(
    ("table", "number", "operation"),
    [
        ("usersv1", "I6", "user rename"),
        ("organizationsv1", "I14", "org rename"),
        ("bucketsv1", "I15", "bucket rename"),
    ],
)
def test_a_name_that_cannot_be_typed_is_advice_to_rename_it(
    full: FullStore, table: str, number: str, operation: str, odd: str
) -> None:
    record = {"usersv1": full.alice, "organizationsv1": full.org, "bucketsv1": full.bucket}[table]
    edit(full.path, lambda tx: change_record(tx, table, record, name=odd))
    found = [one for one in examined(full.path).advice if one.bucket == table]
    assert [(one.number, one.id, one.operations) for one in found] == [
        (number, record, (operation,))
    ]


@pytest.mark.parametrize("name", ["müller", "Ω", "a b", "back\\slash", "日本"])
def test_a_name_in_other_letters_is_no_advice(full: FullStore, name: str) -> None:
    edit(full.path, lambda tx: change_record(tx, "usersv1", full.alice, name=name))
    assert [one for one in examined(full.path).advice if one.bucket == "usersv1"] == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_traces_of_lost_records_stay_until_the_loss_is_accepted(
    full: FullStore, count: int
) -> None:
    """A page of records that is gone is no debris: the index has their tokens and names."""
    numbers = [f"0d{number:014x}" for number in range(count)]

    def lose(tx: MetaTx) -> None:
        for number in numbers:
            tx.table("authorizationindexv1").put(f"canary-{number}".encode(), number.encode())

    def left() -> set[bytes]:
        with open_tables(full.path) as store, store.view() as tx:
            return {value for _, value in tx.table("authorizationindexv1").items()}

    edit(full.path, lose)
    change(full.path, repair())
    assert left() >= {number.encode() for number in numbers}
    assert words(examined(full.path)) == (("I25 H",) if count > 2 else ("I25 M",) * count)
    change(full.path, repair(accepted=("I25",)))
    assert not left() & {number.encode() for number in numbers}
    assert words(examined(full.path)) == ()


TRACES = [
    "user name of nobody",
    "password of nobody",
    "bucket name of nothing",
    "mapping of no user",
    "mapping for nothing",
    "index entry of a lost mapping",
    "stray token of nothing",
    "index entry of no task",
    "index entry of no DBRP mapping",
    "default of no database",
    "1.x name of nothing",
    "index entry of no dashboard",
    "view of no dashboard",
    "label index entry of nothing",
    "check index entry of nothing",
]


@pytest.mark.parametrize("name", TRACES)
def test_the_last_trace_of_a_lost_record_stays_until_the_loss_is_accepted(
    full: FullStore, name: str
) -> None:
    break_named(full, name)
    (finding,) = examined(full.path).findings
    assert (finding.is_loss, finding.is_mendable) == (True, False)
    before = keys_of_file(full.path)
    assert change(full.path, repair()).is_changed is False
    outcome = change(full.path, repair(accepted=(finding.number,)))
    gone = before.keys() - keys_of_file(full.path).keys()
    removed = outcome.proposal.plan.facts["removed"]
    assert isinstance(removed, list)
    assert {one["bucket"] for one in removed} == {key[0] for key in gone}
    assert words(examined(full.path)) == ()


@pytest.mark.parametrize(
    ("document", "count"), [(b"{}", 0), (b"null", 0), (b"garbage", 1), (None, 1)]
)
def test_who_gets_in_depends_on_whether_organizations_can_be_listed(
    full: FullStore, document: bytes | None, count: int
) -> None:
    """One without an ID ends the list with 400 for all who may see it; others are left out."""

    def lose(tx: MetaTx) -> None:
        table = tx.table("organizationsv1")
        if document is None:
            table.delete(full.other_org.encode())
        else:
            table.put(full.other_org.encode(), document)

    whole = examined(full.path).verdict.access.sign_in_count
    edit(full.path, lose)
    assert examined(full.path).verdict.access.sign_in_count == count
    change(full.path, repair())
    assert words(examined(full.path)) == ()
    assert examined(full.path).verdict.access.sign_in_count == whole


def test_every_command_that_a_remedy_names_is_there() -> None:
    known = set(COMMANDS)
    named = set()
    for module in pkgutil.iter_modules(doctor.__path__, f"{doctor.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            rules = (
                (value.missing, value.extra, value.foreign, value.double)
                if isinstance(value, IndexRules)
                else (value,)
            )
            for rule in rules:
                if isinstance(rule, Rule):
                    named |= set(rule.operations)
    assert len(named) > 10
    assert named - known == set()
    for operation in named:
        assert complaint(f"type {command_line(operation, {Input.ID: None})}", operation) is None


KEEPING = [
    "user without a name",
    "organization without a name",
    "bucket without a name",
    "bucket of no organization",
    "bucket that names no organization",
    "1.x authorization without a name",
    "1.x name leads to a record of another name",
    "two users with one name",
    "second name of a user",
    "second name of a bucket",
    "record of a bucket lost",
]
"""Breakages by which nothing stops working that works by an index."""


@pytest.mark.parametrize("name", KEEPING)
def test_what_works_by_the_last_entry_of_an_index_goes_on_working(
    full: FullStore, name: str
) -> None:
    break_named(full, name)
    worked, keys = workings(full.path), keys_of_file(full.path).keys()
    change(full.path, repair())
    assert worked <= workings(full.path)
    assert keys <= keys_of_file(full.path).keys()


def test_a_user_takes_the_name_by_which_it_signs_in_where_asked_for(full: FullStore) -> None:
    break_named(full, "two users with one name")
    change(full.path, repair("I8"))
    assert words(examined(full.path)) == ()
    assert ("sign-in", "alice") in workings(full.path)
    assert json.loads(keys_of_file(full.path)["usersv1", full.bob.encode()])["name"] == "bob"


def test_a_task_gets_the_organization_back_that_its_index_names(full: FullStore) -> None:
    before = keys_of_file(full.path)
    edit(full.path, lambda tx: change_record(tx, "tasksv1", TASK, orgID=NOBODY))
    change(full.path, repair())
    assert before == keys_of_file(full.path)


def test_a_task_that_no_index_has_is_not_taken_for_that_of_a_deleted_organization(
    full: FullStore,
) -> None:
    edit(full.path, lambda tx: change_record(tx, "tasksv1", TASK, orgID=NOBODY))
    edit(full.path, lambda tx: drop(tx, "taskIndexsv1", f"{full.org}/{TASK}"))
    assert change(full.path, repair()).is_changed is False


def test_the_newest_of_the_mappings_marked_as_default_is_the_default(full: FullStore) -> None:
    edit(full.path, lambda tx: change_record(tx, "dbrpv1", DBRP, default=True))
    edit(full.path, lambda tx: drop(tx, "dbrpdefaultv1", f"{full.org}db"))
    (finding,) = examined(full.path).findings
    assert max(DBRP, OTHER_DBRP) in finding.remedy
    change(full.path, repair())
    stored = keys_of_file(full.path)["dbrpdefaultv1", f"{full.org}db".encode()]
    assert max(DBRP, OTHER_DBRP).encode() == stored


@pytest.mark.parametrize("name", ["tasksv1", "userresourcemappingsv1", "usersv1", "labelsv1"])
def test_an_index_whose_records_are_all_gone_stays_until_the_loss_is_accepted(
    full: FullStore, name: str
) -> None:
    remove_table(full.path, name)

    def make(tx: MetaTx) -> None:
        tx.create_table(name)

    edit(full.path, make)
    before = keys_of_file(full.path).keys()
    lost = [one for one in examined(full.path).findings if one.is_loss]
    assert lost[0].severity is Severity.HIGH
    assert {one.severity for one in lost[1:]} <= {Severity.LOW}
    change(full.path, repair())
    assert before <= keys_of_file(full.path).keys()
    outcome = change(full.path, repair(accepted=tuple(one.number for one in lost)))
    assert before > keys_of_file(full.path).keys()
    assert f'"bucket": "{lost[0].bucket}"' in json.dumps(outcome.proposal.plan.facts["removed"])
    assert not [one for one in examined(full.path).findings if one.is_loss]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("STRA\N{LATIN CAPITAL LETTER SHARP S}E", b"stra\xc3\x9fe\0"),
        ("\N{LATIN CAPITAL LETTER A WITH STROKE}bc", b"\xe2\xb1\xa5b"),
        ("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}x", b"ix\0"),
        ("\N{KELVIN SIGN}", b"k\0\0"),
    ],
)
def test_a_label_has_the_key_that_go_makes_of_its_name(
    full: FullStore, name: str, key: bytes
) -> None:
    def rename(tx: MetaTx) -> None:
        change_record(tx, "labelsv1", LABEL, name=name)
        drop(tx, "labelindexv1", f"{full.org}red")
        tx.table("labelindexv1").put(full.org.encode() + key, LABEL.encode())

    edit(full.path, rename)
    assert words(examined(full.path)) == ()


def test_a_number_that_cannot_be_mended_is_answered_with_what_to_do(full: FullStore) -> None:
    edit(full.path, lambda tx: change_record(tx, "usersv1", full.alice, status="inactive"))
    outcome = change(full.path, repair("I22", "I3"))
    assert outcome.is_changed is False
    said = " ".join(outcome.proposal.plan.warnings)
    assert "I22" in said
    assert "name one (org add-owner)" in said
    assert "I3: nothing is wrong with it" in said


def test_no_key_of_a_token_index_is_in_the_plan(full: FullStore) -> None:
    secret = "0123456789abcdef"
    edit(full.path, lambda tx: tx.table("authorizationindexv1").put(secret.encode(), b"odd"))
    outcome = change(full.path, repair(accepted=("I25",)))
    assert "removes 1 key of authorizationindexv1" in outcome.proposal.plan.steps
    assert secret not in repr(outcome.proposal.plan.facts)


def test_a_membership_of_a_lost_bucket_is_kept_when_the_system_buckets_are_made_again(
    full: FullStore,
) -> None:
    member = Mapping(
        user_id=full.alice, user_type="member", resource_type="buckets", resource_id=full.bucket
    )
    edit(full.path, lambda tx: tx.mappings.put(member))

    def lose(tx: MetaTx) -> None:
        for name in ("bucketsv1", "bucketindexv1"):
            for key in [key for key, _ in tx.table(name).items()]:
                tx.table(name).delete(key)

    edit(full.path, lose)
    change(full.path, repair())
    with MetaStore.open(full.path, write=False) as store, store.view() as tx:
        assert not tx.table("bucketsv1").is_empty
        assert member in list(tx.mappings.walk([]))


@pytest.mark.parametrize("table", ["checksv1", "notificationRulev1"])
def test_a_task_that_stops_the_server_is_taken_out_although_a_check_or_rule_needs_it(
    full: FullStore, table: str
) -> None:
    """The task is lost anyway; what is left of the loss is told in the plan."""
    document = {"id": CHECK, "orgID": full.org, "type": "slack", "name": "n", "taskID": TASK}
    document |= {"endpointID": ENDPOINT, "every": "1m"}

    def spoil(tx: MetaTx) -> None:
        if table == "checksv1":
            change_record(tx, table, CHECK, taskID=TASK)
        else:
            put(tx, table, CHECK, document)
        put(tx, "tasksv1", TASK, b"{g")

    edit(full.path, spoil)
    assert examined(full.path).verdict.outlook is Outlook.DOES_NOT_START
    done = change(full.path, repair("I27"))
    left = examined(full.path)
    assert left.verdict.outlook is not Outlook.DOES_NOT_START
    assert table in {finding.bucket for finding in left.findings}
    for finding in left.findings:
        assert finding.problem.endswith("whose task does not exist")
        assert any(finding.problem in one for one in done.proposal.plan.warnings)


def test_the_tasks_of_a_deleted_organization_are_removed_although_its_checks_name_them(
    full: FullStore,
) -> None:
    """As a server before 2.9 leaves them when it deletes an organization."""
    break_named(full, "task of a deleted organization")

    def add_check(tx: MetaTx) -> None:
        change_record(tx, "checksv1", CHECK, orgID=full.other_org, taskID="0b00000000000001")
        drop(tx, "checkindexv1", f"{full.org}Check")
        put(tx, "checkindexv1", f"{full.other_org}Check", CHECK)

    edit(full.path, add_check)
    assert words(examined(full.path)) == ("I26 F",)
    change(full.path, repair())
    assert words(examined(full.path)) == ()
