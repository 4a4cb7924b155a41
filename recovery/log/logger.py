"""Loggers that cost nothing until they have something to say.

Lives here: `configure`, `get_logger`, `Logger`. Must not live here: anything that is needed only
when a line is written (`recovery.log.writer`).

Invariants: nothing is written before `configure`. structlog is imported by the first event that is
written. A log that cannot be written never stops a command, which may be in the middle of a commit.

The module keeps one piece of state, the present set-up, because loggers are made when modules are
imported and configured when a command starts.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, TextIO, TypeAlias

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

LogFormat: TypeAlias = Literal["auto", "console", "json"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]

_LEVEL_NUMBERS: Final[dict[LogLevel, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40}


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
    """Make the logger of a module, `__name__`, which imports nothing until it writes."""
    return Logger({"logger": name})


class Logger:
    """A logger that looks for the set-up only when it is used."""

    __slots__ = ("_context",)

    def __init__(self, context: Mapping[str, object]) -> None:
        self._context = context

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
        number = _LEVEL_NUMBERS[level]
        if setup is None or number < setup.level_number:
            return
        try:
            setup.writer().log(number, event, **{**self._context, **facts})
        except (OSError, ValueError):  # full disk, closed pipe, closed file
            return


class _Setup:
    """Where logs go, and the logger of structlog once there is one."""

    __slots__ = ("_log_format", "_stream", "_use_colours", "_writer", "level_number")

    def __init__(
        self, *, log_format: LogFormat, level_number: int, stream: TextIO, use_colours: bool
    ) -> None:
        self.level_number = level_number
        self._log_format = log_format
        self._stream = stream
        self._use_colours = use_colours
        self._writer: FilteringBoundLogger | None = None

    def writer(self) -> "FilteringBoundLogger":
        """Make the logger of structlog when it is first wanted."""
        if self._writer is None:
            from recovery.log.writer import make_writer  # noqa: PLC0415 # most runs log nothing

            is_terminal = self._log_format == "auto" and self._stream.isatty()
            self._writer = make_writer(
                is_console=self._log_format == "console" or is_terminal,
                level_number=self.level_number,
                stream=self._stream,
                use_colours=self._use_colours,
            )
        return self._writer


class _State:
    """The present set-up, or None while nothing is to be written."""

    __slots__ = ("setup",)

    def __init__(self) -> None:
        self.setup: _Setup | None = None


_state: Final = _State()
