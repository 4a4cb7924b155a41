"""Logs, through the real processors: what is written, where, when, and what never is."""

import base64
import io
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import NoReturn

import pytest

from recovery import log
from recovery.log import LogFormat, LogLevel
from recovery.secret import Secret

TOKEN = "A9Ovdl8SmP-rfp8wQ2vJoPUsZoQQJ3EochD88SlJcgrcLw4HBwgUqpSHQxc9N9Drg0_aY6Lp1jutBRcKhbV7aQ=="  # noqa: S105 # the published sample store's
HEX_TOKEN = "c27cb2033ab304629d32e1dbcd0ca7186322d3be98af5dd4c329ab800ef85d73"  # noqa: S105 # InfluxDB's published vector
HASHED_TOKEN = "$influxdb2-sha256$tNQn4VbAQgEgHYEptCwkeC6ov2uYZfzIGj6jRH_-eWI="  # noqa: S105 # its hash
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

Facts = dict[str, object]


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave no set-up behind, since pytest takes the stream away."""
    yield
    log.configure(level="error", stream=io.StringIO())


def written(facts: Facts, *, event: str = "store.opened", log_format: LogFormat = "json") -> str:
    """Log one warning and return what reached the stream."""
    stream = io.StringIO()
    log.configure(log_format=log_format, level="debug", stream=stream)
    log.get_logger("recovery.somewhere").warning(event, **facts)
    return stream.getvalue()


def parsed(**facts: object) -> Facts:
    document: Facts = json.loads(written(facts))
    return document


def run_python(code: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        text=True,
        capture_output=True,
        cwd=Path(__file__).parents[3],
        env={**os.environ, **{key: str(value) for key, value in options.items()}},
    )


def test_a_line_has_time_level_logger_event_and_facts() -> None:
    line = parsed(size_bytes=65536, path=Path("/var/lib/influxdb/influxd.bolt"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", str(line.pop("timestamp")))
    assert line == {
        "event": "store.opened",
        "level": "warning",
        "logger": "recovery.somewhere",
        "path": "/var/lib/influxdb/influxd.bolt",
        "size_bytes": 65536,
    }


def test_the_console_format_is_one_readable_line() -> None:
    line = written({"size_bytes": 65536}, log_format="console")
    assert "[warning  ] store.opened" in line
    assert "size_bytes=65536" in line
    assert line.count("\n") == 1
    assert "\x1b" not in line


def test_colours_come_only_when_asked_for() -> None:
    stream = io.StringIO()
    log.configure(log_format="console", level="debug", stream=stream, use_colours=True)
    log.get_logger("x").warning("store.opened")
    assert "\x1b[" in stream.getvalue()


@pytest.mark.parametrize(("is_terminal", "is_json"), [(True, False), (False, True)])
def test_auto_means_console_on_a_terminal_and_json_elsewhere(
    *, is_terminal: bool, is_json: bool
) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return is_terminal

    stream = Stream()
    log.configure(log_format="auto", stream=stream)
    log.get_logger("x").warning("store.opened")
    assert is_json == stream.getvalue().startswith("{")


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", ["a.debug", "a.info", "a.warning", "a.error"]),
        ("info", ["a.info", "a.warning", "a.error"]),
        ("warning", ["a.warning", "a.error"]),
        ("error", ["a.error"]),
    ],
)
def test_events_below_the_level_are_dropped(level: LogLevel, expected: list[str]) -> None:
    stream = io.StringIO()
    log.configure(log_format="json", level=level, stream=stream)
    logger = log.get_logger("x")
    logger.debug("a.debug")
    logger.info("a.info")
    logger.warning("a.warning")
    logger.error("a.error")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert expected == [line["event"] for line in lines]
    assert expected == [f"a.{line['level']}" for line in lines]


def test_bound_facts_go_with_each_event_and_leave_the_first_logger_alone() -> None:
    stream = io.StringIO()
    log.configure(log_format="json", stream=stream)
    logger = log.get_logger("x")
    logger.bind(operation="mint", step=1).warning("a.b", step=2)
    logger.warning("a.b")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["operation"], first["step"]) == ("mint", 2)
    assert "operation" not in second


def test_a_logger_made_before_the_set_up_follows_it() -> None:
    logger = log.get_logger("x")
    stream = io.StringIO()
    log.configure(stream=stream)
    logger.warning("a.b")
    assert "a.b" in stream.getvalue()


def test_nothing_is_written_before_the_set_up() -> None:
    done = run_python("from recovery import log; log.get_logger('x').error('a.b')")
    assert (done.stdout, done.stderr) == ("", "")


def test_logs_go_to_stderr_unless_told_otherwise() -> None:
    done = run_python(
        "from recovery import log; log.configure(); log.get_logger('x').warning('a.b')"
    )
    assert done.stdout == ""
    assert json.loads(done.stderr)["event"] == "a.b"


def test_a_default_run_that_logs_below_warning_never_imports_structlog() -> None:
    done = run_python(
        "import sys\nfrom recovery import log\nlog.configure()\n"
        "log.get_logger('x').bind(a=1).info('a.b')\nprint('structlog' in sys.modules)"
    )
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    """A closed pipe behind stderr must not break a commit off."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    stream = os.fdopen(write_end, "w", buffering=1)
    log.configure(stream=stream)
    logger = log.get_logger("x")
    logger.warning("a.b")
    with pytest.raises(BrokenPipeError):
        stream.close()
    logger.warning("a.b")  # now the stream is closed as well


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
        cleaned = str(log.redact(None, "", {"note": f"it was {token}."})["note"])
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
