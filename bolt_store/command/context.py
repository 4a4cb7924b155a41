"""What a command is given.

Lives here: `Context`, and the opening of FILE. Must not live here: any command.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass

import bolt_store
from bolt_store.command.output import Output
from bolt_store.command.progress import Bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The world around a command.

    Attributes:
        arguments: What was typed.
    """

    arguments: argparse.Namespace
    output: Output
    environ: Mapping[str, str]

    def open(self) -> bolt_store.DB:
        """Open FILE with the shared lock. Raises as `bolt_store.open`."""
        path: str = self.arguments.file
        timeout_s: float = self.arguments.lock_timeout
        return bolt_store.open(path, timeout_s=timeout_s)

    def bar(self, label: str) -> Bar:
        """Return a progress bar that is drawn where that makes sense."""
        return Bar(label, stream=self.output.stderr, environ=self.environ)
