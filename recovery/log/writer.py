"""The set-up of structlog.

Lives here: the steps from an event to a line. Must not live here: what is redacted
(`recovery.log.redaction`). Imported by the first event that is written, together with structlog.

Invariants: redaction comes right before the renderer and sees all that the renderer sees. No
traceback shows local variables.
"""

from typing import TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from recovery.log.redaction import redact


def make_writer(
    *, is_console: bool, level_number: int, stream: TextIO, use_colours: bool
) -> FilteringBoundLogger:
    """Make the logger of structlog that is behind all of ours.

    Args:
        is_console: Lines for people instead of JSON.
        level_number: Events below are dropped.
        use_colours: Whether lines for people may have colours.
    """
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *(_console_steps(use_colours=use_colours) if is_console else _json_steps()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level_number),
    )
    return logger


def _console_steps(*, use_colours: bool) -> list[Processor]:
    console = structlog.dev.ConsoleRenderer(
        colors=use_colours, exception_formatter=structlog.dev.plain_traceback
    )
    return [structlog.processors.ExceptionRenderer(), redact, console]


def _json_steps() -> list[Processor]:
    exceptions = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [
        structlog.processors.ExceptionRenderer(exceptions),
        redact,
        structlog.processors.JSONRenderer(),
    ]
