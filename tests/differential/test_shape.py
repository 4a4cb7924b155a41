"""One transaction of inserts gives the same tree in Python as in Go, page by page.

Deletes are left out: Go walks its maps in random order then, and two runs of Go differ as well.
"""

from pathlib import Path
from random import Random

import pytest

import bolt_store
from tests.support.oracle import Oracle, Script, Shape
from tests.support.turns import play


def _random_load(random: Random, *, page_size_bytes: int) -> Script:
    """Return inserts into one to three buckets, one of them below another."""
    script = Script().make(b"a").make(b"a", b"b").make(b"c")
    size_max = random.choice((8, 50, 300, page_size_bytes))
    for path in random.sample([(b"a",), (b"a", b"b"), (b"c",)], k=random.randint(1, 3)):
        for _ in range(random.choice((0, 1, 4, 5, 30, 300, 1500))):
            key = random.randbytes(random.randint(4, 40))
            script.put(path, key, random.randbytes(random.randrange(size_max)))
    return script


def _shapes(
    oracle: Oracle, folder: Path, script: Script, *, page_size_bytes: int, fill: float | None = None
) -> tuple[Shape, Shape]:
    """Return the shape of Go's file and that of Python's."""
    go, python = folder / "go.bolt", folder / "python.bolt"
    oracle.init(go, page_size_bytes=page_size_bytes)
    flags = ["-no-sync"] if fill is None else ["-no-sync", f"-fill={fill}"]
    oracle.apply(go, script, flags=flags)
    with bolt_store.create(python, page_size_bytes=page_size_bytes) as db, db.update() as tx:
        play(tx, script, fill=fill)
    return oracle.pages(go), oracle.pages(python)


@pytest.mark.parametrize("page_size_bytes", [1024, 4096, 16384])
@pytest.mark.parametrize("fill", [None, 0.05, 0.3, 0.75, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_one_transaction_of_inserts_makes_the_same_pages_as_go(
    oracle: Oracle, tmp_path: Path, page_size_bytes: int, fill: float | None, seed: int
) -> None:
    random = Random(f"{page_size_bytes} {fill} {seed}")
    script = _random_load(random, page_size_bytes=page_size_bytes)
    go, python = _shapes(oracle, tmp_path, script, page_size_bytes=page_size_bytes, fill=fill)
    assert go.outline == python.outline
    assert go.inline == python.inline


@pytest.mark.parametrize("page_size_bytes", [1024, 4096, 16384])
@pytest.mark.parametrize("above", [-1, 0, 1], ids=["below", "at", "above"])
def test_a_bucket_becomes_inline_at_the_same_size_as_in_go(
    oracle: Oracle, tmp_path: Path, page_size_bytes: int, above: int
) -> None:
    # A page header, one element and a key of one byte come on top of the value.
    value = b"v" * (page_size_bytes // 4 - 16 - 16 - 1 + above)
    script = Script().make(b"b").put((b"b",), b"k", value)
    go, python = _shapes(oracle, tmp_path, script, page_size_bytes=page_size_bytes)
    assert go.outline == python.outline
    assert go.inline == python.inline
    assert ((b"b",) in go.inline) == (above <= 0)


def test_one_bucket_of_inserts_lands_on_the_same_page_ids_as_in_go(
    oracle: Oracle, tmp_path: Path
) -> None:
    script = Script().make(b"b")
    for number in range(5000):
        script.put((b"b",), b"%d" % number, b"v" * (number % 50))
    go, python = _shapes(oracle, tmp_path, script, page_size_bytes=4096)
    assert sorted(page.pgid for page in go.pages) == sorted(page.pgid for page in python.pages)
