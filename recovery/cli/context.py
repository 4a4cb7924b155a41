"""What a command gets besides its own options.

Lives here: `Context`. Must not live here: what commands do with it.
"""

from collections.abc import Mapping
from typing import NamedTuple, TextIO

from recovery.cli.output import Output
from recovery.cli.progress import Progress


class Context(NamedTuple):
    """The world around a command.

    Attributes:
        stdout: Standard output, for a token alone.
        environ: The environment; nothing else reads it.
        progress: Whether the store has been changed, and the shield around that.
    """

    output: Output
    stdout: TextIO
    environ: Mapping[str, str]
    progress: Progress
