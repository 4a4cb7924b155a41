"""What is logged, where and when, through the real processors."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from recovery import log
from recovery.log import LogLevel
from tests.support.log_lines import parsed, written


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave no set-up behind, since pytest takes the stream away."""
    yield
    log.configure(level="error", stream=io.StringIO())


def run_python(code: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        text=True,
        capture_output=True,
        cwd=Path(__file__).parents[4],
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
        "log.get_logger('x').info('a.b')\nprint('structlog' in sys.modules)"
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
