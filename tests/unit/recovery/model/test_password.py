"""Passwords."""

import shutil
import subprocess

import pytest

from recovery.errors import PasswordError
from recovery.model.password import (
    hash_password,
    is_password_hash,
    password_matches,
    require_acceptable,
)
from recovery.secret import Secret
from tests.support.absent import absent

# Of the sample store; the password is "password" (spec section 4.2).
SAMPLE = b"$2a$10$PgvhXFogiRsXVHQxcHKEMOBRqI7yhTfiDMIQIKx1FaLMdM6LN0ND6"


def _system_crypt(password: str, salt: str) -> str:
    """Hash with the system's libcrypt, which has nothing to do with the library that we use."""
    perl = shutil.which("perl")
    if perl is None:
        absent("no perl, whose crypt() is the second opinion on bcrypt")
    script = "binmode STDIN; local $/; my ($p, $s) = split /\\0/, <STDIN>; print crypt($p, $s);"
    answer = subprocess.run(
        [perl, "-e", script], input=f"{password}\0{salt}".encode(), capture_output=True, check=True
    )
    return answer.stdout.decode()


def test_the_sample_password_is_verified() -> None:
    assert password_matches(Secret("password"), SAMPLE)


@pytest.mark.parametrize("typed", ["Password", "password ", "passwor", ""])
def test_another_password_is_not(typed: str) -> None:
    assert not password_matches(Secret(typed), SAMPLE)


@pytest.mark.parametrize("password", ["password", "pässwörd", "x" * 72])
def test_a_new_hash_is_one_that_the_system_library_computes_too(password: str) -> None:
    stored = hash_password(Secret(password)).reveal()
    assert stored.startswith("$2a$10$")
    assert len(stored) == 60
    assert _system_crypt(password, stored) == stored


def test_two_hashes_of_one_password_differ() -> None:
    assert not hash_password(Secret("password")).matches(hash_password(Secret("password")))


def test_a_zero_byte_is_hashed_as_the_server_does_and_refused_where_it_had_to_be_typed() -> None:
    """As 2.9.1 took it in a body, and answered 204 to a sign-in with it alone."""
    password = Secret("zero\0byte")
    stored = hash_password(password).reveal().encode()
    assert password_matches(password, stored)
    assert not password_matches(Secret("zero\0bytf"), stored)
    with pytest.raises(PasswordError):
        require_acceptable(password)


@pytest.mark.parametrize("letter", [b"a", b"b", b"y", b"x", b"z", b""])
def test_any_minor_version_is_verified_as_go_does(letter: bytes) -> None:
    stored = SAMPLE.replace(b"$2a$", b"$2" + letter + b"$")
    assert is_password_hash(stored)
    assert password_matches(Secret("password"), stored)


@pytest.mark.parametrize("stored", [SAMPLE + b"\n", SAMPLE.replace(b"$2a$", b"$1a$")])
def test_what_servers_do_not_look_at_is_no_matter(stored: bytes) -> None:
    """As 2.7.12 and 2.9.1 answered 204 to a sign-in with both."""
    assert is_password_hash(stored)
    assert password_matches(Secret("password"), stored)
    assert not password_matches(Secret("Password"), stored)


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b" " + SAMPLE,
        SAMPLE[:-1],
        SAMPLE.replace(b"$10$", b"$03$"),
        SAMPLE.replace(b"$10$", b"$32$"),
        SAMPLE.replace(b"$2a$", b"$3a$"),
        SAMPLE.replace(b"$2a$", b"$2ab$"),
        SAMPLE.replace(b"/", b"=") if b"/" in SAMPLE else SAMPLE[:-1] + b"=",
        b"password",
    ],
)
def test_what_is_no_hash_verifies_nothing(stored: bytes) -> None:
    assert not is_password_hash(stored)
    assert not password_matches(Secret("password"), stored)


def test_bytes_behind_the_72nd_do_not_count_when_verifying() -> None:
    stored = hash_password(Secret("x" * 72)).reveal().encode()
    assert password_matches(Secret("x" * 80), stored)
    assert not password_matches(Secret("x" * 71), stored)


@pytest.mark.parametrize("password", ["x" * 8, "x" * 72, "äöüß", "pass word"])
def test_a_password_of_8_to_72_bytes_is_acceptable(password: str) -> None:
    require_acceptable(Secret(password))


@pytest.mark.parametrize("password", ["", "x" * 7, "x" * 73, "ä" * 37])
def test_another_password_is_refused_without_repeating_it(password: str) -> None:
    with pytest.raises(PasswordError) as caught:
        hash_password(Secret(password))
    assert not password or password not in str(caught.value)
    assert caught.value.changed is False
