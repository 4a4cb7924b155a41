"""Tokens, their hashes, and the server's way of finding one."""

import base64
import hashlib
import json

import pytest

from recovery.model.ids import Id
from recovery.model.token import (
    SHA256,
    SHA512,
    TokenForm,
    form_to_write,
    hash_token,
    hash_variant,
    look_up,
    looks_like_jwt,
    new_token,
    record_matches,
    token_form,
)
from recovery.ports import SystemRng
from recovery.secret import Secret
from tests.support.ports import ScriptedRng

# The first two are InfluxDB's own vectors (spec section 5.3), the third is of the sample store.
VECTORS = [
    pytest.param(
        "c27cb2033ab304629d32e1dbcd0ca7186322d3be98af5dd4c329ab800ef85d73",
        SHA256,
        "$influxdb2-sha256$kMrC1MoFhWvvKSgyqpMaLuo2O3LINv4_XByCSkfV9K0=",
        id="influxdb sha256",
    ),
    pytest.param(
        "322be1195f22da43a88e5ef1e856b707d6b7d41a6068feec343decbc5d784e50",
        SHA512,
        "$influxdb2-sha512$ffgzLTTAyWBDczT0kKzwLzLjlemQh6UiFvqIA0CPd-B7qgqAetWEuKRI9qOLeE4ak6mxcxwt"
        "hyKUO40sHf5V5w==",
        id="influxdb sha512",
    ),
    pytest.param(
        "A9Ovdl8SmP-rfp8wQ2vJoPUsZoQQJ3EochD88SlJcgrcLw4HBwgUqpSHQxc9N9Drg0_aY6Lp1jutBRcKhbV7aQ==",
        SHA256,
        "$influxdb2-sha256$tNQn4VbAQgEgHYEptCwkeC6ov2uYZfzIGj6jRH_-eWI=",
        id="sample store",
    ),
]
TOKEN = Secret("my-token")
ID = b"08371db1dd8c8000"
NOTHING: dict[bytes, bytes] = {}


@pytest.mark.parametrize(("token", "variant", "hashed"), VECTORS)
def test_a_token_is_hashed_as_the_server_does(token: str, variant: str, hashed: str) -> None:
    assert hash_token(Secret(token), variant).reveal() == hashed
    assert hash_variant(hashed) == variant


def test_sha256_is_the_variant_that_servers_write() -> None:
    assert hash_variant(hash_token(TOKEN).reveal()) == SHA256


def test_a_new_token_is_64_random_bytes_in_88_characters() -> None:
    drawn = bytes(range(192, 256))
    token = new_token(ScriptedRng(bytes_=[drawn])).reveal()
    assert len(token) == 88
    assert token.endswith("==")
    assert base64.urlsafe_b64decode(token) == drawn
    assert {"-", "_"} <= set(token)
    assert not {"+", "/"} & set(token)


def test_no_two_new_tokens_are_the_same() -> None:
    assert not new_token(SystemRng()).matches(new_token(SystemRng()))


@pytest.mark.parametrize("size_bytes", [0, 1, 55, 56, 64, 200])
@pytest.mark.parametrize("variant", [SHA256, SHA512])
def test_every_hash_is_recognized(variant: str, size_bytes: int) -> None:
    token = Secret("x" * size_bytes)
    hashed = hash_token(token, variant)
    digest = hashlib.new(variant.removeprefix("influxdb2-"), b"x" * size_bytes).digest()
    assert hashed.reveal() == f"${variant}${base64.urlsafe_b64encode(digest).decode()}"
    assert hash_variant(hashed.reveal()) == variant


SOUND = "$influxdb2-sha256$kMrC1MoFhWvvKSgyqpMaLuo2O3LINv4_XByCSkfV9K0="


@pytest.mark.parametrize(
    "hashed",
    [
        "",
        "my-token",
        SOUND[1:],
        SOUND[:-1],
        SOUND + "=",
        SOUND + "\n",
        SOUND.replace("K0=", "K1="),
        SOUND.replace("4_X", "4/X"),
        SOUND.replace("sha256", "sha384"),
        SOUND.replace("sha256", "sha512"),
        SOUND.replace("sha256$", "sha256$v=1$"),
        SOUND.upper(),
        "$2a$10$PgvhXFogiRsXVHQxcHKEMOBRqI7yhTfiDMIQIKx1FaLMdM6LN0ND6",
    ],
)
def test_what_is_no_hash_of_a_server_is_not_recognized(hashed: str) -> None:
    assert hash_variant(hashed) is None


@pytest.mark.parametrize(
    ("token", "hashed", "form"),
    [
        (TOKEN, None, TokenForm.RAW),
        (None, hash_token(TOKEN, SHA256), TokenForm.SHA256),
        (None, hash_token(TOKEN, SHA512), TokenForm.SHA512),
        (None, Secret("$argon2id$x"), TokenForm.UNKNOWN),
        (TOKEN, hash_token(TOKEN), TokenForm.BOTH),
        (None, None, TokenForm.NONE),
    ],
)
def test_a_record_has_one_of_six_forms(
    token: Secret | None, hashed: Secret | None, form: TokenForm
) -> None:
    assert token_form(token, hashed) is form


@pytest.mark.parametrize(
    ("level", "has_hashed", "server_hashes", "form"),
    [
        (20, False, None, TokenForm.RAW),
        (20, False, True, TokenForm.RAW),
        (21, False, None, TokenForm.SHA256),
        (21, False, True, TokenForm.SHA256),
        (21, True, None, TokenForm.SHA256),
        (21, True, False, TokenForm.SHA256),
        (21, False, False, TokenForm.RAW),
    ],
)
def test_the_form_of_a_new_token_follows_the_store_and_its_server(
    *, level: int, has_hashed: bool, server_hashes: bool | None, form: TokenForm
) -> None:
    assert form_to_write(level, has_hashed=has_hashed, server_hashes=server_hashes) is form


def _jwt_part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


HEADER = _jwt_part({"alg": "HS256", "typ": "JWT"})
CLAIMS = _jwt_part({"kid": "1", "exp": 1})


@pytest.mark.parametrize(
    ("token", "is_jwt"),
    [
        (f"{HEADER}.{CLAIMS}.c2ln", True),
        (f"{HEADER}.{CLAIMS}.", True),
        (f"{HEADER}.{CLAIMS}.not base64", True),
        (f"{HEADER}==.{CLAIMS}.x", False),
        (f"{HEADER}.e30=.x", True),
        (f"{HEADER}.e30.x", True),
        (f"{HEADER}.{CLAIMS}", False),
        (f"{HEADER}.{CLAIMS}.x.y", False),
        (f"{HEADER}.{_jwt_part([1])}.x", False),
        (f"{_jwt_part('a')}.{CLAIMS}.x", False),
        (f"{_jwt_part(None)}.{CLAIMS}.x", True),
        ("a.b.c", False),
        ("..", False),
        ("my-token", False),
        ("", False),
        ("eyJ+/.e30.x", False),
        ("é.é.é", False),
    ],
)
def test_a_web_token_is_told_from_others(token: str, *, is_jwt: bool) -> None:
    assert looks_like_jwt(Secret(token)) is is_jwt


def test_a_raw_token_is_found_in_its_index() -> None:
    assert look_up(TOKEN, raw_index={b"my-token": ID}.get, hashed_index=None) == Id(ID.decode())


@pytest.mark.parametrize("variant", [SHA256, SHA512])
def test_a_hashed_token_is_found_by_either_hash(variant: str) -> None:
    index = {hash_token(TOKEN, variant).reveal().encode(): ID}
    assert look_up(TOKEN, raw_index=NOTHING.get, hashed_index=index.get) == Id(ID.decode())


def test_the_raw_index_comes_first() -> None:
    other = b"08371deae98c8000"
    hashed = {hash_token(TOKEN).reveal().encode(): other}
    found = look_up(TOKEN, raw_index={b"my-token": ID}.get, hashed_index=hashed.get)
    assert found == Id(ID.decode())


def test_an_empty_entry_counts_as_absent() -> None:
    hashed = {hash_token(TOKEN).reveal().encode(): ID}
    found = look_up(TOKEN, raw_index={b"my-token": b""}.get, hashed_index=hashed.get)
    assert found == Id(ID.decode())


@pytest.mark.parametrize("entry", [None, b"", b"xyz", b"0" * 16])
def test_an_unknown_token_is_not_found(entry: bytes | None) -> None:
    index: dict[bytes, bytes] = {} if entry is None else {b"my-token": entry}
    assert look_up(TOKEN, raw_index=index.get, hashed_index=NOTHING.get) is None


def test_a_hash_is_no_token() -> None:
    """Who has read a hash in a store must not get in with it."""
    hashed = hash_token(TOKEN)
    index = {hashed.reveal().encode(): ID}
    assert look_up(hashed, raw_index=NOTHING.get, hashed_index=index.get) is None
    assert not record_matches(hashed, stored=None, hashed=hashed)


def test_a_web_token_is_never_looked_up() -> None:
    token = f"{HEADER}.{CLAIMS}.c2ln"
    index = {token.encode(): ID}
    assert look_up(Secret(token), raw_index=index.get, hashed_index=index.get) is None


def test_a_record_with_a_raw_token_is_compared_with_that_alone() -> None:
    assert record_matches(TOKEN, stored=TOKEN, hashed=None)
    assert record_matches(TOKEN, stored=TOKEN, hashed=Secret("x"))
    assert not record_matches(TOKEN, stored=Secret("x"), hashed=hash_token(TOKEN))


@pytest.mark.parametrize("variant", [SHA256, SHA512])
def test_a_record_with_a_hash_is_compared_by_hashing(variant: str) -> None:
    assert record_matches(TOKEN, stored=None, hashed=hash_token(TOKEN, variant))
    assert not record_matches(Secret("other"), stored=None, hashed=hash_token(TOKEN, variant))


@pytest.mark.parametrize("hashed", [None, Secret("my-token"), Secret("$md5$x")])
def test_a_record_without_a_usable_token_matches_nothing(hashed: Secret | None) -> None:
    assert not record_matches(TOKEN, stored=None, hashed=hashed)
