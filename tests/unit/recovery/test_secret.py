"""Secrets must not be seen."""

import copy
import json
import logging
import pickle
import traceback

import msgspec
import pytest

from recovery.secret import HIDDEN, Secret

CANARY = "canary-8f14e45fceea167a"


def test_reveal_is_the_way_out() -> None:
    assert Secret(CANARY).reveal() == CANARY


def test_text_of_a_secret_says_nothing() -> None:
    secret = Secret(CANARY)
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>40}",
        f"{[secret]}",
        "{}".format(secret),  # noqa: UP032 # one more way to make text of it
    ]
    assert not any(CANARY in text for text in shown)
    assert str(secret) == HIDDEN


def test_a_secret_has_no_attributes_to_list() -> None:
    with pytest.raises(TypeError):
        vars(Secret(CANARY))


@pytest.mark.parametrize(
    "leak",
    [
        pytest.param(json.dumps, id="json"),
        pytest.param(msgspec.json.encode, id="msgspec"),
        pytest.param(pickle.dumps, id="pickle"),
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(hash, id="hash"),
        pytest.param(lambda secret: secret == Secret(CANARY), id="eq"),
        pytest.param(lambda secret: secret != CANARY, id="ne"),
        pytest.param(len, id="len"),
        pytest.param(iter, id="iter"),
        pytest.param(bytes, id="bytes"),
        pytest.param("".join, id="join"),
    ],
)
def test_a_secret_refuses_what_would_give_it_away(leak: object) -> None:
    assert callable(leak)
    with pytest.raises(TypeError) as caught:
        leak(Secret(CANARY))
    assert CANARY not in str(caught.value)


def test_a_log_record_of_a_secret_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("got %s and %r", Secret(CANARY), Secret(CANARY))
    assert caplog.messages == [f"got {HIDDEN} and Secret({HIDDEN})"]


def test_a_text_that_is_no_utf8_is_refused_without_repeating_it() -> None:
    with pytest.raises(ValueError, match="UTF-8") as caught:
        Secret(CANARY + "\udcff")
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_secrets_match_when_they_are_the_same_text() -> None:
    assert Secret(CANARY).matches(Secret(CANARY))
    assert Secret("pässwörd").matches(Secret("pässwörd"))


@pytest.mark.parametrize("other", ["", CANARY[:-1], CANARY + "x", CANARY.upper(), "pässwörd"])
def test_secrets_do_not_match_otherwise(other: str) -> None:
    assert not Secret(CANARY).matches(Secret(other))


def test_the_length_of_a_secret_counts_bytes() -> None:
    assert Secret("pässwörd").length_bytes == 10
