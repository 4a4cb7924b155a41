"""Nothing secret in a log, whatever is given to a logger."""

import base64
import json
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import NoReturn

import pytest

from recovery.log import LogFormat
from recovery.log.redaction import redact
from recovery.secret import Secret
from tests.support.log_lines import Facts, parsed, written

# All published: of the sample store, or vectors of InfluxDB.
TOKEN = "A9Ovdl8SmP-rfp8wQ2vJoPUsZoQQJ3EochD88SlJcgrcLw4HBwgUqpSHQxc9N9Drg0_aY6Lp1jutBRcKhbV7aQ=="
HEX_TOKEN = "c27cb2033ab304629d32e1dbcd0ca7186322d3be98af5dd4c329ab800ef85d73"
HASHED_TOKEN = "$influxdb2-sha256$tNQn4VbAQgEgHYEptCwkeC6ov2uYZfzIGj6jRH_-eWI="  # its hash
BCRYPT = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2ln"
SECRETS = {
    "raw token": TOKEN,
    "hexadecimal token": HEX_TOKEN,
    "hashed token": HASHED_TOKEN,
    "bcrypt hash": BCRYPT,
    "web token": JWT,
    "token in base64": base64.b64encode(TOKEN.encode()).decode(),
    "token in percent encoding": TOKEN.replace("=", "%3D"),
    "authorization header": "Token my-short-one",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda secret: {"note": secret},
        lambda secret: {"note": f"before '{secret}', after"},
        lambda secret: {"note": [1, (2, {"deep": [secret]})]},
        lambda secret: {"note": {secret: 1}},
        lambda secret: {"note": {"set": {secret}}},
        lambda secret: {"note": ValueError(f"bad {secret}")},
        lambda secret: {"note": Path("/tmp") / secret},  # noqa: S108 # no file is made
        lambda secret: {"note": secret.encode()},
        lambda secret: {secret: 1},
        lambda secret: {"event": f"token.minted {secret}"},
    ],
    ids=["alone", "in text", "nested", "key", "set", "error", "path", "bytes", "name", "event"],
)
def test_no_secret_gets_out(
    secret: str, log_format: LogFormat, wrap: Callable[[str], Facts]
) -> None:
    facts = wrap(secret)
    event = str(facts.pop("event", "a.b"))
    line = written(facts, event=event, log_format=log_format)
    assert line
    assert secret not in line
    longest = max(re.split(r"[ $.%]", secret), key=len)
    assert longest not in line


@pytest.mark.parametrize(
    "name",
    ["token", "hashed_token", "password", "passwordHash", "API_KEY", "secrets", "cookie", "digest"],
)
@pytest.mark.parametrize("value", ["hunter2", 1234, ["hunter2"], {"a": "hunter2"}, 12.34])
def test_a_value_whose_name_says_secret_is_redacted_whole(name: str, value: object) -> None:
    assert parsed(**{name: value})[name] == "[redacted]"
    assert parsed(outer={name: value})["outer"] == {name: "[redacted]"}


@pytest.mark.parametrize("name", ["token_path", "token_count", "authorization_id", "is_hashed"])
def test_a_value_whose_name_only_mentions_a_secret_is_shown(name: str) -> None:
    assert parsed(**{name: "plain"})[name] == "plain"


def test_whether_there_is_a_secret_may_be_said() -> None:
    line = parsed(token=None, password=True)
    assert (line["token"], line["password"]) == (None, True)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_hidden_secret_shows_its_type_only(log_format: LogFormat) -> None:
    line = written({"fresh": Secret("hunter2"), "many": [Secret("hunter2")]}, log_format=log_format)
    assert "hunter2" not in line
    assert line.count("[Secret]") == 2


def test_an_unknown_object_shows_its_type_and_is_not_asked_for_its_text() -> None:
    class Talkative:
        def __repr__(self) -> str:
            return "hunter2"

        __str__ = __repr__

    assert parsed(thing=Talkative(), keyed={Talkative(): 1}) | {"timestamp": ""} == {
        "event": "store.opened",
        "keyed": {"[Talkative]": 1},
        "level": "warning",
        "logger": "recovery.somewhere",
        "thing": "[Talkative]",
        "timestamp": "",
    }


def test_plain_values_stay_as_they_are() -> None:
    class Colour(Enum):
        RED = "a value"

    line = parsed(
        bucket_id="0123456789abcdef",
        colour=Colour.RED,
        empty=None,
        ratio=1.5,
        size_bytes=7,
        stored=b"12345",
        when=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        yes=True,
    )
    assert (line["bucket_id"], line["colour"]) == ("0123456789abcdef", "RED")
    assert (line["empty"], line["ratio"], line["size_bytes"], line["yes"]) == (None, 1.5, 7, True)
    assert (line["stored"], line["when"]) == ("[5 bytes]", "2026-01-02T03:04:05+00:00")


@pytest.mark.parametrize(
    "text",
    [
        "/var/lib/influxdb/influxd.bolt",
        "/var/lib/influxdb/influxd.bolt.20261124T223743Z-create-operator.backup",
        "test_open_refuses_a_file_with_two_bad_metas",
        "/usr/lib/python3.11/site-packages/structlog/processors.py",
        "no such file or directory: config.toml",
    ],
)
def test_text_without_secret_is_not_mutilated(text: str) -> None:
    assert text == parsed(note=text)["note"]


def test_random_tokens_leave_no_long_piece_behind() -> None:
    rng = random.Random(20261124)
    for _ in range(300):
        token = base64.urlsafe_b64encode(rng.randbytes(64)).decode()
        cleaned = str(redact(None, "", {"note": f"it was {token}."})["note"])
        assert cleaned == "it was [redacted]."


def test_a_value_that_holds_itself_ends() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert "[redacted]" in written({"loop": loop})


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_control_characters_cannot_reach_the_terminal(log_format: LogFormat) -> None:
    line = written({"name": "bob\x1b[2J\r\nforged line\x9b"}, log_format=log_format)
    assert line.count("\n") == 1
    assert not set("\x1b\r\x9b") & set(line)


def failure() -> ValueError:
    """Make an exception whose frame holds a secret and whose text does too."""

    def refuse() -> NoReturn:
        local = f"local {TOKEN}"
        raise ValueError(f"refused {local}")

    try:
        refuse()
    except ValueError as exc:
        return exc


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_names_functions_and_shows_neither_locals_nor_secrets(
    log_format: LogFormat,
) -> None:
    text = written({"exc_info": failure()}, log_format=log_format)
    assert "ValueError" in text
    assert "in refuse" in text or '"name": "refuse"' in text
    assert "refused local [redacted]" in text
    assert TOKEN not in text
    assert "A9Ovdl8SmP" not in text


def test_a_traceback_on_the_console_keeps_its_lines() -> None:
    text = written({"exc_info": failure()}, log_format="console")
    assert "Traceback (most recent call last):\n" in text


def test_a_traceback_in_json_stays_one_line() -> None:
    text = written({"exc_info": failure()})
    assert text.count("\n") == 1
    assert json.loads(text)["exception"][0]["exc_type"] == "ValueError"
