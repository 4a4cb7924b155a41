"""Record a session for the README: `python -m tests.bench.recording` writes its picture.

The demonstration runs on a terminal of 80 columns, and what was on it becomes a picture. Its token
is that of a store which is gone; it is left out all the same, so that nobody copies a habit.
"""

import re
import tempfile
from html import escape
from pathlib import Path
from typing import Final

from tests.support.run_cli import PROJECT, Cli

COLUMNS: Final = 80
LINE_PX: Final = 17
CHARACTER_PX: Final = 8.4
MARGIN_PX: Final = 14
TARGET: Final = PROJECT / "man/pictures/session.svg"
_STYLE: Final = (
    "text{font:14px ui-monospace,Menlo,Consolas,monospace;fill:#d8dee9;white-space:pre}"
    ".typed{fill:#a3be8c;font-weight:bold}.said{fill:#88c0d0}rect{fill:#20242c}"
)


def recorded() -> str:
    """Run the demonstration.

    Returns:
        What was on the terminal, broken where the terminal breaks it.
    """
    with tempfile.TemporaryDirectory() as folder:
        cli = Cli(Path(folder) / "home")
        environ = {"NO_COLOR": "1"}
        with cli.at_terminal("demo", columns=COLUMNS, environ=environ, own_ledger=False) as screen:
            return broken(screen.end().stdout)


def broken(text: str) -> str:
    """Break lines where the terminal breaks them, and leave the token out."""
    text = re.sub(r"(?m)^[\w-]{86}==$", "(the token)", text)
    lines = (line[at : at + COLUMNS] for line in text.splitlines() for at in _starts(line))
    return "\n".join(lines)


def _starts(line: str) -> range:
    return range(0, max(len(line), 1), COLUMNS)


def drawn(text: str) -> str:
    """Draw a terminal.

    Args:
        text: What is on it.

    Returns:
        An SVG document.
    """
    lines = text.splitlines()
    width = int(COLUMNS * CHARACTER_PX) + 2 * MARGIN_PX
    height = len(lines) * LINE_PX + 2 * MARGIN_PX
    rows = [
        f'<text x="{MARGIN_PX}" y="{MARGIN_PX + (number + 1) * LINE_PX - 4}"'
        f'{_kind(line)} xml:space="preserve">{escape(line)}</text>'
        for number, line in enumerate(lines)
        if line
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img" '
        f'aria-label="A session of influx-recovery"><style>{_STYLE}</style>'
        f'<rect width="{width}" height="{height}" rx="8"/>'
    )
    return "\n".join([head, *rows, "</svg>", ""])


def _kind(line: str) -> str:
    if line.startswith("$ "):
        return ' class="typed"'
    return ' class="said"' if line.endswith(("?", "be.", "first.")) else ""


if __name__ == "__main__":
    TARGET.write_text(drawn(recorded()))
