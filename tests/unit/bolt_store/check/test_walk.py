"""Every finding about pages, freelist and size, provoked by setting single fields of a file.

Each case returns what must be found, all of it and nothing else. The file, `sample`, has no
findings before.
"""

from collections.abc import Callable
from pathlib import Path
from struct import pack, pack_into

import pytest

import bolt_store
from bolt_store import Severity
from bolt_store.check import Check
from bolt_store.errors import DamagedError
from bolt_store.file.pager import Pager
from bolt_store.tree.pages import FREE, REACHABLE
from tests.support.bolt_files import key, memory_db, sample
from tests.support.memory_file import MemoryFile
from tests.support.surgery import BRANCH, LEAF, NOT_STORED, Patient

PAGE_SIZE = 1024
Found = tuple[str, Severity, int | None]
INFO, WARNING, UNSAFE, FATAL = Severity


def a_leaf(patient: Patient) -> int:
    """Return a leaf in the middle of a deep tree, several elements wide."""
    leaf, _ = patient.find(patient.bucket_root(b"tree"), key(200))
    assert patient.header(leaf, "count") >= 3
    return leaf


def a_branch(patient: Patient) -> int:
    """Return the branch above `a_leaf`, in the middle of its level."""
    root = patient.bucket_root(b"tree")
    return next(
        pgid for pgid in patient.children(root) if a_leaf(patient) in patient.children(pgid)
    )


def stretches(pgids: list[int]) -> list[Found]:
    """Return the findings about pages that nobody refers to any more, one for each stretch."""
    starts = [pgid for pgid in pgids if pgid - 1 not in pgids]
    return [("page.unreachable", WARNING, pgid) for pgid in sorted(starts)]


def free_for(patient: Patient, count: int) -> list[int]:
    """Take free pages off the freelist, to be used as something else."""
    ids = patient.free_ids()
    taken, left = ids[:count], ids[count:]
    assert len(taken) == count
    patient.set_free_ids(left)
    return taken


def fresh(patient: Patient, count: int) -> list[int]:
    """Move the high water mark up by so many pages, for new uses."""
    high = patient.meta(patient.newest, "high")
    patient.set_meta(patient.newest, high=high + count)
    patient.content.extend(bytes(max((high + count) * PAGE_SIZE - len(patient.content), 0)))
    return list(range(high, high + count))


def pages_of(patient: Patient, pgid: int) -> list[int]:
    """Return every page of a tree."""
    pages = list(range(pgid, pgid + patient.header(pgid, "overflow") + 1))
    if patient.header(pgid, "flags") == BRANCH:
        for child in patient.children(pgid):
            pages += pages_of(patient, child)
    return pages


# -- size ------------------------------------------------------------------------------------------


def file_cut(patient: Patient) -> list[Found]:
    """The last page below the high water mark is a free one."""
    pgids = fresh(patient, 20)
    patient.set_free_ids(patient.free_ids() + pgids)
    patient.truncate(pgids[-1] * PAGE_SIZE + 5)
    return [("file.truncated", FATAL, None)]


def mark_behind_the_end(patient: Patient) -> list[Found]:
    """Memory is bounded by the file, not by what it says of itself."""
    unused = range(patient.meta(patient.newest, "high"), patient.page_count)
    patient.set_meta(patient.newest, high=1 << 60)
    return [("meta.mark", FATAL, None), *stretches(list(unused))]


# -- the freelist ----------------------------------------------------------------------------------


def freelist_absent(patient: Patient) -> list[Found]:
    patient.set_meta(patient.newest, freelist=NOT_STORED)
    return [("freelist.absent", INFO, None)]


def freelist_is_a_leaf(patient: Patient) -> list[Found]:
    leaf = a_leaf(patient)
    patient.set_meta(patient.newest, freelist=leaf)
    return [("freelist.kind", UNSAFE, leaf)]


def freelist_zeroed(patient: Patient) -> list[Found]:
    freelist = patient.freelist
    patient.set_page(freelist, bytes(PAGE_SIZE))
    return [("page.id", UNSAFE, freelist)]


def freelist_of_unknown_kind(patient: Patient) -> list[Found]:
    patient.set_header(patient.freelist, flags=0x11)
    return [("page.flags", UNSAFE, patient.freelist)]


def freelist_overflows(patient: Patient) -> list[Found]:
    patient.set_header(patient.freelist, overflow=1 << 20)
    return [("page.overflow", UNSAFE, patient.freelist)]


def freelist_counts_too_many(patient: Patient) -> list[Found]:
    patient.set_header(patient.freelist, count=127)
    return [("freelist.count", UNSAFE, patient.freelist)]


def freelist_beyond_the_mark(patient: Patient) -> list[Found]:
    high = patient.meta(patient.newest, "high")
    patient.set_free_ids([*patient.free_ids(), high, 1 << 60])
    return [("freelist.range", UNSAFE, patient.freelist)]


def freelist_with_a_meta(patient: Patient) -> list[Found]:
    patient.set_free_ids([1, *patient.free_ids()])
    return [("freelist.range", UNSAFE, patient.freelist)]


def freelist_repeats(patient: Patient) -> list[Found]:
    ids = patient.free_ids()
    patient.set_free_ids([*ids, ids[0]])
    return [("freelist.duplicate", UNSAFE, patient.freelist)]


def freelist_out_of_order(patient: Patient) -> list[Found]:
    patient.set_free_ids(patient.free_ids()[::-1])
    return [("freelist.order", INFO, patient.freelist)]


def freelist_lists_itself(patient: Patient) -> list[Found]:
    patient.set_free_ids(sorted([*patient.free_ids(), patient.freelist]))
    return [
        ("freelist.itself", UNSAFE, patient.freelist),
        ("freelist.reachable", UNSAFE, patient.freelist),
    ]


def freelist_lists_a_leaf(patient: Patient) -> list[Found]:
    leaf = a_leaf(patient)
    patient.set_free_ids(sorted([*patient.free_ids(), leaf]))
    return [("freelist.reachable", UNSAFE, leaf)]


def freelist_lists_an_overflow_page(patient: Patient) -> list[Found]:
    """The check of bbolt looks at the first page of a run only."""
    wide = patient.bucket_root(b"wide")
    patient.set_free_ids(sorted([*patient.free_ids(), wide + 2]))
    return [("freelist.reachable", UNSAFE, wide + 2)]


def freelist_forgets(patient: Patient) -> list[Found]:
    return stretches(free_for(patient, 3))


# -- pages and their headers -----------------------------------------------------------------------


def page_with_another_id(patient: Patient) -> list[Found]:
    leaf = a_leaf(patient)
    patient.set_header(leaf, id=leaf + 1)
    return [("page.id", FATAL, leaf)]


def page_zeroed(patient: Patient) -> list[Found]:
    leaf = a_leaf(patient)
    patient.set_page(leaf, bytes(PAGE_SIZE))
    return [("page.id", FATAL, leaf)]


def page_of_two_kinds(patient: Patient) -> list[Found]:
    leaf = a_leaf(patient)
    patient.set_header(leaf, flags=LEAF | 0x20)
    return [("page.flags", FATAL, leaf)]


def page_is_a_freelist(patient: Patient) -> list[Found]:
    leaf = a_leaf(patient)
    patient.set_header(leaf, flags=0x10)
    return [("page.kind", FATAL, leaf)]


def page_is_a_meta(patient: Patient) -> list[Found]:
    leaf = a_leaf(patient)
    patient.set_header(leaf, flags=4)
    return [("page.kind", FATAL, leaf)]


def root_is_a_freelist(patient: Patient) -> list[Found]:
    """As seen in the field: bbolt issue 537."""
    used = [
        pgid
        for pgid in range(2, patient.meta(patient.newest, "high"))
        if pgid not in patient.free_ids() and pgid != patient.freelist
    ]
    freelist = patient.freelist
    patient.set_meta(patient.newest, root=freelist)
    return [("page.shared", FATAL, freelist), *stretches(used)]


def run_passes_the_mark(patient: Patient) -> list[Found]:
    leaf = a_leaf(patient)
    patient.set_header(leaf, overflow=1 << 30)
    return [("page.overflow", FATAL, leaf)]


def run_reaches_into_another(patient: Patient) -> list[Found]:
    """Which of the two is reached first decides which of them is reported."""
    leaf = a_leaf(patient)
    patient.set_header(leaf, overflow=1)
    neighbour = leaf + 1
    assert neighbour in patient.tree_pages()
    assert neighbour not in patient.free_ids()
    return [("page.shared", FATAL, neighbour)]


def move(patient: Patient, leaf: int, target: int) -> None:
    """Move a leaf to another page; its old one becomes free."""
    patient.set_page(target, patient.page(leaf))
    patient.set_header(target, id=target)
    for pgid in patient.tree_pages():
        if patient.header(pgid, "flags") == BRANCH and leaf in patient.children(pgid):
            patient.set_element(pgid, patient.children(pgid).index(leaf), child=target)
    patient.set_free_ids(sorted([*patient.free_ids(), leaf]))


def run_reaches_into_one_that_was_seen(patient: Patient) -> list[Found]:
    """A tree is walked in the order of its keys."""
    later, sooner = fresh(patient, 2)
    first, _ = patient.find(patient.bucket_root(b"tree"), key(0))
    move(patient, first, sooner)
    move(patient, a_leaf(patient), later)
    patient.set_header(later, overflow=1)
    return [("page.shared", FATAL, later)]


def child_beyond_the_mark(patient: Patient) -> list[Found]:
    branch = a_branch(patient)
    lost = patient.children(branch)[1]
    patient.set_element(branch, 1, child=1 << 50)
    return [("page.range", FATAL, 1 << 50), *stretches([lost])]


def child_is_a_meta(patient: Patient) -> list[Found]:
    branch = a_branch(patient)
    lost = patient.children(branch)[1]
    patient.set_element(branch, 1, child=1)
    return [("page.range", FATAL, branch), *stretches([lost])]


def child_twice(patient: Patient) -> list[Found]:
    branch = a_branch(patient)
    first, second = patient.children(branch)[:2]
    patient.set_element(branch, 1, child=first)
    return [("page.shared", FATAL, first), *stretches([second])]


def child_is_its_parent(patient: Patient) -> list[Found]:
    branch = a_branch(patient)
    lost = patient.children(branch)[1]
    patient.set_element(branch, 1, child=branch)
    return [("page.shared", FATAL, branch), *stretches([lost])]


def child_of_another_bucket(patient: Patient) -> list[Found]:
    """A cycle may lead through several buckets: a set of seen pages for each is not enough."""
    leaf, index = patient.find(patient.root, b"nest")
    lost = pages_of(patient, patient.bucket_root(b"nest"))
    lost += pages_of(patient, patient.bucket_root(b"nest", b"below"))
    patient.write(patient.value_offset(leaf, index), pack("<Q", patient.root))
    return [("page.shared", FATAL, patient.root), *stretches(lost)]


def tower(patient: Patient) -> list[Found]:
    """A chain of branches with one child each, longer than any tree is high."""
    pgids = fresh(patient, 66)
    leaf, index = patient.find(patient.root, b"small")
    start = patient.value_offset(leaf, index)
    for pgid, child in zip(pgids, [*pgids[1:], pgids[0]], strict=True):
        page = pack("<QHHIIIQ", pgid, BRANCH, 1, 0, 16, 1, child) + b"k"
        patient.set_page(pgid, page.ljust(PAGE_SIZE, b"\0"))
    size = patient.element(leaf, index, "vsize")
    patient.write(start, pack("<Q", pgids[0]))
    # A bucket with a root page has a value of 16 bytes; the rest becomes a gap.
    patient.set_element(leaf, index, vsize=16)
    assert size > 16
    return [
        ("element.gap", INFO, leaf),
        *[("branch.count", UNSAFE, pgid) for pgid in pgids[:65]],
        ("tree.depth", FATAL, pgids[65]),
        *stretches(pgids[65:]),
    ]


# -- elements --------------------------------------------------------------------------------------


def table_beyond_the_page(patient: Patient) -> list[Found]:
    leaf = a_leaf(patient)
    patient.set_header(leaf, count=64)
    return [("element.table", FATAL, leaf)]


def element_of_unknown_flags(patient: Patient) -> list[Found]:
    leaf = a_leaf(patient)
    patient.set_element(leaf, 1, flags=2)
    return [("element.flags", FATAL, leaf)]


def element_inside_the_table(patient: Patient) -> list[Found]:
    leaf = a_leaf(patient)
    patient.set_element(leaf, 1, pos=16)
    return [("element.bounds", FATAL, leaf)]


def element_beyond_the_page(patient: Patient) -> list[Found]:
    leaf = a_leaf(patient)
    patient.set_element(leaf, 1, vsize=0xFFFFFFFF)
    return [("element.bounds", FATAL, leaf)]


def elements_that_overlap(patient: Patient) -> list[Found]:
    """The file would otherwise name more bytes than it has."""
    leaf = a_leaf(patient)
    count = patient.header(leaf, "count")
    for index in range(count):
        start = patient.element(leaf, index, "pos") + patient.element(leaf, index, "ksize")
        patient.set_element(leaf, index, vsize=PAGE_SIZE - 16 - 16 * index - start)
    return [("element.overlap", FATAL, leaf)]


def element_gap_in_a_leaf(patient: Patient) -> list[Found]:
    leaf = a_leaf(patient)
    patient.set_element(leaf, 0, vsize=patient.element(leaf, 0, "vsize") - 1)
    return [("element.gap", INFO, leaf)]


def element_gap_in_a_branch(patient: Patient) -> list[Found]:
    """The last key moves to the end of the page."""
    branch = a_branch(patient)
    last = patient.header(branch, "count") - 1
    moved = patient.key(branch, last)
    patient.write((branch + 1) * PAGE_SIZE - len(moved), moved)
    patient.set_element(branch, last, pos=PAGE_SIZE - len(moved) - 16 - 16 * last)
    return [("element.gap", INFO, branch)]


def branch_key_beyond_the_page(patient: Patient) -> list[Found]:
    """The children are still looked at, the keys bind nothing then."""
    branch = a_branch(patient)
    patient.set_element(branch, 1, ksize=5000)
    return [("element.bounds", FATAL, branch)]


def branch_keys_that_overlap(patient: Patient) -> list[Found]:
    branch = a_branch(patient)
    for index in range(patient.header(branch, "count")):
        patient.set_element(branch, index, ksize=300)
    return [("element.overlap", FATAL, branch)]


def branch_without_children(patient: Patient) -> list[Found]:
    branch = a_branch(patient)
    lost = patient.children(branch)
    patient.set_header(branch, count=0)
    return [("branch.empty", FATAL, branch), *stretches(lost)]


def branch_table_beyond_the_page(patient: Patient) -> list[Found]:
    """Its children are still found among what cannot be children."""
    branch = a_branch(patient)
    patient.set_header(branch, count=1000)
    return [("element.table", FATAL, branch)]


# -- keys ------------------------------------------------------------------------------------------


def key_empty(patient: Patient) -> list[Found]:
    leaf = a_leaf(patient)
    patient.set_element(leaf, 1, ksize=0)
    return [("key.empty", FATAL, leaf)]


def keys_out_of_order(patient: Patient) -> list[Found]:
    leaf = a_leaf(patient)
    patient.write(patient.key_offset(leaf, 1), b"kez")
    return [("key.order", FATAL, leaf)]


def keys_repeat(patient: Patient) -> list[Found]:
    leaf = a_leaf(patient)
    patient.write(patient.key_offset(leaf, 1), patient.key(leaf, 0))
    return [("key.order", FATAL, leaf)]


def branch_keys_out_of_order(patient: Patient) -> list[Found]:
    branch = a_branch(patient)
    patient.write(patient.key_offset(branch, 1), b"kez")
    return [("key.order", FATAL, branch)]


def branch_key_empty(patient: Patient) -> list[Found]:
    branch = a_branch(patient)
    patient.set_element(branch, 1, ksize=0)
    return [("key.empty", FATAL, branch)]


def separator_above_the_first_key(patient: Patient) -> list[Found]:
    """A look-up for the first key goes to the neighbour: the key is lost."""
    branch = a_branch(patient)
    child = patient.children(branch)[1]
    patient.write(patient.key_offset(branch, 1), patient.key(child, 1))
    return [("branch.separator", FATAL, child)]


def separator_below_the_first_key(patient: Patient) -> list[Found]:
    """Everything is found, and the next write of bbolt leaves a stale copy of the child behind."""
    branch = a_branch(patient)
    child = patient.children(branch)[1]
    first = patient.key(child, 0)
    patient.write(patient.key_offset(branch, 1), first[:-1] + bytes([first[-1] - 1]))
    return [("branch.separator", UNSAFE, child)]


def last_key_beyond_the_next_separator(patient: Patient) -> list[Found]:
    leaf = a_leaf(patient)
    last = patient.header(leaf, "count") - 1
    patient.write(patient.key_offset(leaf, last), b"kez")
    return [("key.range", FATAL, leaf)]


# -- shapes ----------------------------------------------------------------------------------------


def branch_with_one_child(patient: Patient) -> list[Found]:
    branch = a_branch(patient)
    lost = patient.children(branch)[1:]
    patient.set_header(branch, count=1)
    patient.set_element(branch, 0, pos=16)
    first = patient.children(branch)[0]
    patient.write(branch * PAGE_SIZE + 32, patient.key(first, 0))
    return [("branch.count", UNSAFE, branch), *stretches(lost)]


def leaf_empty(patient: Patient) -> list[Found]:
    leaf = a_leaf(patient)
    patient.set_header(leaf, count=0)
    return [("leaf.empty", UNSAFE, leaf)]


def leaf_too_high(patient: Patient) -> list[Found]:
    """A child of the root is exchanged for the first leaf below it."""
    root = patient.bucket_root(b"tree")
    branch = patient.children(root)[-1]
    leaf, *lost = patient.children(branch)
    patient.set_element(root, patient.header(root, "count") - 1, child=leaf)
    return [("tree.uneven", UNSAFE, leaf), *stretches([branch, *lost])]


# -- buckets ---------------------------------------------------------------------------------------


def value_in_the_root_bucket(patient: Patient) -> list[Found]:
    leaf, index = patient.find(patient.root, b"small")
    patient.set_element(leaf, index, flags=0)
    return [("bucket.plain", UNSAFE, leaf)]


def bucket_too_short(patient: Patient) -> list[Found]:
    leaf, index = patient.find(patient.root, b"small")
    patient.set_element(leaf, index, vsize=15)
    return [("element.gap", INFO, leaf), ("bucket.size", FATAL, leaf)]


def bucket_too_long(patient: Patient) -> list[Found]:
    """It has a root page, and something behind it."""
    leaf, index = patient.find(patient.root, b"small")
    patient.write(patient.value_offset(leaf, index), pack("<Q", 50))
    return [("bucket.size", FATAL, leaf)]


def bucket_without_a_page(patient: Patient) -> list[Found]:
    leaf, index = patient.find(patient.root, b"small")
    patient.set_element(leaf, index, vsize=31)
    return [("element.gap", INFO, leaf), ("bucket.size", FATAL, leaf)]


def bucket_on_a_meta(patient: Patient) -> list[Found]:
    leaf, index = patient.find(patient.root, b"wide")
    lost = pages_of(patient, patient.bucket_root(b"wide"))
    patient.write(patient.value_offset(leaf, index), pack("<Q", 1))
    return [("page.range", FATAL, leaf), *stretches(lost)]


def bucket_beyond_the_mark(patient: Patient) -> list[Found]:
    leaf, index = patient.find(patient.root, b"wide")
    lost = pages_of(patient, patient.bucket_root(b"wide"))
    patient.write(patient.value_offset(leaf, index), pack("<Q", 1 << 40))
    return [("page.range", FATAL, 1 << 40), *stretches(lost)]


def inline_page(patient: Patient) -> tuple[int, int]:
    """Return the page that "small" lies on, and where its inline page starts in the file."""
    leaf, index = patient.find(patient.root, b"small")
    return leaf, patient.value_offset(leaf, index) + 16


def inline_with_an_id(patient: Patient) -> list[Found]:
    leaf, start = inline_page(patient)
    pack_into("<Q", patient.content, start, 7)
    return [("page.id", FATAL, leaf)]


def inline_branch(patient: Patient) -> list[Found]:
    leaf, start = inline_page(patient)
    pack_into("<H", patient.content, start + 8, BRANCH)
    return [("page.kind", FATAL, leaf)]


def inline_overflow(patient: Patient) -> list[Found]:
    leaf, start = inline_page(patient)
    pack_into("<I", patient.content, start + 12, 1)
    return [("inline.overflow", INFO, leaf)]


def inline_count(patient: Patient) -> list[Found]:
    leaf, start = inline_page(patient)
    pack_into("<H", patient.content, start + 10, 500)
    return [("element.table", FATAL, leaf)]


def inline_element_outside(patient: Patient) -> list[Found]:
    leaf, start = inline_page(patient)
    pack_into("<I", patient.content, start + 16 + 16 + 12, 500)
    return [("element.bounds", FATAL, leaf)]


def inline_keys_out_of_order(patient: Patient) -> list[Found]:
    leaf, start = inline_page(patient)
    pack_into("3s", patient.content, start + 16 + 2 * 16, b"zzz")
    return [("key.order", FATAL, leaf)]


CASES: list[Callable[[Patient], list[Found]]] = [
    file_cut,
    mark_behind_the_end,
    freelist_absent,
    freelist_is_a_leaf,
    freelist_zeroed,
    freelist_of_unknown_kind,
    freelist_overflows,
    freelist_counts_too_many,
    freelist_beyond_the_mark,
    freelist_with_a_meta,
    freelist_repeats,
    freelist_out_of_order,
    freelist_lists_itself,
    freelist_lists_a_leaf,
    freelist_lists_an_overflow_page,
    freelist_forgets,
    page_with_another_id,
    page_zeroed,
    page_of_two_kinds,
    page_is_a_freelist,
    page_is_a_meta,
    root_is_a_freelist,
    run_passes_the_mark,
    run_reaches_into_another,
    run_reaches_into_one_that_was_seen,
    child_beyond_the_mark,
    child_is_a_meta,
    child_twice,
    child_is_its_parent,
    child_of_another_bucket,
    tower,
    table_beyond_the_page,
    element_of_unknown_flags,
    element_inside_the_table,
    element_beyond_the_page,
    elements_that_overlap,
    element_gap_in_a_leaf,
    element_gap_in_a_branch,
    branch_key_beyond_the_page,
    branch_keys_that_overlap,
    branch_without_children,
    branch_table_beyond_the_page,
    key_empty,
    keys_out_of_order,
    keys_repeat,
    branch_keys_out_of_order,
    branch_key_empty,
    separator_above_the_first_key,
    separator_below_the_first_key,
    last_key_beyond_the_next_separator,
    branch_with_one_child,
    leaf_empty,
    leaf_too_high,
    value_in_the_root_bucket,
    bucket_too_short,
    bucket_too_long,
    bucket_without_a_page,
    bucket_on_a_meta,
    bucket_beyond_the_mark,
    inline_with_an_id,
    inline_branch,
    inline_overflow,
    inline_count,
    inline_element_outside,
    inline_keys_out_of_order,
]


@pytest.mark.parametrize("damage", CASES)
def test_each_finding_is_found_exactly(damage: Callable[[Patient], list[Found]]) -> None:
    patient = sample()
    expected = damage(patient)
    findings = patient.findings()
    assert sorted(map(str, findings)) == sorted(set(map(str, findings))), "nothing is said twice"
    found = [(finding.code, finding.severity, finding.pgid) for finding in findings]
    assert sorted(found, key=str) == sorted(expected, key=str)


@pytest.mark.parametrize("damage", CASES)
def test_no_finding_shows_a_key_or_a_value(damage: Callable[[Patient], list[Found]]) -> None:
    patient = sample()
    damage(patient)
    for finding in patient.findings():
        text = f"{finding} {finding!r}"
        # Every key and value of the file has one of these in it, apart from names of buckets.
        assert not any(word in text for word in ("key-", "value-", "wide-", "lower-", "kez", "www"))
        assert "\\x" not in text


@pytest.mark.parametrize("damage", CASES)
def test_a_write_is_refused_on_every_file_with_an_unsafe_finding(
    damage: Callable[[Patient], list[Found]],
) -> None:
    patient = sample()
    bad = [each for each in damage(patient) if each[1] >= UNSAFE]
    file = MemoryFile(bytes(patient.content))
    with bolt_store.open_file(file, write=True) as db:
        if bad:
            with pytest.raises(DamagedError) as caught:
                db.update()
            assert caught.value.finding_count == len(bad)
            assert file.content() == bytes(patient.content)
        else:
            with db.update(full_check=True) as tx:
                tx.create_bucket(b"new")
            assert [each for each in db.check() if each.severity >= UNSAFE] == []


def test_a_sound_file_has_no_findings() -> None:
    assert sample().findings() == []


def test_the_path_of_a_finding_leads_from_the_root_to_its_page() -> None:
    patient = sample()
    root, branch, leaf = patient.bucket_root(b"tree"), a_branch(patient), a_leaf(patient)
    patient.set_header(leaf, flags=0x10)
    (finding,) = patient.findings()
    assert finding.path == (patient.root, root, branch, leaf)


def test_the_path_of_a_finding_in_an_inline_bucket_ends_at_the_page_around_it() -> None:
    patient = sample()
    (expected,) = inline_branch(patient)
    (finding,) = patient.findings()
    assert finding.path == (patient.root,)
    assert finding.pgid == expected[2]
    assert "inline" in finding.problem


def test_the_path_of_a_finding_is_bounded_where_buckets_nest_by_the_thousand() -> None:
    with memory_db() as (db, file), db.update() as tx:
        bucket = tx.create_bucket(b"b")
        for _ in range(400):
            bucket = bucket.create_bucket(b"b")
        bucket.put(b"key", b"v" * 400)
    patient = Patient(file.content(), page_size_bytes=PAGE_SIZE)
    deepest = patient.bucket_root(*[b"b"] * 401)
    patient.set_header(deepest, flags=4)
    (finding,) = patient.findings()
    assert len(finding.path) <= 257
    assert finding.path[-1] == deepest


def nested_inline(depth: int) -> bytes:
    """Return the value of a bucket with an inline bucket in it, with one in it, and so on."""
    value = bytes(16) + pack("<QHHI", 0, LEAF, 0, 0)
    for _ in range(depth - 1):
        page = pack("<QHHIIIII", 0, LEAF, 1, 0, 1, 16, 1, len(value)) + b"b" + value
        value = bytes(16) + page
    return value


@pytest.mark.parametrize(("depth", "codes"), [(1, []), (1000, []), (1001, ["bucket.depth"])])
def test_inline_buckets_in_inline_buckets_are_followed_so_far_and_no_further(
    depth: int, codes: list[str]
) -> None:
    """Each level is copied out of the one around it, so that time would grow with the square."""
    value = nested_inline(depth)
    leaf = pack("<QHHIIIII", 3, LEAF, 1, 0, 1, 16, 1, len(value)) + b"b" + value
    pages = -(-len(leaf) // PAGE_SIZE)
    patient = sample()
    patient.truncate(3 * PAGE_SIZE)
    patient.content += leaf.ljust(pages * PAGE_SIZE, b"\0")
    patient.set_page(2, pack("<QHHI", 2, 0x10, 0, 0).ljust(PAGE_SIZE, b"\0"))
    patient.set_header(3, overflow=pages - 1)
    for slot in (0, 1):
        patient.set_meta(slot, root=3, freelist=2, high=3 + pages)
    found = [each.code for each in patient.findings() if each.code != "meta.same_tree"]
    assert found == codes


def test_a_file_of_3000_nested_buckets_is_checked() -> None:
    with memory_db() as (db, _):
        with db.update() as tx:
            bucket = tx.create_bucket(b"b")
            for _ in range(3000):
                bucket = bucket.create_bucket(b"b")
        assert list(db.check()) == []


def test_two_cells_for_each_page_say_what_it_is() -> None:
    patient = sample()
    pager = Pager(MemoryFile(bytes(patient.content)))
    check = Check(pager, pager.snapshot(pager.meta))
    assert list(check.run()) == []
    free = patient.free_ids()
    assert check.free == free
    assert [pgid for pgid, cell in enumerate(check.pages) if cell == FREE] == free
    assert set(check.pages) == {FREE, REACHABLE}
    assert len(check.pages) == pager.meta.high_water_mark


def test_progress_is_told_and_ends_at_the_whole() -> None:
    calls: list[tuple[int, int]] = []
    with memory_db() as (db, _):
        with db.update() as tx:
            bucket = tx.create_bucket(b"b")
            for number in range(20_000):
                bucket.put(key(number), b"v" * 50)
        assert list(db.check(progress=lambda done, total: calls.append((done, total)))) == []
        high = db.meta.high_water_mark
    assert len(calls) > 2
    assert calls == sorted(calls)
    assert {total for _, total in calls} == {high}
    assert calls[-1] == (high, high)


def test_a_check_that_is_not_read_to_its_end_has_looked_at_little() -> None:
    """Findings come as they are found: whoever wants only the first waits for no other."""
    patient = sample()
    patient.set_meta(1 - patient.newest, checksum=1)
    reads: list[int] = []

    class Counting(MemoryFile):
        """Counts its reads."""

        def read_at(self, offset: int, size_bytes: int) -> bytes:
            reads.append(offset)
            return super().read_at(offset, size_bytes)

    with bolt_store.open_file(Counting(bytes(patient.content)), write=False) as db:
        reads.clear()
        assert next(iter(db.check())).code == "meta.invalid"
    assert len(reads) <= 2


def large_records(tmp_path: Path) -> Patient:
    """Return a file whose leaves have one large record each, below two levels of branches."""
    source, target = tmp_path / "source", tmp_path / "target"
    with bolt_store.create(source) as db, db.update() as tx:
        bucket = tx.create_bucket(b"large")
        for number in range(300):
            bucket.put(key(number), b"v" * 3000)
    with bolt_store.open(source) as db:
        bolt_store.compact(db, target)
    return Patient(target.read_bytes(), page_size_bytes=4096)


def a_gap(patient: Patient, leaf: int) -> None:
    first_key = patient.key(leaf, 0)
    patient.set_element(leaf, 0, pos=20)
    patient.write(patient.key_offset(leaf, 0), first_key)


def a_child_too_high(patient: Patient, leaf: int) -> None:
    patient.set_element(patient.bucket_root(b"large"), 1, child=leaf)


def the_same_child_twice(patient: Patient, leaf: int) -> None:
    root = patient.bucket_root(b"large")
    parent = next(pgid for pgid in patient.children(root) if leaf in patient.children(pgid))
    index = patient.children(parent).index(leaf)
    patient.set_element(parent, index + 1, child=leaf)


@pytest.mark.parametrize(
    ("code", "damage"),
    [
        ("page.id", lambda patient, leaf: patient.set_header(leaf, id=1)),
        ("page.kind", lambda patient, leaf: patient.set_header(leaf, flags=0x10)),
        ("page.flags", lambda patient, leaf: patient.set_header(leaf, flags=0x12)),
        ("leaf.empty", lambda patient, leaf: patient.set_header(leaf, count=0)),
        ("element.bounds", lambda patient, leaf: patient.set_header(leaf, count=2)),
        ("page.overflow", lambda patient, leaf: patient.set_header(leaf, overflow=1 << 20)),
        ("element.flags", lambda patient, leaf: patient.set_element(leaf, 0, flags=2)),
        ("bucket.size", lambda patient, leaf: patient.set_element(leaf, 0, flags=1, vsize=1)),
        ("element.gap", a_gap),
        ("branch.separator", lambda patient, leaf: patient.set_element(leaf, 0, ksize=19)),
        (
            "branch.separator",
            lambda patient, leaf: patient.write(patient.key_offset(leaf, 0), b"l"),
        ),
        ("element.bounds", lambda patient, leaf: patient.set_element(leaf, 0, vsize=1 << 31)),
        ("tree.uneven", a_child_too_high),
        ("page.shared", the_same_child_twice),
        (
            "bucket.plain",
            lambda patient, _: patient.set_meta(patient.newest, root=patient.bucket_root(b"large")),
        ),
    ],
)
def test_a_leaf_of_one_record_is_looked_at_as_closely_as_any(
    tmp_path: Path, code: str, damage: Callable[[Patient, int], object]
) -> None:
    patient = large_records(tmp_path)
    before = [finding.code for finding in patient.findings()]
    leaf = patient.children(patient.children(patient.bucket_root(b"large"))[1])[3]
    assert (code in before, patient.header(leaf, "count")) == (False, 1)
    damage(patient, leaf)
    assert (code, leaf) in [(finding.code, finding.pgid) for finding in patient.findings()]
