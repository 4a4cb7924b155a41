"""The storage engine's catalogue."""

import pytest

from recovery.model.catalogue import (
    CatalogueError,
    Database,
    Policy,
    decode_catalogue,
    empty_catalogue,
    encode_database,
    with_database,
    with_groups,
    with_shard_id_max,
)
from recovery.model.ids import Id
from recovery.model.shard_groups import ShardGroup
from tests.support.ports import ScriptedRng

HOUR_NS = 3_600_000_000_000
TASKS = Id("a4400ee87566e12a")

# Of the sample store, spec section 4.9.
TASKS_FIELD = bytes.fromhex(
    "2a 38 0a 10 61 34 34 30 30 65 65 38 37 35 36 36 65 31 32 61 12 07 61 75 74 6f 67 65 6e"
    "1a 1b 0a 07 61 75 74 6f 67 65 6e 10 80 80 b4 9f db f7 3a 18 80 80 bc 8a c9 d2 13 20 01"
)
HEAD = bytes.fromhex("0800 1003 18ffffffffffffffff7f 3801 4005 4807")
"""Term 0, Index 3, ClusterID, MaxNodeID 1, MaxShardGroupID 5, MaxShardID 7."""


def _names(catalogue: bytes) -> list[str]:
    return [one.name for one in decode_catalogue(catalogue).databases]


def test_a_database_is_written_as_in_the_sample_store() -> None:
    found = encode_database(name=TASKS, retention_ns=72 * HOUR_NS, shard_group_ns=24 * HOUR_NS)
    assert found == TASKS_FIELD


def test_infinite_retention_is_a_written_zero() -> None:
    found = encode_database(name=TASKS, retention_ns=0, shard_group_ns=168 * HOUR_NS)
    assert b"\x10\x00\x18" in found
    assert decode_catalogue(HEAD + found).databases[0].policies[0].retention_ns == 0


def test_a_catalogue_is_read() -> None:
    catalogue = decode_catalogue(HEAD + TASKS_FIELD)
    policy = Policy(
        name="autogen",
        retention_ns=72 * HOUR_NS,
        shard_group_ns=24 * HOUR_NS,
        groups=(),
    )
    assert catalogue.index == 3
    assert catalogue.databases == (
        Database(name=TASKS, default_policy="autogen", policies=(policy,)),
    )


GROUPS = (
    ShardGroup(id=4, start_ns=-600, end_ns=0, shard_ids=(4,)),
    ShardGroup(id=5, start_ns=0, end_ns=600, shard_ids=(5, 7)),
)


def _groups(catalogue: bytes, name: str) -> tuple[ShardGroup, ...]:
    database = decode_catalogue(catalogue).database(name)
    assert database is not None
    return database.groups


def test_shard_groups_are_read_as_they_are_written() -> None:
    field = encode_database(name=TASKS, retention_ns=0, shard_group_ns=600, groups=GROUPS[::-1])
    assert _groups(HEAD + field, TASKS) == GROUPS


def test_a_group_without_a_required_field_is_refused() -> None:
    policy = bytes.fromhex("0a07 6175746f67656e 1000 1800 2001 2a020801")
    database = b"\x0a\x10" + TASKS.encode() + b"\x12\x07autogen\x1a" + bytes([len(policy)]) + policy
    with pytest.raises(CatalogueError, match="StartTime"):
        decode_catalogue(HEAD + b"\x2a" + bytes([len(database)]) + database)


def test_a_group_that_was_given_up_or_cut_is_read_so() -> None:
    given_up = bytes.fromhex("2a08 0801 1000 180a 2001")
    cut = bytes.fromhex("2a0e 0802 1000 180a 2000 2a020802 3007")
    policy = bytes.fromhex("0a07 6175746f67656e 1000 1800 2001") + given_up + cut
    database = b"\x0a\x10" + TASKS.encode() + b"\x12\x07autogen\x1a" + bytes([len(policy)]) + policy
    found = _groups(HEAD + b"\x2a" + bytes([len(database)]) + database, TASKS)
    assert found == (ShardGroup(id=2, start_ns=0, end_ns=7, shard_ids=(2,)),)


def test_an_added_database_with_groups_raises_the_numbers() -> None:
    group = ShardGroup(id=90, start_ns=0, end_ns=600, shard_ids=(300,))
    after = decode_catalogue(
        with_database(HEAD, name=TASKS, retention_ns=0, shard_group_ns=600, groups=[group])
    )
    assert (after.index, after.group_id_max, after.shard_id_max) == (4, 90, 300)


def test_added_groups_come_to_stand_by_their_ends_and_all_else_stays() -> None:
    field = encode_database(name=TASKS, retention_ns=7, shard_group_ns=600, groups=GROUPS)
    other = encode_database(name=Id("35227829a87926d7"), retention_ns=0, shard_group_ns=1)
    unknown = b"\xa2\x06\x03abc"
    before = HEAD + other + unknown + field + unknown
    group = ShardGroup(id=6, start_ns=-5000, end_ns=-4000, shard_ids=(6,))
    after = with_groups(before, name=TASKS, added=[group], removed={5})
    assert _groups(after, TASKS) == (group, GROUPS[0])
    expected = encode_database(
        name=TASKS, retention_ns=7, shard_group_ns=600, groups=(group, GROUPS[0])
    )
    assert after[len(HEAD) :] == other + unknown + expected + unknown
    assert decode_catalogue(after).index == 4


def test_groups_of_an_unknown_database_are_refused() -> None:
    with pytest.raises(CatalogueError):
        with_groups(HEAD + TASKS_FIELD, name="35227829a87926d7", added=GROUPS)


def test_the_highest_shard_number_is_only_raised() -> None:
    assert with_shard_id_max(HEAD, 7) == HEAD
    raised = decode_catalogue(with_shard_id_max(HEAD, 1000))
    assert (raised.shard_id_max, raised.group_id_max, raised.index) == (1000, 5, 4)


def test_an_added_database_goes_to_the_end_and_the_index_counts_up() -> None:
    other = Id("35227829a87926d7")
    before = HEAD + TASKS_FIELD
    after = with_database(before, name=other, retention_ns=0, shard_group_ns=168 * HOUR_NS)
    added = encode_database(name=other, retention_ns=0, shard_group_ns=168 * HOUR_NS)
    assert after == before.replace(b"\x10\x03", b"\x10\x04", 1) + added
    assert _names(after) == [TASKS, other]


def test_an_index_that_grows_by_a_byte_moves_the_rest() -> None:
    before = HEAD.replace(b"\x10\x03", b"\x10\x7f") + TASKS_FIELD
    after = with_database(
        before, name=Id("35227829a87926d7"), retention_ns=0, shard_group_ns=HOUR_NS
    )
    assert after.startswith(b"\x08\x00\x10\x80\x01\x18")
    assert decode_catalogue(after).index == 128


def test_of_two_indexes_the_last_counts() -> None:
    before = HEAD + b"\x10\x09" + TASKS_FIELD
    after = with_database(
        before, name=Id("35227829a87926d7"), retention_ns=0, shard_group_ns=HOUR_NS
    )
    assert decode_catalogue(after).index == 10
    assert after.startswith(HEAD)


def test_unknown_fields_of_every_kind_survive() -> None:
    unknown = b"\x78\x05" + b"\x79" + bytes(8) + b"\x7a\x03abc" + b"\x7d" + bytes(4)
    before = unknown + HEAD + unknown + TASKS_FIELD + unknown
    after = with_database(
        before, name=Id("35227829a87926d7"), retention_ns=0, shard_group_ns=HOUR_NS
    )
    assert after.startswith(unknown + HEAD.replace(b"\x10\x03", b"\x10\x04", 1) + unknown)
    assert TASKS_FIELD + unknown in after


def test_an_empty_catalogue_has_all_that_the_server_requires() -> None:
    catalogue = empty_catalogue(ScriptedRng(bits=[4]))
    assert catalogue == bytes.fromhex("0800 1001 1805 3800 4000 4800")
    assert decode_catalogue(catalogue).databases == ()


def test_a_database_is_not_added_twice() -> None:
    with pytest.raises(CatalogueError, match="has this database already"):
        with_database(HEAD + TASKS_FIELD, name=TASKS, retention_ns=0, shard_group_ns=HOUR_NS)


def test_an_index_at_its_end_is_not_counted_up() -> None:
    full = HEAD.replace(b"\x10\x03", b"\x10" + b"\xff" * 9 + b"\x01")
    with pytest.raises(CatalogueError, match="cannot be counted up"):
        with_database(full, name=TASKS, retention_ns=0, shard_group_ns=HOUR_NS)


@pytest.mark.parametrize("missing", ["0800", "1003", "3801", "4005", "4807"])
def test_a_required_number_that_is_missing_is_an_error(missing: str) -> None:
    broken = HEAD.replace(bytes.fromhex(missing), b"", 1)
    assert broken != HEAD
    with pytest.raises(CatalogueError, match="lacks a required field"):
        decode_catalogue(broken)
    with pytest.raises(CatalogueError, match="lacks a required field"):
        with_database(broken, name=TASKS, retention_ns=0, shard_group_ns=HOUR_NS)


@pytest.mark.parametrize(
    "policy",
    ["1000 1800 2001", "0a0161 1800 2001", "0a0161 1000 2001", "0a0161 1000 1800"],
)
def test_a_required_field_of_a_policy_is_missed(policy: str) -> None:
    content = bytes.fromhex(policy)
    database = b"\x0a\x01x\x12\x01y\x1a" + bytes([len(content)]) + content
    with pytest.raises(CatalogueError, match="a retention policy has no"):
        decode_catalogue(HEAD + b"\x2a" + bytes([len(database)]) + database)


@pytest.mark.parametrize("database", [b"\x12\x01y", b"\x0a\x01x"])
def test_a_required_field_of_a_database_is_missed(database: bytes) -> None:
    with pytest.raises(CatalogueError, match="a database has no"):
        decode_catalogue(HEAD + b"\x2a" + bytes([len(database)]) + database)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"", id="empty"),
        pytest.param(HEAD + TASKS_FIELD[:-1], id="cut"),
        pytest.param(HEAD + b"\x2a", id="cut in a length"),
        pytest.param(HEAD + b"\x80" * 11, id="a number that does not end"),
        pytest.param(HEAD + b"\x78" + b"\xff" * 9 + b"\x02", id="a number of more than 64 bits"),
        pytest.param(HEAD + b"\x2a" + b"\xff" * 9 + b"\x01", id="a length beyond everything"),
        pytest.param(HEAD + b"\x2b\x08\x01", id="a group without an end"),
        pytest.param(HEAD + b"\x2b\x34", id="a group with the end of another"),
        pytest.param(HEAD + b"\x2c", id="an end without a group"),
        pytest.param(HEAD + b"\x80\x80\x80\x80\x10\x01", id="a number beyond all fields"),
        pytest.param(HEAD + b"\x22\x02\x08\x01", id="a node without a host"),
        pytest.param(HEAD + b"\x32\x0a\x0a\x01u\x12\x01h\x18\x01\x22\x00", id="a privilege"),
        pytest.param(HEAD + b"\x00\x00", id="a field without a number"),
        pytest.param(HEAD + b"\x2a\x04\x08\x01\x12\x00", id="a name that is a number"),
        pytest.param(HEAD + b"\x79" + bytes(7), id="cut in eight bytes"),
    ],
)
def test_what_is_no_catalogue_is_an_error(broken: bytes) -> None:
    with pytest.raises(CatalogueError):
        decode_catalogue(broken)


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(b"\x2b\x2c", id="a group"),
        pytest.param(b"\x2b\x13\x10\x01\x1a\x01x\x21" + bytes(8) + b"\x14\x2c", id="two groups"),
        pytest.param(b"\x12\x01x", id="an index that is a text"),
        pytest.param(b"\x28\x07", id="a database that is a number"),
        pytest.param(b"\x22\x05\x08\x01\x12\x01x", id="a node"),
    ],
)
def test_what_the_server_passes_over_is_passed_over(odd: bytes) -> None:
    assert decode_catalogue(HEAD + odd) == decode_catalogue(HEAD)


def shard_in_all(shard: bytes) -> bytes:
    """Encode a catalogue of one database with one group with a shard."""
    group = b"\x08\x01\x10\x00\x18\x01\x20\x00\x2a" + bytes([len(shard)]) + shard
    policy = b"\x0a\x01a\x10\x00\x18\x00\x20\x01\x2a" + bytes([len(group)]) + group
    database = b"\x0a\x01x\x12\x01y\x1a" + bytes([len(policy)]) + policy
    return HEAD + b"\x2a" + bytes([len(database)]) + database


@pytest.mark.parametrize("owners", [b"", b"\x12\x03\x01\x80\x01", b"\x10\x05", b"\x1a\x02\x08\x01"])
def test_owners_of_a_shard_are_passed_over(owners: bytes) -> None:
    found = decode_catalogue(shard_in_all(b"\x08\x07" + owners))
    assert found.databases[0].policies[0].groups[0].shard_ids == (7,)


@pytest.mark.parametrize("owners", [b"\x12\x01\x80", b"\x1a\x00", b"\x1a\x01x"])
def test_owners_of_a_shard_that_the_server_cannot_read_are_an_error(owners: bytes) -> None:
    with pytest.raises(CatalogueError):
        decode_catalogue(shard_in_all(b"\x08\x07" + owners))


def test_a_negative_duration_is_read_as_one() -> None:
    policy = b"\x0a\x01a\x10" + b"\xff" * 9 + b"\x01" + b"\x18\x00\x20\x01"
    database = b"\x0a\x01x\x12\x01y\x1a" + bytes([len(policy)]) + policy
    found = decode_catalogue(HEAD + b"\x2a" + bytes([len(database)]) + database)
    assert found.databases[0].policies[0].retention_ns == -1
