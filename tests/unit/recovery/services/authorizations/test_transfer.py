"""Moving authorizations from one store to another."""

import json
import re
import shutil
import stat
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from recovery.errors import ConflictError, RefusedError, StoreAccessError, StoreDamagedError
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.secret import Secret
from recovery.services.authorizations.export import export_authorizations
from recovery.services.authorizations.intake import ImportAuthorizations
from recovery.services.authorizations.listing import AuthorizationFilter
from recovery.services.authorizations.new_token import FormChoice
from recovery.services.authorizations.transfer import LineError, decode_lines
from recovery.services.authorizations.verification import TokenVerdict, verify_token
from recovery.services.changes.plan import Outcome
from tests.support.invariants import assert_invariants, hash_of
from tests.support.oracle import Oracle
from tests.support.stores import (
    HASHED_TOKEN,
    OLD_OPERATOR_TOKEN,
    OPERATOR_TOKEN,
    READER_TOKEN,
    MadeStore,
    change,
    difference,
    disclosure,
    edit,
    make_store,
)

TOKENS = (OPERATOR_TOKEN, OLD_OPERATOR_TOKEN, READER_TOKEN, HASHED_TOKEN)


def export(
    store: MadeStore, *, with_tokens: bool = True, name: str = "tokens.jsonl", **wanted: str | bool
) -> Path:
    target = store.path.parent / name
    right = disclosure(store.path) if with_tokens else None
    with MetaStore.open(store.path, write=False) as opened, opened.view() as tx:
        chosen = AuthorizationFilter(**wanted)  # type: ignore[arg-type] # its names are checked
        export_authorizations(tx, target, chosen, right)
    return target


def bring(
    path: Path,
    content: bytes,
    *,
    by_name: bool = False,
    ensure: bool = False,
    form: FormChoice = FormChoice.BY_STORE,
) -> Outcome:
    planner = ImportAuthorizations(
        file=BytesIO(content),
        is_matched_by_name=by_name,
        is_ensured=ensure,
        form=form,
        server_hashes=None,
    )
    return change(path, planner)


def emptied(store: MadeStore, name: str = "restored.bolt") -> Path:
    """Copy a store and take all its authorizations away, as after a restore without them."""
    path = store.path.with_name(name)
    shutil.copyfile(store.path, path)

    def empty(tx: MetaTx) -> None:
        for one in (store.operator, store.old_operator, store.reader, store.hashed):
            tx.authorizations.delete_all((one,))

    edit(path, empty)
    return path


def answers(path: Path, tokens: Sequence[str] = TOKENS) -> set[TokenVerdict]:
    with MetaStore.open(path, write=False) as opened, opened.view() as tx:
        return {verify_token(tx, Secret(token)).answer for token in tokens}


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_an_export_is_private_new_and_leaves_the_store_alone(store: MadeStore) -> None:
    content = store.path.read_bytes()
    target = export(store)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert content == store.path.read_bytes()
    assert len(lines_of(target)) == 4
    with pytest.raises(ConflictError):
        export(store)
    with pytest.raises(StoreAccessError):
        export(store, name="no-such-folder/tokens.jsonl")


def test_an_export_holds_no_token_and_no_hash_unless_asked_for(store: MadeStore) -> None:
    content = export(store, with_tokens=False).read_bytes()
    assert [token for token in TOKENS if token.encode() in content] == []
    assert b"influxdb2-sha" not in content
    assert b'"token"' not in content


def test_an_export_can_be_narrowed(made: MadeStore) -> None:
    assert len(lines_of(export(made, user="bob"))) == 2
    assert len(lines_of(export(made, name="operators", operators_only=True))) == 2
    assert lines_of(export(made, name="other", organization="other")) == []


def test_a_failed_export_leaves_no_file(made: MadeStore) -> None:
    """A page of the records that is damaged stops the walk in the middle."""
    content = bytearray(made.path.read_bytes())
    for found in re.finditer(b'{"id":"' + made.hashed.encode(), content):
        page = found.start() // 4096
        while content[page * 4096 : page * 4096 + 8] != page.to_bytes(8, "little"):
            page -= 1  # it is in the overflow of an earlier page
        content[page * 4096 : page * 4096 + 16] = bytes(16)
    made.path.write_bytes(content)
    with pytest.raises(StoreDamagedError):
        export(made)
    assert [made.path] == list(made.path.parent.iterdir())


def test_a_restored_store_accepts_the_old_tokens_again(store: MadeStore, oracle: Oracle) -> None:
    target = export(store)
    path = emptied(store)
    assert answers(path) == {TokenVerdict.UNKNOWN}
    before = oracle.dump(path)
    bring(path, target.read_bytes())
    assert answers(path) == {TokenVerdict.ACCEPTED}
    changed = difference(before, oracle.dump(path))
    index = "authorizationhashedindexv1" if store.level == 21 else "authorizationindexv1"
    assert changed.places == {"added": sorted([index] * 4 + ["authorizationsv1"] * 4)}
    documents = [v for (bucket, _), v in changed.added.items() if bucket == "authorizationsv1"]
    kinds = [("authorization", document) for document in documents]
    assert documents == oracle.rewrite_records(kinds)  # type: ignore[arg-type] # the literal is lost
    assert oracle.check(path) == []
    assert_invariants(path)


def test_raw_tokens_stay_raw_when_asked_for(made: MadeStore) -> None:
    target = export(made)
    path = emptied(made)
    bring(path, target.read_bytes(), form=FormChoice.RAW)
    assert answers(path) == {TokenVerdict.ACCEPTED}
    assert READER_TOKEN.encode() in path.read_bytes()
    assert_invariants(path)


def test_a_server_that_was_set_up_anew_is_matched_by_name(tmp_path: Path) -> None:
    old = make_store(tmp_path / "influxd.bolt", level=20)
    new = make_store(tmp_path / "new.bolt", level=21)
    assert old.org != new.org
    path = emptied(new)
    content = export(old).read_bytes()
    with pytest.raises(RefusedError, match="4 of 4 authorizations cannot be imported"):
        bring(path, content)
    bring(path, content, by_name=True)
    assert answers(path) == {TokenVerdict.ACCEPTED}
    assert_invariants(path)
    with MetaStore.open(path, write=False) as opened, opened.view() as tx:
        reader = tx.authorizations.load(old.reader)
    assert reader is not None
    assert (new.bob, new.org) == (reader.user_id, reader.org_id)
    assert [f"read:orgs/{new.org}/buckets/{new.bucket}"] == [str(p) for p in reader.permissions()]


def test_all_conflicts_are_listed_before_anything_is_written(made: MadeStore) -> None:
    content = export(made).read_bytes() + b"no line\n"
    before = made.path.read_bytes()
    with pytest.raises(RefusedError) as caught:
        bring(made.path, content)
    assert "5 of 5 authorizations cannot be imported: lines 1, 2, 3, 4: " in str(caught.value)
    assert "; line 5: it is no line of an export" in str(caught.value)
    assert before == made.path.read_bytes()
    assert [token for token in TOKENS if token in str(caught.value)] == []


def test_ensuring_an_import_twice_changes_nothing_the_second_time(made: MadeStore) -> None:
    content = export(made).read_bytes()
    before = made.path.read_bytes()
    assert not bring(made.path, content, ensure=True).is_changed
    assert before == made.path.read_bytes()


def test_a_file_without_tokens_cannot_be_imported(made: MadeStore) -> None:
    content = export(made, with_tokens=False).read_bytes()
    with pytest.raises(RefusedError, match="neither a token nor a hash"):
        bring(emptied(made), content)


def test_an_empty_file_is_refused(made: MadeStore) -> None:
    with pytest.raises(RefusedError, match="no authorization"):
        bring(made.path, b"\n")


def test_hashes_are_refused_below_level_21(tmp_path: Path) -> None:
    new = make_store(tmp_path / "influxd.bolt", level=21)
    old = make_store(tmp_path / "old.bolt", level=20)
    content = export(new, user="bob").read_bytes()
    with pytest.raises(RefusedError, match="servers of level 20 know no hashes"):
        bring(emptied(old), content, by_name=True)


def test_types_that_the_server_does_not_know_are_refused(tmp_path: Path) -> None:
    new = make_store(tmp_path / "influxd.bolt", level=20)
    old = make_store(tmp_path / "old.bolt", level=17)
    content = export(new, operators_only=True).read_bytes()
    with pytest.raises(RefusedError, match="servers of level 17 do not know"):
        bring(emptied(old), content, by_name=True)


def altered(line: dict[str, Any], **fields: object) -> bytes:
    return json.dumps({**line, "record": {**line["record"], **fields}}).encode() + b"\n"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"id": "0000000000000abc"}, "its token is that of authorization"),
        ({"token": None}, "neither a token nor a hash"),
        ({"token": None, "hashedToken": hash_of(READER_TOKEN)}, "another authorization"),
        ({"token": "another-token", "id": "0000000000000abc", "status": "odd"}, "its status"),
        ({"token": "another-token", "userID": "0000000000000abc"}, "there is no user"),
        ({"token": "another-token", "orgID": "0000000000000abc"}, "there is no organization"),
        ({"token": "another-token", "permissions": []}, "permits nothing"),
        ({"token": None, "hashedToken": "$argon2$x"}, "no known kind"),
        ({"permissions": 7}, "cannot be understood"),
    ],
)
def test_what_a_server_would_not_have_written_is_refused(
    fields: dict[str, Any], words: str, made: MadeStore
) -> None:
    line = next(one for one in lines_of(export(made)) if one["record"]["id"] == made.reader)
    with pytest.raises(RefusedError, match=words):
        bring(made.path, altered(line, **fields))


def test_the_hash_of_a_raw_token_in_the_store_is_a_conflict(made: MadeStore) -> None:
    line = next(one for one in lines_of(export(made)) if one["record"]["id"] == made.reader)
    content = altered(line, id="0000000000000abc", token=None, hashedToken=hash_of(READER_TOKEN))
    with pytest.raises(RefusedError, match=f"authorization {made.reader}"):
        bring(made.path, content)


def test_two_lines_with_one_token_are_a_conflict(made: MadeStore) -> None:
    content = export(made, user="bob").read_bytes()
    with pytest.raises(RefusedError, match="another line has the same"):
        bring(emptied(made), content + content)


def test_a_file_that_changes_between_plan_and_change_is_refused(made: MadeStore) -> None:
    content = export(made, user="bob").read_bytes()
    path = emptied(made)
    for other in (
        content.replace(b'"active"', b'"inactive"'),  # another record
        content[:-1] + b" broken\n",
        b"",
        content.replace(b'"status":"active"', b'"status":"strange"'),
    ):
        file = BytesIO(content)
        planner = ImportAuthorizations(
            file=file,
            is_matched_by_name=False,
            is_ensured=False,
            form=FormChoice.BY_STORE,
            server_hashes=None,
        )
        before = path.read_bytes()
        with MetaStore.open(path, write=True) as store:
            with store.view() as tx:
                plan = planner.plan(tx)
            file.seek(0)
            file.truncate()
            file.write(other)
            with pytest.raises(RefusedError, match="became another"), store.staged(plan.apply):
                pass
        assert path.read_bytes() == before


def test_lines_of_another_kind_are_refused_one_by_one() -> None:
    content = b'{"version":2,"kind":"authorization","record":{}}\n\n[]\n'
    problems = [one for one in decode_lines(BytesIO(content)) if isinstance(one, LineError)]
    assert [(one.number, one.problem) for one in problems] == [
        (1, "it is of another kind or version"),
        (3, "it is no line of an export"),
    ]


def test_unknown_fields_of_a_record_travel_along(made: MadeStore) -> None:
    line = next(one for one in lines_of(export(made)) if one["record"]["id"] == made.reader)
    path = emptied(made)
    bring(path, altered(line, future={"a": 1}))
    assert b'"future":{"a": 1}' in path.read_bytes()
