"""What bbolt's check finds in a damaged file, ours finds, too.

bbolt's check crashes, hangs or eats all memory on much of what is tried here; those files count for
nothing but our own survival. Where bbolt lives, each of its findings must have one of ours that
accounts for it. The same is not asked the other way round: ours is stricter by design.
"""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

import bolt_store
from bolt_store import Finding, Severity
from bolt_store.errors import BoltError
from tests.support.oracle import Oracle, OracleCrashError, OracleError, Shape
from tests.support.turns import RandomScripts, play

PAGE_SIZE_BYTES = 1024
MUTANTS = 100
COMPARABLE_MIN = 40

ASTRAY = {
    "branch.separator",
    "element.flags",
    "freelist.count",
    "key.order",
    "key.range",
    "page.id",
    "page.shared",
}
"""What leads bbolt to pages that nothing refers to, and to findings about those. It looks buckets
up by their key, marks pages by the id in their header, takes any odd element for a bucket, follows
references into the middle of a run, and reads a freelist of more ids than fit past its end."""

ACCOUNTS = {
    "already freed": {"freelist.duplicate"},
    "multiple references": {"page.overflow", "freelist.reachable"},
    "reachable freed": {"freelist.reachable"},
    "out of bounds": {"page.range", "page.overflow"},
    "invalid type": {"page.kind", "page.flags"},
    "unreachable unfreed": {"page.unreachable"},
}
"""Codes of ours that account for a finding of bbolt's, by what it says, beside those above."""

Mutation = Callable[[Random, bytearray, Shape], None]


def _live_page(random: Random, shape: Shape) -> int:
    """Choose a page that is in use, the freelist among them."""
    return random.choice([*(page.pgid for page in shape.pages), shape.freelist_pgid or 0])


def _offset(pgid: int) -> int:
    return pgid * PAGE_SIZE_BYTES


def _flip_header(random: Random, content: bytearray, shape: Shape) -> None:
    content[_offset(_live_page(random, shape)) + random.randrange(16)] ^= 1 << random.randrange(8)


def _change_element(random: Random, content: bytearray, shape: Shape) -> None:
    pgid = _live_page(random, shape)
    content[_offset(pgid) + 16 + 4 * random.randrange(12)] = random.randrange(256)


def _copy_page(random: Random, content: bytearray, shape: Shape) -> None:
    target = _offset(_live_page(random, shape))
    source = _offset(random.randrange(2, shape.high_water_mark))
    content[target : target + PAGE_SIZE_BYTES] = content[source : source + PAGE_SIZE_BYTES]


def _zero_page(random: Random, content: bytearray, shape: Shape) -> None:
    target = _offset(_live_page(random, shape))
    content[target : target + PAGE_SIZE_BYTES] = bytes(PAGE_SIZE_BYTES)


def _swap_bodies(random: Random, content: bytearray, shape: Shape) -> None:
    """Swap two pages but for their ids."""
    one, two = (_offset(_live_page(random, shape)) + 8 for _ in range(2))
    size = PAGE_SIZE_BYTES - 8
    first, second = content[one : one + size], content[two : two + size]
    content[one : one + size], content[two : two + size] = second, first


def _change_free_id(random: Random, content: bytearray, shape: Shape) -> None:
    freelist = _offset(shape.freelist_pgid or 0)
    count = int.from_bytes(content[freelist + 10 : freelist + 12], "little")
    place = freelist + 16 + 8 * random.randrange(count)
    content[place : place + 8] = random.randrange(shape.high_water_mark + 3).to_bytes(8, "little")


def _change_child(random: Random, content: bytearray, shape: Shape) -> None:
    branch = random.choice([page for page in shape.pages if page.kind == "branch"])
    place = _offset(branch.pgid) + 16 + 16 * random.randrange(branch.element_count) + 8
    child = random.choice([_live_page(random, shape), random.randrange(shape.high_water_mark + 2)])
    content[place : place + 8] = child.to_bytes(8, "little")


MUTATIONS: dict[Mutation, int] = {
    _flip_header: 4,
    _change_element: 2,
    _copy_page: 4,
    _zero_page: 1,
    _swap_bodies: 2,
    _change_free_id: 4,
    _change_child: 4,
}
"""How often each is drawn: the ones that mostly kill bbolt less."""


@pytest.fixture(scope="module")
def sound(oracle: Oracle, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Shape]:
    """A sound file of some hundred pages, always the same, with high trees and free pages."""
    path = tmp_path_factory.mktemp("sound") / "sound.bolt"
    scripts = RandomScripts(Random(5), page_size_bytes=PAGE_SIZE_BYTES)
    with bolt_store.create(path, page_size_bytes=PAGE_SIZE_BYTES) as db:
        for _ in range(120):
            with db.update() as tx:
                play(tx, scripts.next())
    assert oracle.check(path) == []
    return path.read_bytes(), oracle.pages(path)


def _our_findings(path: Path) -> list[Finding]:
    """Return what we find; a file that cannot even be opened is one finding."""
    try:
        with bolt_store.open(path) as db:
            return list(db.check())
    except BoltError as error:
        return [Finding(code="open", severity=Severity.FATAL, pgid=None, problem=str(error))]


def _unaccounted(theirs: list[str], ours: list[Finding]) -> list[str]:
    """Return those findings of bbolt's that none of ours accounts for."""
    codes = {finding.code for finding in ours}
    missed = []
    for sentence in theirs:
        found = re.fullmatch(r"page -?\d+: ([a-z ]+).*", sentence)
        assert found is not None, f"bbolt says something new: {sentence}"
        if not codes & (ACCOUNTS[found[1]] | ASTRAY):
            missed.append(sentence)
    return missed


def _compare(oracle: Oracle, path: Path, *, timeout_s: float) -> str:
    """Check one file with both; say how it went."""
    ours = _our_findings(path)
    try:
        theirs = oracle.check_damaged(path, timeout_s=timeout_s, memory_bytes=1 << 30)
    except OracleCrashError:
        return "crashed"
    except OracleError:
        return "refused"
    assert _unaccounted(theirs, ours) == [], [str(finding) for finding in ours]
    return "found" if theirs else "clean"


def _campaign(
    oracle: Oracle, folder: Path, sound: tuple[bytes, Shape], *, seed: int, count: int
) -> Counter[str]:
    content, shape = sound
    random = Random(seed)
    path = folder / "mutant.bolt"
    outcomes: Counter[str] = Counter()
    for _ in range(count):
        mutant = bytearray(content)
        [mutate] = random.choices(list(MUTATIONS), list(MUTATIONS.values()))
        mutate(random, mutant, shape)
        path.write_bytes(mutant)
        outcomes[_compare(oracle, path, timeout_s=1)] += 1
    return outcomes


def test_every_finding_of_bbolt_has_one_of_ours(
    oracle: Oracle, tmp_path: Path, sound: tuple[bytes, Shape]
) -> None:
    outcomes = _campaign(oracle, tmp_path, sound, seed=1, count=MUTANTS)
    assert outcomes["found"] >= COMPARABLE_MIN, outcomes


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2, 12))
def test_every_finding_of_bbolt_has_one_of_ours_in_a_long_campaign(
    oracle: Oracle, tmp_path: Path, sound: tuple[bytes, Shape], seed: int
) -> None:
    outcomes = _campaign(oracle, tmp_path, sound, seed=seed, count=1000)
    assert outcomes["found"] >= 400, outcomes


LAYOUTS_THAT_ONLY_WE_REFUSE = {
    "a separator below the first key of its child": "branch.separator",
    "a branch with one child": "branch.count",
    "a free page above the high water mark": "freelist.range",
}


@pytest.mark.parametrize(
    ("layout", "code"), LAYOUTS_THAT_ONLY_WE_REFUSE.items(), ids=LAYOUTS_THAT_ONLY_WE_REFUSE
)
def test_our_check_is_stricter_where_the_next_write_of_bbolt_would_do_harm(
    oracle: Oracle, tmp_path: Path, layout: str, code: str
) -> None:
    """Bbolt's check passes these, and its next write panics or loses pages."""
    path = tmp_path / "strict.bolt"
    oracle.fill(path, 200, f"-page-size={PAGE_SIZE_BYTES}")
    shape = oracle.pages(path)
    content = bytearray(path.read_bytes())
    branch = next(page for page in shape.pages if page.kind == "branch")
    if layout.startswith("a separator"):
        second = _offset(branch.pgid) + 32
        key = second + int.from_bytes(content[second : second + 4], "little")
        content[key + 14] -= 1  # the last byte of fill's 15
    elif layout.startswith("a branch"):
        content[_offset(branch.pgid) + 10] = 1
        _free_what_was_cut_off(content, shape)
    else:
        freelist = _offset(shape.freelist_pgid or 0)
        count = int.from_bytes(content[freelist + 10 : freelist + 12], "little")
        content[freelist + 10 : freelist + 12] = (count + 1).to_bytes(2, "little")
        place = freelist + 16 + 8 * count
        content[place : place + 8] = (shape.high_water_mark + 1).to_bytes(8, "little")
    path.write_bytes(content)
    assert oracle.check(path) == []
    assert code in {finding.code for finding in _our_findings(path)}


def _free_what_was_cut_off(content: bytearray, shape: Shape) -> None:
    """List every leaf but the first as free, as if a transaction had dropped it."""
    leaves = [page.pgid for page in shape.pages if page.path and page.kind == "leaf"]
    freelist = _offset(shape.freelist_pgid or 0)
    count = int.from_bytes(content[freelist + 10 : freelist + 12], "little")
    stored = content[freelist + 16 : freelist + 16 + 8 * count]
    ids = [int.from_bytes(stored[place : place + 8], "little") for place in range(0, 8 * count, 8)]
    ids = sorted([*ids, *leaves[1:]])
    content[freelist + 10 : freelist + 12] = len(ids).to_bytes(2, "little")
    data = b"".join(pgid.to_bytes(8, "little") for pgid in ids)
    content[freelist + 16 : freelist + 16 + len(data)] = data
