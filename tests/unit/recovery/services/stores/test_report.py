"""The report: all in one page, nothing secret in it, nothing that a store can forge."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from recovery.discovery.candidate import Files
from recovery.errors import ConflictError, WriteFailedError
from recovery.ledger import Ledger
from recovery.ledger_rows import Actor
from recovery.ports import SystemRng
from recovery.services.session import Session
from recovery.services.stores.report import Report, page_of, report_on, write_report
from tests.support.canaries import leaks
from tests.support.mounts import mounted
from tests.support.ports import FixedClock
from tests.support.real_stores import REAL_STORES, unpack_real_store
from tests.support.stores import (
    CHANGED_AT,
    HASHED_TOKEN,
    LEGACY_PASSWORD,
    OPERATOR_TOKEN,
    READER_TOKEN,
    MadeStore,
    edit,
)

CLOCK = FixedClock(CHANGED_AT)
EVIL = "<script>alert(1)</script>\" onload='x' \u202e {{ 7 * 7 }}"


def report_of(path: Path) -> Report:
    actor = Actor(host="db1", uid=0, sudo_user=None, tool_version="1")
    ledger = Ledger(path=path.with_name("ledger.sqlite"), actor=actor, clock=CLOCK)
    with Session.open(path, needs_schema=False) as session:
        return report_on(
            session,
            files=Files(sqlite_path=None, engine_path=None),
            ledger=ledger,
            tool_version="1",
            clock=CLOCK,
            rng=SystemRng(),
        )


class Tags(HTMLParser):
    """Every tag with its attributes, and whether all of them are closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", REAL_STORES)
def test_every_real_store_gives_a_whole_page(tmp_path: Path, name: str) -> None:
    report = report_of(unpack_real_store(name, tmp_path / "influxd.bolt"))
    tags = Tags(page_of(report))
    assert tags.open == []
    assert report.problems == ()
    assert sum(tag == "svg" for tag, _ in tags.found) >= 2


def test_nothing_is_loaded_and_nothing_runs(made: MadeStore) -> None:
    page = page_of(report_of(made.path))
    tags = Tags(page)
    names = {tag for tag, _ in tags.found}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "form", "a"}
    for _, attributes in tags.found:
        assert not [name for name in attributes if name in {"src", "href"} or name[:2] == "on"]
    assert "url(" not in page
    assert "@import" not in page
    policy = next(a["content"] for _, a in tags.found if "http-equiv" in a)
    assert str(policy).startswith("default-src 'none'")


def test_no_secret_is_in_it(made: MadeStore) -> None:
    page = page_of(report_of(made.path)).encode()
    assert leaks((OPERATOR_TOKEN, READER_TOKEN, HASHED_TOKEN, LEGACY_PASSWORD), page) == []
    assert b"$2a$" not in page
    assert b"$influxdb2-" not in page


def test_names_cannot_forge_anything(made: MadeStore) -> None:
    def rename(tx: object) -> None:
        for table, key in (("usersv1", made.bob), ("organizationsv1", made.org)):
            records = tx.table(table)  # type: ignore[attr-defined] # a MetaTx
            record = json.loads(records.get(key.encode()))
            records.put(key.encode(), json.dumps({**record, "name": EVIL}).encode())

    edit(made.path, rename)
    page = page_of(report_of(made.path))
    assert "script" not in {tag for tag, _ in Tags(page).found}
    assert "\u202e" not in page
    assert "{{ 7 * 7 }}" in page


def test_it_says_the_verdict_and_every_finding(made: MadeStore) -> None:
    edit(made.path, lambda tx: tx.table("userindexv1").delete(b"bob"))
    edit(made.path, lambda tx: tx.table("tasksv1").put(b"0" * 15 + b"1", b"junk"))
    report = report_of(made.path)
    page = page_of(report)
    assert "influxd will not start" in page
    for finding in report.examination.findings:
        assert f"<td>{finding.number}</td>" in page


def test_empty_bolt_buckets_share_one_line(made: MadeStore) -> None:
    page = page_of(report_of(made.path))
    rows, _, line = page.partition("Empty: ")
    assert "telegrafv1" in line.partition("</p>")[0]
    assert "telegrafv1" not in rows
    assert "authorizationsv1" in rows


def test_of_a_damaged_store_it_has_what_can_be_read(made: MadeStore) -> None:
    content = bytearray(made.path.read_bytes())
    with Session.open(made.path) as session:
        root = session.store.described(lambda db: db.meta.root_pgid)
    content[root * 4096 + 8] = 0x55
    made.path.write_bytes(content)
    report = report_of(made.path)
    (problem,) = report.problems  # one reason is said once
    page = page_of(report)
    assert Tags(page).open == []
    assert problem.startswith("what is in it and what was done, who can reach what")
    assert "<td>It " not in page
    assert "Do not start influxd on it" in page
    assert "Not in this report:" in page


def test_it_is_a_new_private_file(made: MadeStore, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    report = report_of(made.path)
    write_report(report, target)
    assert target.stat().st_mode & 0o777 == 0o600
    assert target.read_text() == page_of(report)
    with pytest.raises(ConflictError):
        write_report(report, target)


def test_a_full_disk_leaves_nothing_behind(made: MadeStore, tmp_path: Path) -> None:
    report = report_of(made.path)
    with mounted(tmp_path / "small", size_bytes=8 << 10) as small:
        with pytest.raises(WriteFailedError):
            write_report(report, small / "report.html")
        assert list(small.iterdir()) == []
