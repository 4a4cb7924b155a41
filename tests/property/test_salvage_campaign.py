"""Salvage of lively stores, damaged at random: never less than the best of what is still there.

What a state still has is counted by `tests.support.record_count`, and only what the store really
held last counts: what is given back although it was deleted is no gain.
"""

import struct
from collections import Counter as Tally
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from random import Random

import pytest

import bolt_store
from bolt_store import Knowledge, salvage
from recovery.model.recognition import bucket_of, is_plausible
from tests.support.history import Damage, history
from tests.support.memory_file import MemoryFile
from tests.support.oracle import Oracle, Script
from tests.support.real_stores import real_store_bytes
from tests.support.record_count import Counter, Record, metas

SECTOR = 512
LIVELY_COUNT = 6
LONG_COUNT = 20
HISTORY_COUNT = 12


NOTHING = Knowledge()


@dataclass(frozen=True)
class Lively:
    """The last images of a file in use, the newest last, and what each transaction left.

    Of a copy torn across many transactions, nothing tells which of its states is the newer one.
    """

    page_size: int
    images: tuple[bytes, ...]
    truth: frozenset[Record]
    truths: dict[int, frozenset[Record]]
    knowledge: Knowledge = NOTHING
    is_order_told: bool = True


INFLUXDB = Knowledge(
    classify=bucket_of,
    plausible=is_plausible,
    essential=frozenset({b"usersv1", b"organizationsv1"}),
)


@cache
def lively(number: int) -> Lively:
    """Return one of some lively files: of real servers, and of random use."""
    names = ("influxd-2.9.1-used", "influxd-2.7.12-used", "influxd-2.9.1-raw-tokens-used")
    if number >= len(names):
        return of_history(number)
    image = real_store_bytes(names[number])
    return as_lively((image, *further_states(image, Random(number))), 4096)


@cache
def of_history(number: int) -> Lively:
    past = history(number, page_size_bytes=1024 if number % 2 else 4096)
    return as_lively(past.images[-3:], past.page_size_bytes)


def further_states(image: bytes, random: Random) -> list[bytes]:
    """Go on where a server stopped: add tokens at once, delete some, change one."""
    file = MemoryFile(image)
    images = []
    with bolt_store.open_file(file, write=True) as db:
        for count in (40, 1, 3):
            with db.update() as tx:
                bucket = tx.bucket(b"authorizationsv1")
                records = list(bucket.items())
                for _ in range(count):
                    _, record = random.choice(records)
                    bucket.put(b"%016x" % random.randrange(1 << 64), record or b"{}")
                bucket.delete(records[0][0])
            images.append(file.content())
    return images


@cache
def long_past(number: int) -> Lively:
    """Go on for long where a server stopped, with a restart between."""
    random = Random(number)
    file = MemoryFile(real_store_bytes("influxd-2.9.1-used"))
    images = []
    for _ in range(2):  # after a restart all free pages may be used at once
        with bolt_store.open_file(file, write=True) as db:
            for _ in range(LONG_COUNT // 2):
                with db.update() as tx:
                    for _ in range(random.choice([1, 2, 8])):
                        change_records(tx, random)
                images.append(file.content())
    return replace(as_lively(images, 4096), knowledge=INFLUXDB, is_order_told=False)


def change_records(tx: bolt_store.Tx, random: Random) -> None:
    """Make records of a real store like those that are there, and delete some."""
    name = random.choice([b"authorizationsv1", b"bucketsv1", b"usersv1", b"organizationsv1"])
    bucket = tx.bucket(name)
    records = list(bucket.items())
    for _ in range(random.choice([1, 1, 4])):
        key, record = random.choice(records)
        new = b"%016x" % random.randrange(1 << 64)
        bucket.put(new, (record or b"").replace(key, new))
    if len(records) > 1 and random.random() < 0.5:
        bucket.delete(random.choice(records)[0])


def go_on_by_bbolt(oracle: Oracle, name: str, folder: Path, random: Random) -> Lively:
    """Go on where a server stopped, as `further_states`, but by transactions of bbolt's."""
    path = folder / name
    path.write_bytes(real_store_bytes(name))
    images = [path.read_bytes()]
    bucket = (b"authorizationsv1",)
    with oracle.session() as session, session.opened(path):
        records = [(key, value) for (at, key), value in session.dump().plain if at == bucket]
        for count in (40, 3, 12, 1):
            script = Script()
            for _ in range(count):
                new = b"%016x" % random.randrange(1 << 64)
                key, record = random.choice(records)
                script.put(bucket, new, record.replace(key, new))
            session.commit(script.delete(bucket, records.pop()[0]))
            images.append(path.read_bytes())
    return as_lively(images, 4096)


def as_lively(images: Sequence[bytes], page_size: int) -> Lively:
    """Count what each image holds."""
    newest = [metas(image, page_size)[0] for image in images]
    truths = {
        meta.txid: frozenset(Counter(image, page_size).records(meta.root))
        for meta, image in zip(newest, images, strict=True)
    }
    return Lively(page_size, tuple(images), truths[newest[-1].txid], truths)


def sectors(past: Lively, random: Random) -> bytearray:
    content = bytearray(past.images[-1])
    for _ in range(random.choice([1, 1, 2, 6])):
        at = random.randrange(2 * past.page_size // SECTOR, len(content) // SECTOR) * SECTOR
        data = random.choice([bytes(SECTOR), b"\xff" * SECTOR, random.randbytes(SECTOR)])
        content[at : at + SECTOR] = data
    return content


def pages(past: Lively, random: Random) -> bytearray:
    content = bytearray(past.images[-1])
    size = past.page_size
    for _ in range(random.choice([1, 1, 2, 4])):
        at = random.randrange(2, len(content) // size) * size
        content[at : at + size] = random.choice([bytes(size), random.randbytes(size)])
    return content


def torn_copy(past: Lively, random: Random) -> bytearray:
    """Mix the pages of two states that follow each other, as a copy of a live file does."""
    before, after = past.images[-2:]
    size = past.page_size
    content = bytearray(after)
    cut = random.randrange(len(before) // size)
    for pgid in range(len(before) // size):
        is_before = pgid < cut if random.random() < 0.9 else random.random() < 0.5
        if is_before:
            content[pgid * size : (pgid + 1) * size] = before[pgid * size : (pgid + 1) * size]
    return content


def no_metas(past: Lively, random: Random) -> bytearray:
    content = pages(past, random) if random.random() < 0.5 else bytearray(past.images[-1])
    content[: 2 * past.page_size] = bytes(2 * past.page_size)
    return content


def one_meta(past: Lively, random: Random) -> bytearray:
    content = sectors(past, random)
    at = random.randrange(2) * past.page_size
    content[at : at + 80] = random.choice([bytes(80), random.randbytes(80)])
    return content


def bits(past: Lively, random: Random) -> bytearray:
    content = bytearray(past.images[-1])
    names = {key for path, key in past.truth if not path}
    for _ in range(random.choice([1, 1, 3, 20])):
        at = random.randrange(len(content))
        # Another name is another bucket, and nothing in the format says which one is meant.
        if not any(name in content[max(at - len(name) + 1, 0) : at + len(name)] for name in names):
            content[at] ^= 1 << random.randrange(8)
    return content


def cut(past: Lively, random: Random) -> bytearray:
    """Lose the end, as a full disk does, or what was never written of it."""
    content = bytearray(past.images[-1])
    end = random.randrange(2 * past.page_size, len(content))
    if random.random() < 0.5:
        return content[:end]
    content[end:] = bytes(len(content) - end)
    return content


def misdirected(past: Lively, random: Random) -> bytearray:
    """Write pages where they do not belong, of this state or of a former one."""
    content = bytearray(past.images[-1])
    size = past.page_size
    for _ in range(random.choice([1, 1, 2, 4])):
        source = random.choice(past.images)
        at, to = (random.randrange(2, len(image) // size) * size for image in (source, content))
        at = to if random.random() < 0.5 and to < len(source) else at
        content[to : to + size] = source[at : at + size]
    return content


def torn_across(past: Lively, random: Random) -> bytearray:
    """Copy a live file so slowly that many transactions end meanwhile, the first pages first."""
    size = past.page_size
    count = len(past.images)
    kept = sorted(random.sample(range(count), random.choice([2, 3, 4, min(8, count)])))
    page_count = len(past.images[kept[-1]]) // size
    cuts = sorted(random.randrange(page_count + 1) for _ in kept[1:])
    content = bytearray()
    for index, end in zip(kept, [*cuts, page_count], strict=True):
        content += past.images[index][len(content) : end * size]
    return content


def torn_and_more(past: Lively, random: Random) -> bytearray:
    """Damage a torn copy of a live file once more."""
    content = torn_copy(past, random)
    if random.random() < 0.5:
        content[: 2 * past.page_size] = bytes(2 * past.page_size)
    else:
        at = random.randrange(2 * past.page_size // SECTOR, len(content) // SECTOR) * SECTOR
        content[at : at + SECTOR] = bytes(SECTOR)
    return content


DAMAGES: tuple[Callable[[Lively, Random], bytearray], ...] = (
    sectors, pages, torn_copy, no_metas, one_meta, bits, cut, misdirected, torn_and_more,
)  # fmt: skip


def judge(content: bytes, past: Lively, folder: Path) -> str | None:
    """Salvage, and say what is wrong with the result; None when nothing is.

    A newest state of which nothing is lost comes back as it is. Otherwise no other one has more of
    what was really there; where metas are lost, or of many states, so that nothing tells which is
    newer, none has more of that and more in all of what was ever there: the names of buckets on a
    former root page are no users, although a bucket refers to that page by now. Sure it may be only
    of a whole state that the file was in, of all that the newest has, or where what a lost page led
    to is back in full number: random bytes inside of values, and keys that are still in order, show
    by nothing in the format.

    Where both metas name a former state, that may be what was there as well: the bytes can be of a
    transaction that never ended (`test_a_torn_copy_can_be_of_a_transaction_that_never_ended`).
    """
    usable = metas(content, past.page_size)
    problem = held_against(past, content, folder)
    former = past.truths.get(usable[0].txid) if len(usable) > 1 else None
    if problem is None or former is None:
        return problem
    return held_against(replace(past, truth=former), content, folder) and problem


def held_against(past: Lively, content: bytes, folder: Path) -> str | None:
    """Judge by what was there last."""
    counter = Counter(content, past.page_size)
    usable = metas(content, past.page_size)
    named = [counter.records(meta.root) for meta in usable]
    ever = frozenset().union(*past.truths.values())
    target = folder / "salvaged"
    target.unlink(missing_ok=True)
    report = salvage(MemoryFile(content), target, knowledge=past.knowledge)
    got: set[Record] = set()
    if report.is_written:
        written = target.read_bytes()
        got = Counter(written, past.page_size).records(metas(written, past.page_size)[0].root)
    sound = [*past.truths.values(), *named[:1]]
    is_in_number = bool(report.missing) and len(got) == len(past.truth)
    if report.is_complete and got not in sound and not is_in_number:
        return "it is called complete and is not"
    newest = past.truths.get(usable[0].txid) if len(usable) > 1 else None
    if newest == frozenset(named[0] if named else ()):
        return None if got == named[0] else "the newest state was whole"
    if newest is not None and got == named[0] and len(got) == len(newest):
        return None
    for root in (*(meta.root for meta in usable), *counter.roots()):
        found = counter.records(root)
        is_more = len(found & past.truth) > len(got & past.truth)
        is_order_told = past.is_order_told and len(usable) > 1
        if is_more and (is_order_told or len(found & ever) > len(got & ever)):
            return f"page {root} has {len(found & past.truth)}, the result {len(got & past.truth)}"
    return None


def run_campaign(
    seed: int,
    count: int,
    folder: Path,
    past_of: Callable[[Random], Lively],
    damages: Sequence[Callable[[Lively, Random], bytearray]] = DAMAGES,
) -> tuple[Tally[str], list[str]]:
    """Damage and judge so many times; return what was done, and what went wrong.

    Each trial has a seed of its own, so that one alone can be tried again.
    """
    done: Tally[str] = Tally()
    wrong = []
    for number in range(count):
        random = Random(f"{seed}-{number}")
        past = past_of(random)
        damage = random.choice(damages)
        problem = judge(bytes(damage(past, random)), past, folder)
        done[damage.__name__] += 1
        if problem is not None:
            wrong.append(f"{seed}-{number} {damage.__name__}: {problem}")
    return done, wrong


def same(past: Lively, _: Random) -> Lively:
    return past


def any_lively(random: Random) -> Lively:
    return lively(random.randrange(LIVELY_COUNT))


def any_history(seed: int, random: Random) -> Lively:
    return of_history(1000 * seed + random.randrange(HISTORY_COUNT))


def any_long(random: Random) -> Lively:
    return long_past(random.randrange(LIVELY_COUNT))


MISSED_ONCE = (
    "6001-38", "6002-40", "6002-235", "6002-298", "6002-337", "6003-89", "6003-192", "6003-459",
    "7002-47", "7002-492", "8002-67", "9001-342", "9002-136", "9002-92", "10-181", "10-281",
    "20001-288", "20003-207", "22001-72", "31301-225", "41003-212", "42001-264",
    "61003-56", "90102-4", "90106-265",
)  # fmt: skip
"""Trials that failed, each of another kind: pages below a lost root; a name that ends in what a
lost sector reads as; an end that is cut off; a damaged key that is still in order; a newer state
that no meta names; an orphan of another bucket; a name whose value cannot be read; a leaf that is
taken for the root above it; a state that lacks what the newest one lacks; pages in wrong places,
one of them in that of the root; a branch that is a former state of itself, or of another tree; a
wrong bit in the size of a bucket, of a key, of a value that others beside it have as well; a newer
state with pages that are older than itself; the key beside a lost table; a former freelist; a
sound page of another place, so that what was below the right one is cut off unseen; states of which
either may be the newer one; pages below a lost root, to one of which pages were put back; a poor
newest state without a freelist; a lost root of the newest state, beside the state before, which
is whole but for its freelist; a newest state of which most is cut off and nothing put back."""

MISSED_IN_HISTORIES = (
    "7301-8", "7302-12", "7302-24", "7304-110", "91102-18",
    "41001-43", "41001-131", "41001-226", "41002-147", "41003-113", "41003-161", "42001-156",
    "42004-259", "42005-166",
)  # fmt: skip
"""The same of further histories: a newest state that is sound and has not what it has written; the
order of three states of which the oldest was written over; a freelist that fits and a page of a
former state; a page that all states lack; a newer state whose orphans its holes do not explain;
what most is put back of; two lost branches, of which a former state tells what was below; a newer
state that no meta names, one page of which was put back elsewhere; a run of pages, which goes where
it fits; a misdirected page in the newest state, which is no copy torn across transactions; a state
whose freelist accounts for what it lacks, beside an older one that has none any more; copies of
which nothing tells whether a transaction ended; a lost root, which is none that was used again."""


@pytest.mark.parametrize("trial", MISSED_ONCE)
def test_what_was_missed_once_is_found(trial: str, tmp_path: Path) -> None:
    random = Random(trial)
    past = any_lively(random)
    damage = random.choice(DAMAGES)
    assert judge(bytes(damage(past, random)), past, tmp_path) is None


@pytest.mark.parametrize("trial", MISSED_IN_HISTORIES)
def test_what_was_missed_once_in_a_history_is_found(trial: str, tmp_path: Path) -> None:
    random = Random(trial)
    past = any_history(int(trial.partition("-")[0]), random)
    damage = random.choice(DAMAGES)
    assert judge(bytes(damage(past, random)), past, tmp_path) is None


def test_records_that_nobody_here_knows_are_taken_like_others(tmp_path: Path) -> None:
    random = Random(5)
    file = MemoryFile(real_store_bytes("influxd-2.9.1-used"))
    with bolt_store.open_file(file, write=True) as db, db.update() as tx:
        bucket = tx.bucket(b"authorizationsv1")
        records = [record for _, record in bucket.items()]
        for _ in range(60):
            bucket.put(b"%016x" % random.randrange(1 << 64), random.choice(records) or b"{}")
    content = file.content()
    past = replace(as_lively([content], 4096), knowledge=INFLUXDB)
    start = (Damage(content, 4096).meta.freelist_pgid or 0) * 4096
    damaged = content[:start] + bytes(4096) + content[start + 4096 :]
    assert judge(damaged, past, tmp_path) is None


def test_far_more_of_a_former_state_is_taken_although_it_is_not_whole(tmp_path: Path) -> None:
    """A bad block was left out of the copy, as dd conv=noerror does: all behind it has moved."""
    past = of_history(502_006)
    content = past.images[-1]
    at = 687 * SECTOR
    assert judge(content[:at] + content[at + SECTOR :], past, tmp_path) is None


def test_without_metas_a_root_with_lost_pages_wins_over_far_poorer_ones_without(
    tmp_path: Path,
) -> None:
    """Holes of a copy: what is left of the root is a page of several, each of which is whole."""
    past = long_past(0)
    content = bytearray(past.images[-1])
    for pgid in (0, 1, 3, 4, 5, 6, 20, 39, 55):
        content[pgid * 4096 : (pgid + 1) * 4096] = bytes(4096)
    assert judge(bytes(content), past, tmp_path) is None


def test_never_less_than_the_best_of_what_is_still_there(tmp_path: Path) -> None:
    done, wrong = run_campaign(10, 100, tmp_path, any_lively)
    assert set(done) == {damage.__name__ for damage in DAMAGES}
    assert wrong == []


def test_never_less_than_the_best_of_copies_torn_across_many_transactions(tmp_path: Path) -> None:
    _, wrong = run_campaign(12, 40, tmp_path, any_long, [torn_across])
    assert wrong == []


@pytest.mark.parametrize("number", [43, 112, 125, 340])
def test_what_was_missed_once_in_a_copy_torn_across_many_is_found(
    number: int, tmp_path: Path
) -> None:
    random = Random(f"12-{number}")
    past = any_long(random)
    random.choice([torn_across])
    assert judge(bytes(torn_across(past, random)), past, tmp_path) is None


def test_a_torn_copy_can_be_of_a_transaction_that_never_ended(tmp_path: Path) -> None:
    """The copy, and a file in which the power went before the next meta was written, are one."""
    past, count = lively(0), 0
    for number in range(6):
        content = bytes(torn_copy(past, Random(number)))
        former = metas(content, past.page_size)
        if former == metas(past.images[-2], past.page_size):
            count += 1
            held = Counter(content, past.page_size).records(former[0].root)
            assert held == past.truths[former[0].txid] != past.truth
            target = tmp_path / str(number)
            assert salvage(MemoryFile(content), target).is_complete
            written = target.read_bytes()
            new = metas(written, past.page_size)[0]
            assert Counter(written, past.page_size).records(new.root) == held
    assert count > 2


def test_a_later_state_is_offered_beside_a_whole_one(tmp_path: Path) -> None:
    """Nothing tells a copy torn across many transactions from a transaction that never ended."""
    random = Random("12-333")
    past = any_long(random)
    random.choice([torn_across])
    content = bytes(torn_across(past, random))
    report = salvage(MemoryFile(content), tmp_path / "salvaged", knowledge=past.knowledge)
    chosen, *others = report.snapshots
    assert chosen.lost_count == 0
    assert max(one.key_count for one in others) > chosen.key_count


def test_a_copy_torn_across_many_can_be_of_another_store_with_one_stale_page(
    oracle: Oracle, tmp_path: Path
) -> None:
    """Two sound stores, one of which has far more, lead to the same bytes: either may be meant."""
    random = Random("12-243")
    past = any_long(random)
    random.choice([torn_across])
    content = bytes(torn_across(past, random))
    root, freelist = metas(content, 4096)[0].root, 20
    used: set[int] = set()
    with bolt_store.open_file(MemoryFile(content), write=False) as db:
        infos = list(bolt_store.page_infos(db))
        assert (db.meta.root_pgid, db.meta.freelist_pgid) == (root, freelist)
    for info in infos:
        if info.state.value == "used":
            used.update(range(info.pgid, info.pgid + info.overflow + 1))
    free = [info.pgid for info in infos if info.pgid > 1 and info.pgid not in {*used, freelist}]
    page = struct.pack(f"<QHHI{len(free)}Q", freelist, 16, len(free), 0, *free).ljust(4096, b"\0")
    other = content[: freelist * 4096] + page + content[(freelist + 1) * 4096 :]
    path = tmp_path / "other"
    path.write_bytes(other)
    assert oracle.check(path) == []
    held = Counter(other, 4096).records(root)
    assert len(held) < len(past.truth)
    report = salvage(MemoryFile(content), tmp_path / "salvaged", knowledge=past.knowledge)
    chosen, *others = report.snapshots
    assert (chosen.lost_count, chosen.key_count + chosen.bucket_count) == (0, len(held))
    assert max(one.key_count for one in others) > chosen.key_count


def test_never_less_than_the_best_of_a_torn_copy_of_what_bbolt_wrote(
    oracle: Oracle, tmp_path: Path
) -> None:
    past = go_on_by_bbolt(oracle, "influxd-2.9.1-used", tmp_path, Random(3))
    _, wrong = run_campaign(11, 20, tmp_path, partial(same, past), [torn_copy])
    assert wrong == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(100, 110))
def test_never_less_than_the_best_in_a_long_campaign(seed: int, tmp_path: Path) -> None:
    _, wrong = run_campaign(seed, 500, tmp_path, any_lively)
    assert wrong == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [42002, 51002])
def test_never_less_than_the_best_of_further_histories(seed: int, tmp_path: Path) -> None:
    _, wrong = run_campaign(seed, 300, tmp_path, partial(any_history, seed))
    assert wrong == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["influxd-2.9.1-used", "influxd-2.7.12-used"])
def test_never_less_than_the_best_of_damaged_files_that_bbolt_wrote(
    oracle: Oracle, tmp_path: Path, name: str
) -> None:
    for seed in range(200, 204):
        past = go_on_by_bbolt(oracle, name, tmp_path, Random(seed))
        _, wrong = run_campaign(seed, 100, tmp_path, partial(same, past))
        assert wrong == []
