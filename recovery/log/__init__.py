"""Logs: one line an event, on stderr, with nothing secret in it.

Lives here: the door of the room. Must not live here: results and prompts, which are
`recovery.cli`'s.

Invariants: see `recovery.log.logger` and `recovery.log.redaction`.
"""

from recovery.log.logger import LogFormat, Logger, LogLevel, configure, get_logger

__all__ = ["LogFormat", "LogLevel", "Logger", "configure", "get_logger"]
