"""Migrations, levels, versions, buckets."""

from collections.abc import Callable

import pytest

from recovery.model.gojson import UndecodableError
from recovery.model.schema import (
    LEVEL_MAX,
    LEVEL_MIN,
    MIGRATIONS,
    SQL_MIGRATIONS,
    Migration,
    SchemaFault,
    buckets_of_level,
    decode_migration,
    encode_migration,
    schema_state,
    versions_of_level,
    versions_of_levels,
)

SAMPLE_KEY = b"0000000000000015"
SAMPLE = (
    b'{"id":"0000000000000015","name":"create authorizationhashedindexv1 bucket",'
    b'"started_at":"2025-02-05T21:01:39.331257096Z",'
    b'"finished_at":"2025-02-05T21:01:39.332505051Z"}'
)

Change = Callable[[list[Migration]], None]


def _migrations(count: int) -> list[Migration]:
    return [
        Migration(ordinal=ordinal, name=name, is_finished=True)
        for ordinal, name in enumerate(MIGRATIONS[:count], start=1)
    ]


def test_there_are_21_migrations_and_8_of_sql() -> None:
    assert (len(MIGRATIONS), len(SQL_MIGRATIONS)) == (21, 8)
    assert [name[:4] for name in SQL_MIGRATIONS] == [f"{n:04}" for n in range(1, 9)]


def test_the_sample_migration_is_read() -> None:
    found = decode_migration(SAMPLE_KEY, SAMPLE)
    assert found == Migration(ordinal=21, name=MIGRATIONS[20], is_finished=True)


def test_a_migration_without_an_end_is_unfinished() -> None:
    document = SAMPLE[: SAMPLE.index(b',"finished_at"')] + b"}"
    assert not decode_migration(SAMPLE_KEY, document).is_finished


def test_a_new_migration_has_the_quotes_of_its_name_escaped() -> None:
    key, document = encode_migration(12, "2021-09-28T12:55:25.1Z")
    assert key == b"000000000000000c"
    assert document == (
        b'{"id":"000000000000000c","name":"add index \\"dbrpbyorgv1\\"",'
        b'"started_at":"2021-09-28T12:55:25.1Z","finished_at":"2021-09-28T12:55:25.1Z"}'
    )


@pytest.mark.parametrize("member", [b"", b'"id":null,', b'"id":"0bad0bad0bad0bad",'])
def test_a_migration_goes_by_its_key_and_not_by_the_id_in_it(member: bytes) -> None:
    document = SAMPLE.replace(b'"id":"0000000000000015",', member)
    assert decode_migration(SAMPLE_KEY, document).ordinal == 21


@pytest.mark.parametrize(
    ("key", "document"),
    [
        (b"21", SAMPLE),
        (b"00000000000000zz", SAMPLE),
        (SAMPLE_KEY, SAMPLE.replace(b'"id":"0000000000000015",', b'"id":"15",')),
        (SAMPLE_KEY, SAMPLE.replace(b"2025-02-05", b"2025-02-30")),
        (SAMPLE_KEY, b"[]"),
        (SAMPLE_KEY, SAMPLE.replace(b"{", b'{"Finished_at":"",')),
    ],
)
def test_a_migration_that_the_server_could_not_read_is_refused(key: bytes, document: bytes) -> None:
    with pytest.raises(UndecodableError):
        decode_migration(key, document)


@pytest.mark.parametrize("level", range(LEVEL_MIN, LEVEL_MAX + 1))
def test_every_level_of_a_final_release_is_known(level: int) -> None:
    for found in (_migrations(level), _migrations(level)[::-1]):
        assert (schema_state(found).level, schema_state(found).fault) == (level, None)
    assert versions_of_level(level).startswith("InfluxDB 2.")


def _unfinished(ordinal: int) -> Change:
    def change(found: list[Migration]) -> None:
        found[ordinal - 1] = Migration(
            ordinal=ordinal, name=MIGRATIONS[ordinal - 1], is_finished=False
        )

    return change


def _rename(found: list[Migration]) -> None:
    found[4] = Migration(ordinal=5, name="canary", is_finished=True)


def _newer(found: list[Migration]) -> None:
    found.append(Migration(ordinal=22, name="canary", is_finished=True))


@pytest.mark.parametrize(
    ("change", "fault", "level", "words"),
    [
        (list.clear, SchemaFault.EMPTY, 0, "no migration records"),
        (_newer, SchemaFault.NEWER, 22, "migration 22, which is newer than InfluxDB 2.9"),
        (_rename, SchemaFault.RENAMED, 21, "another name for migration 5"),
        (lambda found: found.pop(9), SchemaFault.GAP, 21, "lacks migration 10"),
        (lambda found: found.pop(0), SchemaFault.GAP, 21, "lacks migration 1,"),
        (_unfinished(21), SchemaFault.UNFINISHED, 20, "in the middle of migration 21"),
        (_unfinished(3), SchemaFault.INTERRUPTED, 21, "has not finished migration 3 of 21"),
        (lambda found: found.__delitem__(slice(9, None)), SchemaFault.OLDER, 9, "older than"),
    ],
)
def test_what_no_server_leaves_behind_is_named(
    change: Change, fault: SchemaFault, level: int, words: str
) -> None:
    found = _migrations(21)
    change(found)
    state = schema_state(found)
    assert (state.fault, state.level) == (fault, level)
    assert words in state.sentence
    assert "canary" not in state.sentence


def test_a_sound_store_has_no_fault() -> None:
    state = schema_state(_migrations(21))
    assert (state.level, state.fault, state.sentence) == (21, None, "")


@pytest.mark.parametrize(
    ("level", "versions"),
    [
        (11, "InfluxDB 2.0.0 to 2.0.2"),
        (14, "InfluxDB 2.0.3 to 2.0.4"),
        (15, "InfluxDB 2.0.5 to 2.0.9"),
        (18, "InfluxDB 2.1"),
        (19, "InfluxDB 2.2"),
        (20, "InfluxDB 2.3 to 2.7"),
        (21, "InfluxDB 2.8 to 2.9"),
        (0, "unknown"),
        (22, "unknown"),
    ],
)
def test_a_level_tells_the_versions(level: int, versions: str) -> None:
    assert versions_of_level(level) == versions


@pytest.mark.parametrize(
    ("level", "sql_level", "versions"),
    [
        (14, 0, "InfluxDB 2.0.3 to 2.0.4"),
        (15, 0, "InfluxDB 2.0.5 to 2.0.9"),
        (20, 5, "InfluxDB 2.3"),
        (20, 7, "InfluxDB 2.4"),
        (20, 8, "InfluxDB 2.5 to 2.7"),
        (21, 8, "InfluxDB 2.8 to 2.9"),
        (21, 5, None),
        (18, 0, None),
        (14, 3, None),
    ],
)
def test_both_files_together_tell_more_or_that_they_do_not_belong_together(
    level: int, sql_level: int, versions: str | None
) -> None:
    assert versions_of_levels(level, sql_level) == versions


@pytest.mark.parametrize(("level", "count"), [(17, 51), (19, 51), (20, 53), (21, 54)])
def test_a_complete_store_has_the_buckets_of_its_level(level: int, count: int) -> None:
    assert len(buckets_of_level(level)) == count


def test_sessions_have_a_bucket_only_before_migration_6() -> None:
    with_sessions = [level for level in range(22) if "sessionsv1" in buckets_of_level(level)]
    assert with_sessions == [1, 2, 3, 4, 5]


def test_the_index_of_hashes_comes_with_migration_21() -> None:
    assert buckets_of_level(21) - buckets_of_level(20) == {"authorizationhashedindexv1"}
