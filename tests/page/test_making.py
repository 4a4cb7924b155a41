"""What is made on the page, in one daemon: tokens of every kind, organizations, buckets."""

import json
import re
from collections.abc import Iterator
from typing import Final

import pytest

from recovery.metastore.transaction import MetaTx
from tests.support.served import Served, serving
from tests.support.stores import MadeStore, edit, make_store
from tests.support.visitor import PageReply, Visitor

TELEGRAF: Final = "0c0000000000000a"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeStore:
    made = make_store(tmp_path_factory.mktemp("making") / "influxd.bolt", level=21)

    def add_telegrafs(tx: MetaTx) -> None:
        for record_id, org, name in (
            (TELEGRAF, made.org, "probe"),
            ("0c0000000000000b", made.org, "other"),
            ("0c0000000000000c", made.other_org, "elsewhere"),
        ):
            document = json.dumps({"id": record_id, "orgID": org, "name": name})
            tx.table("telegrafv1").put(record_id.encode(), document.encode())
        tx.table("telegrafv1").put(b"0c0000000000000d", b"no JSON")

    edit(made.path, add_telegrafs)
    return made


@pytest.fixture(scope="module")
def served(made: MadeStore) -> Iterator[Served]:
    with serving(made.path) as running:
        yield running


def permissions_of(served: Served, reply: PageReply) -> list[str]:
    found = re.search(r"<code>([0-9a-f]{16})</code>", reply.body)
    assert found
    record = served.ask("GET", f"/api/v2/authorizations/{found[1]}", token=served.key).json
    return sorted(
        f"{one['action']}:{one['resource']['type']}/{one['resource'].get('id', '*')}"
        for one in record["permissions"]
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"read": ["{bucket}"], "write": ["{bucket}"]},
            ["read:buckets/{bucket}", "write:buckets/{bucket}"],
        ),
        ({"read": ["{bucket}"], "every-write": "1"}, ["read:buckets/{bucket}", "write:buckets/*"]),
        ({"every-read": "1"}, ["read:buckets/*"]),
    ],
)
def test_a_read_write_token_permits_what_was_ticked(
    made: MadeStore,
    served: Served,
    visitor: Visitor,
    fields: dict[str, str | list[str]],
    expected: list[str],
) -> None:
    def filled(text: str) -> str:
        return text.format(bucket=made.bucket)

    sent = {
        name: [filled(one) for one in value] if isinstance(value, list) else value
        for name, value in fields.items()
    }
    path = "/tokens/new/read-write"
    reply = visitor.fill(path, path, {**sent, "organization": made.org, "act": "save"})
    assert permissions_of(served, reply) == [filled(one) for one in expected]


def test_without_scripts_a_search_keeps_the_ticks_and_says_what_it_will_be(
    made: MadeStore, visitor: Visitor
) -> None:
    path = "/tokens/new/read-write"
    reply = visitor.fill(
        path,
        path,
        {"read": [made.bucket], "search-write": "moni", "act": "find", "organization": made.org},
    )
    form = reply.form(path)
    assert form.fields["read"] == [made.bucket]
    assert "May read acme / sensors, for user alice." in reply.text
    assert (reply.status, reply.body.count('name="write"')) == (200, 1)
    chosen = visitor.send(reply, path, {"act": "all-write"}).form(path)
    assert len(chosen.fields["write"]) == 1


def test_nothing_chosen_is_said_where_it_is_lacking_and_nothing_is_made(visitor: Visitor) -> None:
    before = visitor.get("/backups").text.count("console key")
    for kind, field, message in (
        ("read-write", "read", "Choose at least one bucket to read or write."),
        ("custom", "read", "Choose at least one permission."),
        ("operator", "understood", "Tick that you understand"),
    ):
        path = f"/tokens/new/{kind}"
        reply = visitor.fill(path, path, {"act": "save", "description": "kept"})
        assert (reply.status, reply.form(path).fields["description"]) == (400, "kept")
        assert f'id="{field}-fault">{message}' in reply.body
        assert "Nothing was changed." in reply.text
    assert visitor.get("/backups").text.count("console key") == before


def test_all_access_and_custom_tokens_are_made(
    served: Served, visitor: Visitor, made: MadeStore
) -> None:
    path = "/tokens/new/all-access"
    reply = visitor.fill(path, path, {"organization": made.org, "act": "save"})
    assert len(permissions_of(served, reply)) == 43
    path = "/tokens/new/custom"
    sent = {
        "organization": made.org,
        "read": ["tasks", made.bucket],
        "write": ["tasks", "labels"],
        "act": "save",
    }
    reply = visitor.fill(path, path, sent)
    expected = [
        f"read:buckets/{made.bucket}", "read:tasks/*", "write:labels/*", "write:tasks/*"
    ]  # fmt: skip
    assert permissions_of(served, reply) == expected


def test_single_telegraf_configurations_are_searched_for_and_permitted(
    served: Served, visitor: Visitor, made: MadeStore
) -> None:
    path = "/tokens/new/custom"
    single = f"telegrafs/{TELEGRAF}"
    sent = {"organization": made.org, "search-write-telegrafs": "prob", "act": "find"}
    found = visitor.fill(path, path, {**sent, "read": [single]})
    assert found.body.count('value="telegrafs/0c0000000000000b"') == 1  # to be read
    assert found.body.count(f'value="{single}"') == 2
    assert "elsewhere" not in found.text
    looked = visitor.send(found, path, {"act": "look"})
    assert f"May read telegrafs/{TELEGRAF} of acme." in looked.text
    assert "influx auth create" not in looked.text  # it has no option for one of them
    made_one = visitor.send(looked, path, {"write": [single], "act": "save"})
    assert permissions_of(served, made_one) == [f"read:{single}", f"write:{single}"]


def test_a_custom_token_is_shown_as_the_command_that_makes_it(
    visitor: Visitor, made: MadeStore
) -> None:
    path = "/tokens/new/custom"
    read = ["tasks", "buckets", made.bucket]
    ticked = {"organization": made.org, "read": read, "write": ["tasks"]}
    looked = visitor.fill(path, path, {**ticked, "description": "it's one", "act": "look"})
    line = (
        "influx auth create --org acme --user alice --description 'it'\"'\"'s one' "
        f"--read-bucket {made.bucket} --read-tasks --read-buckets --write-tasks"
    )
    assert line in looked.text


def test_the_reason_of_an_operator_token_is_in_the_ledger_and_in_its_description(
    visitor: Visitor, made: MadeStore
) -> None:
    path = "/tokens/new/operator"
    sent = {"organization": made.org, "understood": "1", "reason": "ticket 4711", "act": "save"}
    assert "The token “recovery ticket 4711” is made" in visitor.fill(path, path, sent).text
    assert "ticket 4711, console key" in visitor.get("/ledger").text


@pytest.mark.parametrize(
    "token",
    ["canary-reader-token-0123456789", "Zm9vYmFy" * 10 + "Zm9vYm==", "$influxdb2-sha256$Zm9vYmFy"],
)
@pytest.mark.parametrize(
    ("page", "action", "field"),
    [
        ("/tokens/new/all-access", "/tokens/new/all-access", "description"),
        ("/tokens/{reader}", "/tokens/{reader}/description", "description"),
        ("/organizations/new", "/organizations/new", "name"),
    ],
)
def test_a_token_where_others_would_read_it_is_refused_and_not_shown(
    visitor: Visitor, made: MadeStore, token: str, page: str, action: str, field: str
) -> None:
    page, action = page.format_map(vars(made)), action.format_map(vars(made))
    refused = visitor.fill(page, action, {field: token, "act": "save"})
    assert (refused.status, f'id="{field}-fault">This looks like' in refused.body) == (400, True)
    assert token not in refused.body
    assert token not in visitor.get("/tokens").body + visitor.get("/ledger").body


def test_a_token_that_is_searched_for_is_not_shown(visitor: Visitor) -> None:
    token = "Zm9vYmFy" * 10 + "Zm9vYm=="
    found = visitor.get(f"/tokens?find={token}")
    assert "This looks like a token." in found.text
    assert token not in found.body


def test_a_clone_has_the_rights_of_its_original(
    served: Served, visitor: Visitor, made: MadeStore
) -> None:
    for number in (1, 2):
        page = f"/tokens/{made.hashed}"
        reply = visitor.fill(page, f"{page}/clone")
        assert f"reads buckets (clone {number})" in reply.text
        assert permissions_of(served, reply) == ["read:buckets/*"]
        assert served.ask("GET", "/api/v2/buckets", token=reply.secret).status == 200


def test_a_pasted_token_is_judged_and_forgotten(visitor: Visitor) -> None:
    path = "/tokens/verify"
    right = visitor.fill(path, path, {"secret": "canary-reader-token-0123456789"})
    assert "Yes: a server accepts it." in right.text
    assert "canary-reader" not in right.body
    wrong = visitor.fill(path, path, {"secret": "canary-nosuch-token-0123456789"})
    assert "No record has this token." in wrong.text


def test_an_organization_and_a_bucket_are_made_and_deleted(
    served: Served, visitor: Visitor
) -> None:
    reply = visitor.do("/organizations/new", "/organizations/new", {"name": "plant"})
    assert "plant" in reply.text
    path = next(form.action for form in reply.forms if form.action.endswith("/buckets"))
    page = path.removesuffix("/buckets")
    assert "machines" in visitor.do(page, path, {"name": "machines", "retention": "4w"}).text
    bad = visitor.fill(page, path, {"name": "more", "retention": "soon"})
    assert (bad.status, 'id="retention-fault">Write' in bad.body) == (400, True)
    taken = visitor.fill(page, path, {"name": "machines", "retention": "0"})
    assert (taken.status, 'id="name-fault">' in taken.body) == (422, True)
    listed = served.ask("GET", "/api/v2/buckets?org=plant", token=served.key).json["buckets"]
    seconds = {one["name"]: one["retentionRules"] for one in listed}["machines"][0]["everySeconds"]
    assert seconds == 28 * 86400
    assert "Done." in visitor.do(f"{page}/delete", f"{page}/delete").text
    assert visitor.get(page).status == 404
