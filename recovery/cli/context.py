"""What a command gets besides its own arguments.

Lives here: `Context` and the type of a command. Must not live here: what commands do with it.
"""

import argparse
from collections.abc import Callable, Mapping
from typing import NamedTuple, TextIO, TypeAlias

from recovery.cli.output import Output
from recovery.cli.progress import Progress
from recovery.errors import ExitCode


class Context(NamedTuple):
    """The world around a command.

    Attributes:
        output: Where results and messages go.
        stdout: Standard output, for a token alone.
        environ: The environment; nothing else reads it.
        progress: Whether the store has been changed, and the shield around that.
    """

    output: Output
    stdout: TextIO
    environ: Mapping[str, str]
    progress: Progress


Command: TypeAlias = Callable[[argparse.Namespace, Context], ExitCode]
"""A function in `recovery.cli.commands`, named by the default `run` of its parser."""
