"""What the check says of the two meta pages, and what that means for a writer."""

from collections.abc import Callable

import pytest

from bolt_store import Severity
from bolt_store.errors import DamagedError
from tests.support.bolt_files import sample
from tests.support.surgery import Patient

Found = tuple[str, Severity, int | None]

INFO, WARNING, UNSAFE, FATAL = Severity


def sound(_: Patient) -> list[Found]:
    return []


def older_torn(patient: Patient) -> list[Found]:
    slot = 1 - patient.newest
    patient.set_meta(slot, checksum=1)
    return [("meta.invalid", WARNING, slot)]


def newer_torn(patient: Patient) -> list[Found]:
    """The state before is read then; bbolt reads nothing, as slot 0 tells it the page size."""
    patient.set_meta(patient.newest, checksum=1)
    return [("meta.invalid", WARNING, 0), ("meta.first", WARNING, 0)]


def older_zeroed(patient: Patient) -> list[Found]:
    slot = 1 - patient.newest
    patient.set_page(slot, bytes(1024))
    return [("meta.invalid", WARNING, slot)]


def older_of_another_version(patient: Patient) -> list[Found]:
    slot = 1 - patient.newest
    patient.set_meta(slot, version=1)
    return [("meta.invalid", WARNING, slot)]


def older_implausible(patient: Patient) -> list[Found]:
    slot = 1 - patient.newest
    patient.set_meta(slot, root=1)
    return [("meta.invalid", WARNING, slot)]


def newer_implausible(patient: Patient) -> list[Found]:
    """It is signed, so bbolt would use it."""
    slot = 1 - patient.newest
    patient.set_meta(slot, root=1 << 40, txid=patient.meta(slot, "txid") + 2)
    return [("meta.invalid", WARNING, slot), ("meta.choice", FATAL, slot)]


def older_with_a_page_size_of(size: int) -> Callable[[Patient], list[Found]]:
    def page_size(patient: Patient) -> list[Found]:
        """The page size of slot 0 is what bbolt believes, whichever txid it has."""
        patient.set_meta(0, page_size=size, txid=patient.meta(1, "txid") - 1)
        return [("meta.invalid", WARNING, 0), ("meta.choice", FATAL, 0)]

    return page_size


def newer_second_with_another_page_size(patient: Patient) -> list[Found]:
    """That of slot 0 is what bbolt believes, so it reads this state, and copies the size on."""
    patient.set_meta(1, page_size=8192, txid=patient.meta(0, "txid") + 1)
    return [("meta.invalid", WARNING, 1), ("meta.page_size", FATAL, 1)]


def newest_with_the_last_txid(patient: Patient) -> list[Found]:
    patient.set_meta(patient.newest, txid=(1 << 64) - 2 + patient.newest)
    return [("meta.last_txid", FATAL, patient.newest)]


def first_of_same_txid_out_of_range(patient: Patient) -> list[Found]:
    patient.set_meta(0, root=1 << 40, txid=patient.meta(1, "txid"))
    return [
        ("meta.invalid", WARNING, 0),
        ("meta.choice", FATAL, 0),
        ("meta.txid", WARNING, None),
    ]


def first_of_same_txid_unsigned(patient: Patient) -> list[Found]:
    patient.set_meta(0, txid=patient.meta(1, "txid"), checksum=0)
    found: list[Found] = [("meta.slot", INFO, 0)] if patient.meta(1, "txid") % 2 else []
    return [
        ("meta.unsigned", WARNING, 0),
        *found,
        ("meta.unproven", FATAL, 0),
        ("meta.txid", WARNING, None),
    ]


def older_unsigned(patient: Patient) -> list[Found]:
    slot = 1 - patient.newest
    patient.set_meta(slot, checksum=0)
    return [("meta.unsigned", WARNING, slot)]


def newer_unsigned(patient: Patient) -> list[Found]:
    """To bbolt up to v1.3.6 it is the newest state, to us and to later versions it is not."""
    slot = patient.newest
    patient.set_meta(slot, checksum=0)
    return [("meta.unsigned", WARNING, slot), ("meta.unproven", FATAL, slot)]


def both_unsigned(patient: Patient) -> list[Found]:
    newest = patient.newest
    for slot in (0, 1):
        patient.set_meta(slot, checksum=0)
    return [("meta.unsigned", UNSAFE if slot == newest else WARNING, slot) for slot in (0, 1)]


def header_with_another_id(patient: Patient) -> list[Found]:
    patient.set_header(1, id=0)
    return [("meta.header", WARNING, 1)]


def header_with_other_flags(patient: Patient) -> list[Found]:
    patient.set_header(0, flags=2)
    return [("meta.header", WARNING, 0)]


def slots_exchanged(patient: Patient) -> list[Found]:
    """As a backup by bbolt leaves them, when the txid is odd."""
    first, second = patient.page(0), patient.page(1)
    patient.set_page(0, second)
    patient.set_page(1, first)
    for slot in (0, 1):
        patient.set_header(slot, id=slot)
    return [("meta.slot", INFO, 0), ("meta.slot", INFO, 1)]


def same_tree(patient: Patient) -> list[Found]:
    newest = patient.newest
    fields = {name: patient.meta(newest, name) for name in ("root", "freelist", "high")}
    patient.set_meta(1 - newest, **fields)
    return [("meta.same_tree", INFO, None)]


def same_txid_and_tree(patient: Patient) -> list[Found]:
    """As `surgery revert-meta-page` of bbolt leaves them."""
    newest = patient.newest
    names = ("root", "freelist", "high", "txid")
    patient.set_meta(1 - newest, **{name: patient.meta(newest, name) for name in names})
    return [("meta.slot", INFO, 1 - newest), ("meta.same_tree", INFO, None)]


def same_txid_of_different_trees(patient: Patient) -> list[Found]:
    """Slot 0 counts."""
    patient.set_meta(1, txid=patient.meta(0, "txid"))
    return [("meta.slot", INFO, 1), ("meta.txid", WARNING, None)]


CASES = [
    sound,
    older_torn,
    newer_torn,
    older_zeroed,
    older_of_another_version,
    older_implausible,
    newer_implausible,
    older_with_a_page_size_of(0),
    older_with_a_page_size_of(1 << 31),
    newer_second_with_another_page_size,
    newest_with_the_last_txid,
    first_of_same_txid_out_of_range,
    first_of_same_txid_unsigned,
    older_unsigned,
    newer_unsigned,
    both_unsigned,
    header_with_another_id,
    header_with_other_flags,
    slots_exchanged,
    same_tree,
    same_txid_and_tree,
    same_txid_of_different_trees,
]


@pytest.mark.parametrize("damage", CASES)
def test_f3_each_finding_about_the_metas_is_found_exactly(
    damage: Callable[[Patient], list[Found]],
) -> None:
    patient = sample()
    expected = damage(patient)
    found = [
        (finding.code, finding.severity, finding.pgid)
        for finding in patient.findings()
        if finding.code.startswith("meta.")
    ]
    assert found == expected


@pytest.mark.parametrize("damage", CASES)
def test_a_write_is_refused_where_a_finding_about_the_metas_is_unsafe(
    damage: Callable[[Patient], list[Found]],
) -> None:
    patient = sample()
    expected = damage(patient)
    before = bytes(patient.content)
    with patient.open(write=True) as db:
        if any(severity >= UNSAFE for _, severity, _ in expected):
            with pytest.raises(DamagedError):
                db.update()
            assert bytes(patient.content) == before
        else:
            with db.update(full_check=True) as tx:
                tx.create_bucket(b"new")
            assert [each for each in db.check() if each.severity >= UNSAFE] == []
