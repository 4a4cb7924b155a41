"""The page on a store with many records of long names: small pages, on which nothing gets lost."""

import re
from collections.abc import Iterator
from typing import Final

import pytest

from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import (
    new_authorization,
)
from recovery.model.bucket import TYPE_USER
from recovery.model.gojson import format_time
from recovery.model.ids import IdSource
from recovery.model.mapping import MEMBER
from recovery.model.permission import Permission
from recovery.model.token import TokenForm
from recovery.secret import Secret
from recovery.services.tenancy.writing import (
    BucketWish,
    write_bucket,
    write_empty_store,
    write_organization,
    write_role,
    write_user,
)
from tests.page.test_screens import PAGE_SIZE_BYTES_MAX
from tests.support.ports import FixedClock
from tests.support.served import Served, serving
from tests.support.stores import MADE_AT, SeededRng
from tests.support.visitor import Visitor

LEVEL: Final = 21
COUNT: Final = 110
LONG: Final = "&'\"<>" * 16


def _fill(tx: MetaTx) -> None:
    rng, clock, now = SeededRng(), FixedClock(MADE_AT), format_time(MADE_AT)
    ids = IdSource(clock, rng)
    write_empty_store(tx, level=LEVEL, ids=ids, rng=rng, now=now)
    users = [write_user(tx, name=f"user {one} {LONG}", ids=ids) for one in range(COUNT)]
    orgs = [
        write_organization(
            tx, name=f"org {one} {LONG}", description="", owner_id=users[0], ids=ids, now=now
        )
        for one in range(60)
    ]
    for user in users[1:]:
        write_role(tx, org_id=orgs[0], user_id=user, role=MEMBER)
    buckets = [
        write_bucket(
            tx,
            BucketWish(
                name=f"bucket {one} {LONG}".replace('"', ""),
                description="",
                kind=TYPE_USER,
                retention_ns=0,
            ),
            org_id=orgs[0],
            ids=ids,
            now=now,
        )
        for one in range(COUNT)
    ]
    for one in range(COUNT):
        authorization = new_authorization(
            authorization_id=ids.snowflake(),
            token=Secret(rng.token_bytes(48).hex()),
            form=TokenForm.SHA256,
            description=f"token {one} {LONG}",
            org_id=orgs[0],
            user_id=users[one % 2],
            permissions=[
                Permission(action="read", type="buckets", id=bucket, org_id=orgs[0])
                for bucket in buckets[: one + 1]
            ],
            now=now,
        )
        tx.authorizations.insert(authorization)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    path = tmp_path_factory.mktemp("wide") / "influxd.bolt"
    MetaStore.create(path, level=LEVEL, fill=_fill)
    with serving(path) as running:
        yield running


def _first(visitor: Visitor, top: str, text: str = "") -> str:
    found = re.search(rf'href="(/{top}/[0-9a-f]{{16}})"', visitor.get(f"/{top}{text}").body)
    assert found
    return found[1]


def test_no_page_is_too_large(visitor: Visitor) -> None:
    organization = _big_organization(visitor)
    paths = [
        "/", "/tokens", "/users", "/organizations", "/map", "/doctor", "/tokens/new/read-write",
        "/tokens/new/operator", "/users/new", "/organizations/new", organization,
        _first(visitor, "tokens"), _first(visitor, "tokens", "?sort=created"),
        _first(visitor, "users", "?find=user+0"), _first(visitor, "users"),
    ]  # fmt: skip
    sizes = {path: len(visitor.get(path).body.encode()) for path in paths}
    assert {path: size for path, size in sizes.items() if size > PAGE_SIZE_BYTES_MAX} == {}


@pytest.mark.parametrize(("top", "count"), [("tokens", COUNT), ("users", COUNT)])
def test_the_pages_of_a_list_have_each_row_once(visitor: Visitor, top: str, count: int) -> None:
    rows: list[str] = []
    path = f"/{top}"
    while path:
        page = visitor.get(path)
        rows += re.findall(
            rf'<td data-l="(?:Description|Name)"><a [^>]*href="/{top}/(\w+)"', page.body
        )
        path = _next(page.body)
    assert len(rows) == len(set(rows)) >= count


def _next(body: str, noun: str = "") -> str:
    found = re.search(
        rf'aria-label="More {noun}[^<]*(?:<(?!/nav)[^<]*)*rel="next" href="([^"]+)"', body
    )
    return found[1].replace("&amp;", "&") if found else ""


def _big_organization(visitor: Visitor) -> str:
    of_token = visitor.get(_first(visitor, "tokens", "?sort=created")).links
    return next(one for one in of_token if one.startswith("/organizations/"))


@pytest.mark.parametrize(
    ("noun", "row"),
    [
        ("persons", r'name="user" value="(\w+)"'),
        ("buckets", r'<td data-l="Name"><a href="/buckets/(\w+)"'),
    ],
)
def test_the_page_of_an_organization_has_all_people_and_buckets(
    visitor: Visitor, noun: str, row: str
) -> None:
    path, rows = _big_organization(visitor), list[str]()
    while path:
        page = visitor.get(path)
        rows += re.findall(row, page.body)
        path = _next(page.body, noun)
    assert len(rows) == len(set(rows)) >= COUNT - 1  # another test removes somebody


def test_somebody_far_down_an_organization_is_found_and_removed(visitor: Visitor) -> None:
    path = _big_organization(visitor)
    listed = visitor.get(f"{path}?find=user+77")
    assert "1 person of this name" in listed.text, listed.text[:900]
    assert "user 78" not in listed.text
    reply = visitor.send(listed, f"{path}/remove")
    assert reply.location == f"{path}?find=user%2077&done={reply.location.partition('done=')[2]}"
    assert reply.location.endswith("#people")
    assert "Nobody here matches “user 77”." in visitor.get(reply.location).text


def test_all_permissions_of_a_token_can_be_seen(visitor: Visitor) -> None:
    path, rows = _first(visitor, "tokens", "?find=token+109"), list[str]()
    while path:
        page = visitor.get(path)
        rows += re.findall(r'<td data-l="Resource"><code>(\w+)<', page.body)
        path = _next(page.body, "permissions")
    assert len(rows) == len(set(rows)) == COUNT


def test_among_many_a_user_and_an_organization_are_named(visitor: Visitor) -> None:
    path = "/tokens/new/all-access"
    names = {"user": f"user 7 {LONG}", "organization": f"org 3 {LONG}"}
    made = visitor.fill(path, path, {"act": "save", **names})
    assert (made.status, "is made" in made.text) == (200, True)
    refused = visitor.fill(path, path, {"act": "save", **names, "user": "nobody of this name"})
    assert (refused.status, "Choose a user" in refused.text) == (400, True)
    user = _first(visitor, "users", "?find=user+7")
    done = visitor.do(user, f"{user}/role", {"organization": f"org 5 {LONG}", "role": "member"})
    assert "Done." in done.text
