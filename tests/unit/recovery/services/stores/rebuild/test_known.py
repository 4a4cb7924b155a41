"""What other files know of a lost store."""

import json
from pathlib import Path

import pytest

from recovery.errors import RefusedError, StoreNotFoundError
from recovery.model.bucket import DAY_NS, HOUR_NS, parse_duration
from recovery.model.ids import Id
from recovery.model.shard_groups import Span
from recovery.services.stores.rebuild.known import (
    Known,
    learn_sqlite,
    read_known,
)
from tests.support.plant import CLIMATE, unpack

ONE, ORG = Id("0a11111111111111"), Id("0b22222222222222")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("infinite", 0),
        ("0", 0),
        ("72h0m0s", 72 * HOUR_NS),
        ("30d", 30 * DAY_NS),
        ("1w2d", 9 * DAY_NS),
        ("90m", 90 * 60 * 10**9),
        ("72", None),
        ("soon", None),
        ("72h x", None),
    ],
)
def test_durations_are_read_as_influx_writes_them(text: str, expected: int | None) -> None:
    assert parse_duration(text) == expected


def _list(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "names.csv"
    path.write_text(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        f"{ONE},weather,72h,24h\n",
        f"# mine\n\n{ONE}, weather ,3d,1d\n",
        f"id,name,retention,shard-group-duration\n{ONE},weather,72h,1d\n",
        f"name,id,shard group duration,retention\nweather,{ONE},24h0m0s,72h0m0s\n",
        f"ID\tName\tRetention\tShard group duration\n{ONE}\tweather\t72h0m0s\t24h0m0s\n",
    ],
)
def test_a_list_is_read(tmp_path: Path, content: str) -> None:
    bucket = read_known([_list(tmp_path, content)]).buckets[ONE]
    assert bucket.name == "weather"
    assert (bucket.retention_ns, bucket.shard_group_ns) == (3 * DAY_NS, DAY_NS)


@pytest.mark.parametrize("content", ["weather,72h\n", f"{ONE},weather,soon\n"])
def test_a_list_that_cannot_be_read_is_refused_with_its_line(tmp_path: Path, content: str) -> None:
    with pytest.raises(RefusedError, match="line 1 of"):
        read_known([_list(tmp_path, content)])


def test_what_a_list_leaves_out_is_not_known(tmp_path: Path) -> None:
    bucket = read_known([_list(tmp_path, f"{ONE},weather\n")]).buckets[ONE]
    assert (bucket.retention_ns, bucket.shard_group_ns, bucket.org_id) == (None, None, None)


def test_the_first_file_is_believed_and_the_other_is_told(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text(f"{ONE},new\n")
    second.write_text(f"{ONE},old,72h\n")
    known = read_known([first, second])
    assert (known.buckets[ONE].name, known.buckets[ONE].retention_ns) == ("new", 3 * DAY_NS)
    assert len(known.notes) == 1
    assert "calls bucket" in known.notes[0]


def test_a_folder_of_influx_backup_is_read(tmp_path: Path) -> None:
    group = {
        "id": 3,
        "startTime": "2025-11-24T00:00:00Z",
        "endTime": "2025-12-01T00:00:00.5Z",
        "shards": [{"id": 8, "shardOwners": [], "fileName": "x", "size": 1, "compression": 1}],
    }
    gone = group | {"deletedAt": "2025-11-24T00:00:00Z", "shards": [{"id": 9}]}
    policy = {
        "name": "autogen",
        "replicaN": 1,
        "duration": 3 * DAY_NS,
        "shardGroupDuration": DAY_NS,
        "shardGroups": [group, gone],
        "subscriptions": [],
    }
    bucket = {
        "organizationID": ORG,
        "organizationName": "acme",
        "bucketID": ONE,
        "bucketName": "weather",
        "defaultRetentionPolicy": "autogen",
        "retentionPolicies": [policy],
    }
    manifest = {"manifestVersion": 2, "kv": {}, "buckets": [bucket]}
    (tmp_path / "20251124T000000Z.manifest").write_text(json.dumps(manifest))
    known = read_known([tmp_path])
    found = known.buckets[ONE]
    assert known.organizations == {ORG: "acme"}
    assert (found.name, found.org_id, found.is_system) == ("weather", ORG, False)
    assert (found.retention_ns, found.shard_group_ns) == (3 * DAY_NS, DAY_NS)
    start_ns = 1_763_942_400 * 10**9
    end_ns = start_ns + 7 * DAY_NS + 500_000_000
    assert found.groups == {8: Span(first_ns=start_ns, last_ns=end_ns - 1)}


def test_a_store_knows_its_groups(tmp_path: Path) -> None:
    known = read_known([unpack("lost.bolt", tmp_path)])
    assert known.buckets[Id(CLIMATE)].name == "climate"
    assert len(known.buckets[Id(CLIMATE)].groups) == 59
    assert list(known.organizations.values()) == ["plant"]


def test_what_is_none_of_these_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFoundError):
        read_known([tmp_path / "absent"])
    with pytest.raises(RefusedError):
        read_known([tmp_path])


def test_the_sqlite_file_gives_the_id_of_its_only_organization(tmp_path: Path) -> None:
    import sqlite3  # noqa: PLC0415 # here only

    path = tmp_path / "influxd.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE notebooks (org_id TEXT)")
        connection.execute("INSERT INTO notebooks VALUES (?)", (ORG,))
    connection.close()
    known = Known()
    learn_sqlite(known, path, is_named=True)
    assert known.organization_id == ORG
    with pytest.raises(StoreNotFoundError):
        learn_sqlite(known, tmp_path / "absent", is_named=True)
    learn_sqlite(known, tmp_path / "absent", is_named=False)
