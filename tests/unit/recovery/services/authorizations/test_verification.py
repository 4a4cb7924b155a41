"""Finding out what a server would say to a token."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from recovery.errors import StoreDamagedError
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import decode_authorization
from recovery.model.token import TokenForm, hash_token
from recovery.secret import Secret
from recovery.services.authorizations.verification import TokenReport, TokenVerdict, verify_token
from tests.support.invariants import hash_of
from tests.support.stores import (
    HASHED_TOKEN,
    OPERATOR_TOKEN,
    READER_TOKEN,
    MadeStore,
    edit,
    make_store,
)


def verify(path: Path, token: str) -> TokenReport:
    content = path.read_bytes()
    with MetaStore.open(path, write=False) as opened, opened.view() as tx:
        report = verify_token(tx, Secret(token))
    assert content == path.read_bytes()
    return report


@pytest.fixture
def level20(tmp_path: Path) -> MadeStore:
    return make_store(tmp_path / "influxd.bolt", level=20)


def without_index_entry(token: str) -> Callable[[MetaTx], None]:
    def remove(tx: MetaTx) -> None:
        tx.table("authorizationindexv1").delete(token.encode())
        if tx.level == 21:
            tx.table("authorizationhashedindexv1").delete(hash_of(token).encode())

    return remove


def test_a_token_is_found_raw_or_hashed_with_what_it_may_do(store: MadeStore) -> None:
    hashed_form = TokenForm.SHA256 if store.level == 21 else TokenForm.RAW
    for token, authorization_id, form, permission in (
        (READER_TOKEN, store.reader, TokenForm.RAW, f"orgs/{store.org}/buckets/{store.bucket}"),
        (HASHED_TOKEN, store.hashed, hashed_form, f"orgs/{store.org}/buckets"),
    ):
        report = verify(store.path, token)
        assert report.answer is TokenVerdict.ACCEPTED
        details = report.details
        assert details is not None
        assert (authorization_id, form) == (details.id, details.token_form)
        assert (details.user, details.organization) == ("bob", "acme")
        assert [f"read:{permission}"] == [str(one) for one in details.permissions or ()]


def test_the_documented_token_of_the_real_store_is_its_operator(level21_bolt: Path) -> None:
    token = (
        "A9Ovdl8SmP-rfp8wQ2vJoPUsZoQQJ3EochD88SlJcgrcLw4HBwgUqpSHQxc9N9Drg0_aY6Lp1jutBRcKhbV7aQ=="
    )
    report = verify(level21_bolt, token)
    assert report.answer is TokenVerdict.ACCEPTED
    assert report.details is not None
    assert report.details.id == "08371db24dcc8000"
    assert report.details.operator.is_operator


def test_a_token_stored_as_sha512_is_found(made: MadeStore) -> None:
    hashed = hash_token(Secret(READER_TOKEN), "influxdb2-sha512").reveal()

    def rehash(tx: MetaTx) -> None:
        before = tx.authorizations.load(made.reader)
        assert before is not None
        document = before.rewritten({"token": None, "hashedToken": hashed})
        tx.table("authorizationsv1").put(made.reader.encode(), document)
        tx.table("authorizationindexv1").delete(READER_TOKEN.encode())
        tx.table("authorizationhashedindexv1").put(hashed.encode(), made.reader.encode())

    edit(made.path, rehash)
    report = verify(made.path, READER_TOKEN)
    assert report.details is not None
    assert report.details.token_form is TokenForm.SHA512


def test_an_inactive_token_is_refused_and_says_so(made: MadeStore) -> None:
    def deactivate(tx: MetaTx) -> None:
        before = tx.authorizations.load(made.reader)
        assert before is not None
        inactive = before.with_status("inactive", now="2026-01-01T00:00:00Z")
        tx.table("authorizationsv1").put(made.reader.encode(), inactive.document)

    edit(made.path, deactivate)
    report = verify(made.path, READER_TOKEN)
    assert report.answer is TokenVerdict.REFUSED
    assert report.because == ("it is inactive",)


def test_the_token_of_a_missing_user_is_refused(made: MadeStore) -> None:
    edit(made.path, lambda tx: tx.table("usersv1").delete(made.bob.encode()))
    assert verify(made.path, READER_TOKEN).because == ("its user does not exist",)


@pytest.mark.parametrize(
    ("mishap", "words"),
    [
        (lambda token: f"{token}\n", "blanks or a line end"),
        (lambda token: f"Token {token}", "word of the HTTP header"),
        (lambda token: f"bearer  {token}", "word of the HTTP header"),
        (lambda token: f'"{token}"', "quotes"),
        (lambda token: token.replace("-", "%2D"), "percent-encoded"),
        (lambda token: f"{token}==", "too many ="),
    ],
)
def test_what_happens_to_tokens_on_their_way_is_named(
    mishap: Callable[[str], str], words: str, made: MadeStore
) -> None:
    for token in (READER_TOKEN, HASHED_TOKEN):
        report = verify(made.path, mishap(token))
        assert report.answer is TokenVerdict.UNKNOWN
        assert words in report.because[0]
        assert report.details is not None
        assert token not in " ".join(report.because)


def test_a_token_that_lost_its_padding_is_recognised(level21_bolt: Path) -> None:
    token = "A9Ovdl8SmP-rfp8wQ2vJoPUsZoQQJ3EochD88SlJcgrcLw4HBwgUqpSHQxc9N9Drg0_aY6Lp1jutBRcKhbV7aQ"
    assert "lost the = signs" in verify(level21_bolt, token).because[0]
    assert "lost the = signs" in verify(level21_bolt, f"{token}=").because[0]


def test_a_hash_given_as_a_token_is_recognised_and_not_repeated(made: MadeStore) -> None:
    report = verify(made.path, hash_of(HASHED_TOKEN))
    assert report.answer is TokenVerdict.UNKNOWN
    assert f"stored hash of a token, of authorization {made.hashed}" in report.because[0]
    assert "influxdb2-sha256" not in " ".join(report.because)


def test_the_user_name_of_a_legacy_authorization_is_recognised(store: MadeStore) -> None:
    assert f"legacy authorization {store.legacy}" in verify(store.path, "grafana").because[0]


def test_a_json_web_token_is_never_looked_up(made: MadeStore) -> None:
    (reason,) = verify(made.path, "e30.e30.signature").because
    assert "JSON web token" in reason


def test_a_record_whose_index_entry_is_missing_is_the_reason(store: MadeStore) -> None:
    for token, record in ((READER_TOKEN, store.reader), (HASHED_TOKEN, store.hashed)):
        edit(store.path, without_index_entry(token))
        report = verify(store.path, token)
        assert report.answer is TokenVerdict.UNKNOWN
        assert f"authorization {record} has it, and the index has no entry" in report.because[0]


def test_a_stale_raw_entry_is_a_working_credential_for_old_servers_only(
    level20: MadeStore, tmp_path: Path
) -> None:
    made = make_store(tmp_path / "other.bolt", level=21)
    stale = "a-stale-key-of-the-raw-index"
    for store in (level20, made):

        def plant(tx: MetaTx, reader: str = store.reader) -> None:
            tx.table("authorizationindexv1").put(stale.encode(), reader.encode())

        edit(store.path, plant)
    report = verify(level20.path, stale)
    assert report.answer is TokenVerdict.ACCEPTED
    assert "servers up to 2.7 do not compare" in report.because[0]
    report = verify(made.path, stale)
    assert report.answer is TokenVerdict.UNKNOWN
    assert "has another token" in report.because[0]


def test_an_entry_that_leads_to_nothing_is_the_reason(made: MadeStore) -> None:
    edit(made.path, lambda tx: tx.table("authorizationsv1").delete(made.hashed.encode()))
    (reason, *_) = verify(made.path, HASHED_TOKEN).because
    assert "index of hashes leads to" in reason
    assert "does not exist" in reason


def test_an_unknown_token_is_measured_and_never_repeated(made: MadeStore) -> None:
    report = verify(made.path, "unknown-token")
    assert report.answer is TokenVerdict.UNKNOWN
    assert report.details is None
    (reason,) = report.because
    assert reason.startswith("it has 13 characters, and the tokens that servers make have 88")
    assert verify(made.path, "").because == ("it is empty",)


def test_a_user_without_a_status_is_a_warning_and_no_refusal(made: MadeStore) -> None:
    """As `influxd recovery user create` leaves users: refused on the 1.x endpoints alone."""

    def blank(tx: MetaTx) -> None:
        user = tx.users.get(made.alice)
        assert user is not None
        tx.table("usersv1").put(made.alice.encode(), user.rewritten({"status": ""}))

    edit(made.path, blank)
    report = verify(made.path, OPERATOR_TOKEN)
    assert report.answer is TokenVerdict.ACCEPTED
    assert "/write" in report.warnings[0]


def test_a_known_token_is_found_without_a_walk_over_the_records(made: MadeStore) -> None:
    """Proven by a damaged page at the end of the records, which only a walk comes to."""
    count = 300

    def fill(tx: MetaTx) -> None:
        template = tx.authorizations.load(made.reader)
        assert template is not None
        for number in range(count):
            fields = {"id": f"f{number:015x}", "token": f"filler-token-{number:09}"}
            tx.authorizations.insert(decode_authorization(template.rewritten(fields)))

    edit(made.path, fill)
    content = bytearray(made.path.read_bytes())
    last = f"filler-token-{count - 1:09}".encode()
    places = [found.start() for found in re.finditer(b'"token":"' + last, content)]
    assert places
    for place in places:
        page = place // 4096 * 4096
        content[page : page + 16] = bytes(16)
    made.path.write_bytes(content)
    assert verify(made.path, READER_TOKEN).answer is TokenVerdict.ACCEPTED
    assert verify(made.path, HASHED_TOKEN).answer is TokenVerdict.ACCEPTED
    with pytest.raises(StoreDamagedError):
        verify(made.path, "unknown-token")
