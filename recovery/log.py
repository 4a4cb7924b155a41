"""Logs: one line an event, on stderr, with nothing secret in it.

Lives here: the set-up of structlog, the redaction of events, and a logger that costs nothing until
it has something to say. Must not live here: results and prompts, which are `recovery.cli`'s.

Invariants: nothing is written before `configure`. structlog is imported by the first event that is
written. Whatever is given to a logger, no token, hash, `Secret` or stored byte comes out. A log
that cannot be written never stops a command, which may be in the middle of a commit.

The module keeps one piece of state, the present set-up, because loggers are made when modules are
imported and configured when a command starts.

Facts: shape of tokens and hashes: influxdb v2.9.1 rand/token.go and authorization/hasher.go
(base64url of 64 bytes; `$influxdb2-sha256$…`), golang.org/x/crypto/bcrypt (`$2a$10$…`).
"""

import contextlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, Literal, TextIO, TypeAlias

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger, Processor

LogFormat: TypeAlias = Literal["auto", "console", "json"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]

REDACTED: Final = "[redacted]"

_LEVEL_NUMBERS: Final[dict[LogLevel, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_DEPTH_MAX: Final = 10
_SECRET_NAME: Final = re.compile(
    r"(?:token|password|passwd|passphrase|secret|hash|digest|cookie|credential|(?:api|private)_?key)"
    r"s?\Z",
    re.IGNORECASE,
)
_SECRET_TEXT: Final = re.compile(
    r"\$[A-Za-z0-9-]{1,32}\$[A-Za-z0-9+/=_.$-]{8,}"  # $influxdb2-sha256$…, $2a$10$…, $argon2id$…
    r"|\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*"  # JSON web tokens
    r"|(?i:\b(?:token|bearer|basic)\s+)[^\s,;\"']{8,}"  # the value of an Authorization header
)
_LONG_RUN: Final = re.compile(r"[A-Za-z0-9_=+%-]{20,}")
_LONG_RUN_LENGTH_MAX: Final = 31
_LONG_RUN_LENGTH_MIN: Final = 20
_TIMESTAMP: Final = re.compile(r"\d{8}T\d{6}Z")
_IDENTIFIER: Final = re.compile(r"[a-z_]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_LINES: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(slots=True, kw_only=True)
class _State:
    """The present set-up, or None while nothing is to be written."""

    setup: "_Setup | None" = None


_state: Final = _State()


def configure(
    *,
    log_format: LogFormat = "auto",
    level: LogLevel = "warning",
    stream: TextIO | None = None,
    use_colours: bool = False,
) -> None:
    """Say where logs go and which. To be called once, when a command starts.

    Args:
        log_format: `auto` is `console` on a terminal and `json` elsewhere.
        level: Events below this one are dropped at once.
        stream: Where they go; stderr if not given.
        use_colours: Whether the console format may use colours.
    """
    _state.setup = _Setup(
        log_format=log_format,
        level_number=_LEVEL_NUMBERS[level],
        stream=sys.stderr if stream is None else stream,
        use_colours=use_colours,
    )


def get_logger(name: str) -> "Logger":
    """Make the logger of a module.

    Args:
        name: The module, `__name__`.

    Returns:
        A logger that imports nothing until it writes.
    """
    return Logger(context={"logger": name})


@dataclass(frozen=True, slots=True, kw_only=True)
class Logger:
    """A logger that looks for the set-up only when it is used.

    Attributes:
        context: Facts that go with each of its events.
    """

    context: Mapping[str, object] = field(repr=False)

    def bind(self, **facts: object) -> "Logger":
        """Make a logger whose events carry more facts."""
        return Logger(context={**self.context, **facts})

    def debug(self, event: str, **facts: object) -> None:
        """Log what was looked at."""
        self._write("debug", event, facts)

    def info(self, event: str, **facts: object) -> None:
        """Log what was changed."""
        self._write("info", event, facts)

    def warning(self, event: str, **facts: object) -> None:
        """Log what somebody should look at."""
        self._write("warning", event, facts)

    def error(self, event: str, **facts: object) -> None:
        """Log why the command failed; give the exception as `exc_info`."""
        self._write("error", event, facts)

    def _write(self, level: LogLevel, event: str, facts: Mapping[str, object]) -> None:
        setup = _state.setup
        if setup is None or _LEVEL_NUMBERS[level] < setup.level_number:
            return
        with contextlib.suppress(OSError, ValueError):  # full disk, closed pipe, closed file
            setup.logger.log(_LEVEL_NUMBERS[level], event, **{**self.context, **facts})


@dataclass(frozen=True, kw_only=True)
class _Setup:
    """Where logs go. Not slotted: `logger` is made once, when it is first wanted."""

    log_format: LogFormat
    level_number: int
    stream: TextIO
    use_colours: bool

    @cached_property
    def logger(self) -> "FilteringBoundLogger":
        """The logger of structlog behind all of ours."""
        import structlog  # noqa: PLC0415 # most runs log nothing, and need not pay for it

        logger: FilteringBoundLogger = structlog.wrap_logger(
            structlog.PrintLogger(self.stream),
            processors=self._processors(),
            wrapper_class=structlog.make_filtering_bound_logger(self.level_number),
        )
        return logger

    def _processors(self) -> "list[Processor]":
        """Order the steps from an event to a line. Redaction sees all that the renderer sees."""
        import structlog  # noqa: PLC0415 # as above

        is_console = self.log_format == "console" or (
            self.log_format == "auto" and self.stream.isatty()
        )
        steps: list[Processor] = [
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ]
        if is_console:
            plain = structlog.processors.ExceptionRenderer()
            console = structlog.dev.ConsoleRenderer(
                colors=self.use_colours, exception_formatter=structlog.dev.plain_traceback
            )
            return [*steps, plain, redact, console]
        structured = structlog.processors.ExceptionRenderer(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        )
        return [*steps, structured, redact, structlog.processors.JSONRenderer()]


def redact(_logger: object, _method: str, event: Mapping[str, object]) -> dict[str, object]:
    """Make an event safe to show: the last step before it becomes a line.

    Only plain values survive. Bytes become their length, and any other object its type, because
    nobody knows what its text would say.

    Args:
        event: The event with all its facts.

    Returns:
        A new event of plain values.
    """
    return {
        _clean_name(name): _clean(value, name=name, depth=0, keeps_lines=name == "exception")
        for name, value in event.items()
    }


def _clean(value: object, *, name: str, depth: int, keeps_lines: bool = False) -> object:
    """Make one value safe to show.

    Args:
        value: The value.
        name: Its name, which may say that it is a secret.
        depth: How deep it lies in the event; a limit, since a value may hold itself.
        keeps_lines: Whether line ends stay as they are.

    Returns:
        Text, a number, None, or a list or dictionary of these.
    """
    cleaned: object
    if value is None or isinstance(value, bool):
        cleaned = value
    elif _SECRET_NAME.search(name) or depth > _DEPTH_MAX:
        cleaned = REDACTED
    elif isinstance(value, Mapping):
        cleaned = {
            _clean_name(key): _clean(item, name=_clean_name(key), depth=depth + 1)
            for key, item in value.items()
        }
    elif isinstance(value, list | tuple | set | frozenset):
        cleaned = [_clean(item, name=name, depth=depth + 1) for item in value]
    else:
        cleaned = _clean_single(value, keeps_lines=keeps_lines)
    return cleaned


def _clean_name(key: object) -> str:
    """Make the key of a nested value safe to show."""
    return str(_clean_single(key, keeps_lines=False))


def _clean_single(value: object, *, keeps_lines: bool) -> object:
    """Make a value that has no parts safe to show."""
    cleaned: object
    match value:
        case Enum():
            cleaned = _clean_text(value.name)
        case int() | float():
            cleaned = value
        case str() | PurePath():
            cleaned = _clean_text(str(value), keeps_lines=keeps_lines)
        case bytes() | bytearray():
            cleaned = f"[{len(value)} bytes]"
        case date():
            cleaned = value.isoformat()
        case BaseException():
            cleaned = f"{type(value).__name__}: {_clean_text(str(value))}"
        case _:
            cleaned = f"[{type(value).__name__}]"
    return cleaned


def _clean_text(text: str, *, keeps_lines: bool = False) -> str:
    """Take out of a text what looks like a secret, and what a terminal would obey."""
    text = _SECRET_TEXT.sub(REDACTED, text)
    text = _LONG_RUN.sub(_redact_run, text)
    pattern = _CONTROL_BUT_LINES if keeps_lines else _CONTROL
    return pattern.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _redact_run(found: re.Match[str]) -> str:
    """Redact an unbroken run of characters that is long or random enough to be a token.

    Identifiers of Python are spared, or tracebacks would lose the names of functions; so are names
    that are long only because of the time in them, such as those of backups.
    """
    run = found[0]
    rest = _TIMESTAMP.sub("", run)
    if len(rest) < _LONG_RUN_LENGTH_MIN or _IDENTIFIER.fullmatch(rest):
        return run
    is_mixed = all(
        any(test(character) for character in rest)
        for test in (str.isdigit, str.isupper, str.islower)
    )
    return REDACTED if is_mixed or len(rest) > _LONG_RUN_LENGTH_MAX else run
