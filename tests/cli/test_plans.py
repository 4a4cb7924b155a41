"""The plan of every change, as a person reads it."""

import re
from pathlib import Path
from typing import Final

from tests.support.every_command import EVERY_COMMAND, command_lines
from tests.support.run_cli import PROJECT, Cli
from tests.support.stores import make_store

GOLDEN: Final = PROJECT / "tests" / "golden" / "plans.txt"
WITHOUT_PLAN: Final = {
    "auth import",
    "setup",
    "store rebuild",
    "store undo",
    "auth undelete",
    "user undelete",
    "v1-auth undelete",
}
"""Changes that make a file of their own, or need others before them."""
NORMAL: Final = (
    (re.compile(r"[0-9]{8}T[0-9]{6}Z"), "TIME"),
    (re.compile(r"\b(?!0cff2e2708da|375b8fa296750048|1805eaca7a7b8279)[0-9a-f]{16}\b"), "NEW-ID"),
)


def test_every_plan_says_in_words_what_will_be_done(
    cli: Cli, tmp_path: Path, *, update_golden: bool
) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    (cli.home / "operator").write_text("x" * 40)
    (cli.home / "password").write_text("correct horse battery")
    (cli.home / "engine").mkdir()
    lines = command_lines(made, cli.home)
    shown = ""
    for words in EVERY_COMMAND:
        if words in WITHOUT_PLAN:
            continue
        for line in lines[words]:
            is_plan = {"--yes", "--dry-run"} & set(line) and "--json" not in line
            if line[: len(words.split())] != words.split() or not is_plan:
                continue
            dry = ["--dry-run" if word == "--yes" else word for word in line]
            done = cli.run_here(*dry)
            assert done.code == 0, (line, done.stderr)
            typed = " ".join(word for word in line if word not in {"--yes", str(made.path)})
            shown += f"$ {typed.replace(' --bolt-path', '')}\n{done.stdout}\n"
    shown = shown.replace(str(cli.home), "HOME").replace(str(tmp_path), "FOLDER")
    for pattern, name in NORMAL:
        shown = pattern.sub(name, shown)
    if update_golden:
        GOLDEN.write_text(shown)
    assert GOLDEN.read_text() == shown
