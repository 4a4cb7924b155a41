"""Which meta bbolt takes, and where it looks for pages: whatever differs from ours is a finding.

All combinations of what can be wrong with one meta page and of which one is newer. Where bbolt
refuses the file, panics, or reads another state than we do, the check has a finding of the worst
severity; where there is none, bbolt reads what we read and can write it.
"""

from pathlib import Path

import pytest

import bolt_store
from bolt_store import Severity
from tests.support.oracle import Dump, Oracle, OracleError, Script
from tests.support.surgery import Patient

DAMAGES: dict[str, dict[str, int]] = {
    "sound": {},
    "page size 0": {"page_size": 0},
    "page size 1": {"page_size": 1},
    "page size 5000": {"page_size": 5000},
    "page size doubled": {"page_size": 8192},
    "page size 2^31": {"page_size": 1 << 31},
    "root 0": {"root": 0},
    "root out of range": {"root": 1 << 40},
    "freelist out of range": {"freelist": 1 << 40},
    "high water mark 0": {"high": 0},
    "no checksum": {"checksum": 0},
    "no checksum, root out of range": {"root": 1 << 40, "checksum": 0},
    "no checksum, page size 0": {"page_size": 0, "checksum": 0},
    "wrong checksum": {"checksum": 1},
    "another program's": {"magic": 1},
    "another version": {"version": 1},
}
ORDERS = {"older": -1, "same txid": 0, "newer": 1}
WRITE = Script().make(b"written")


@pytest.mark.parametrize("page_size_bytes", [1024, 4096])
@pytest.mark.parametrize("slot", [0, 1])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_bbolt_sees_otherwise_has_a_finding_of_the_worst_severity(
    oracle: Oracle, tmp_path: Path, damage: str, slot: int, page_size_bytes: int
) -> None:
    original = tmp_path / "original"
    oracle.init(original, page_size_bytes=page_size_bytes)
    oracle.apply(original, Script().make(b"first").put((b"first",), b"key", b"value"))
    oracle.apply(original, Script().make(b"second"))
    content = original.read_bytes()
    for order, step in ORDERS.items():
        patient = Patient(content, page_size_bytes=page_size_bytes)
        txid = patient.meta(1 - slot, "txid") + step
        patient.set_meta(slot, **{"txid": txid, **DAMAGES[damage]})
        file = tmp_path / f"{order}.bolt"
        file.write_bytes(patient.content)
        with bolt_store.open(file) as db:
            found = list(db.check())
        is_fatal = any(one.severity is Severity.FATAL for one in found)
        is_told = is_fatal or any(one.code == "meta.first" for one in found)
        try:
            # With some page sizes bbolt neither reads nor dies, so this comes first.
            oracle.check_damaged(file, timeout_s=1)
            theirs = oracle.dump(file)
            with bolt_store.open(file) as db:
                ours = Dump.of(db)
            oracle.apply(file, WRITE)
        except OracleError:
            assert is_told, (order, found)
        else:
            assert (theirs != ours) == is_fatal, (order, found)
