"""Make the pages of the manual and what completes command lines, from the parser and more files.

Lives here: the shape of the pages, and what is completed by what. Must not live here: what commands
do, which the parser says, the sections that no parser knows, which are the *.inc files, and how a
shell asks for names, which are the names.* files.

Run it to rewrite all of them; `--check` compares instead, and fails when one has drifted.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Final

import shtab

from recovery import __version__
from recovery.cli.commands.completion import SCRIPTS
from recovery.cli.parser import PATHS, PROGRAM, build_parser, commands
from recovery.cli.vocabulary import COMMANDS, NOUNS
from recovery.cli.words import Parser

HERE: Final = Path(__file__).resolve().parent
PAGE: Final = HERE / f"{PROGRAM}.8"
SERVE_PAGE: Final = HERE / f"{PROGRAM}-serve.8"
SECTIONS: Final = ("exit_status", "environment", "files", "security", "examples", "see_also")
COMPLETIONS: Final = HERE.parent / "recovery" / "completions"
NAMED: Final = {
    **dict.fromkeys(("username", "user", "owner"), "user"),
    **dict.fromkeys(("org", "owner_of", "member_of"), "org"),
    **dict.fromkeys(("read_bucket", "write_bucket"), "bucket"),
}
"""Fields of options that name a record of a store."""
NEW_NAMES: Final = {
    ("user create", "username"),
    ("org create", "org"),
    ("bucket create", "name"),
    *((words, field) for words in ("setup", "store rebuild") for field in ("username", "org")),
}
"""Where such an option names one that is to be made."""
_NO_HYPHENS: Final = ".nh\n.ad l"
"""An option broken by a hyphen cannot be copied, and justified text stretches examples."""
EPOCH: Final = "1767225600"
"""Date on the page, 2026-01-01: fixed, so that the page changes only when its words do."""


def render() -> str:
    """Write out the page.

    Returns:
        Its source for troff.
    """
    os.environ["COLUMNS"] = "80"  # noqa: TID251 # argparse takes the width from nowhere else
    os.environ["SOURCE_DATE_EPOCH"] = EPOCH  # noqa: TID251 # argparse-manpage reads it there
    from argparse_manpage.manpage import Manpage  # noqa: PLC0415 # after the two lines above

    parser = build_parser()
    _hide_common_options(parser)
    for command in commands(parser):
        command.usage = " ".join(command.format_usage().split()[1:])  # troff breaks the lines
    page = Manpage(
        parser,
        {
            "project_name": PROGRAM,
            "version": __version__,
            "manual_section": "8",
            "manual_title": "System administration",
            "description": "get back into a stopped InfluxDB OSS 2.x server",
        },
        format="single-commands-section",
    )
    for section in SECTIONS:
        page.parse_include(str(HERE / f"{section}.inc"))
    title, _, text = str(page).partition("\n")
    return f"{title}\n{_NO_HYPHENS}\n{text}"


def render_serve() -> str:
    """Write out the page of the daemon.

    Returns:
        Its source for troff.
    """
    os.environ["COLUMNS"] = "80"  # noqa: TID251 # as above
    os.environ["SOURCE_DATE_EPOCH"] = EPOCH  # noqa: TID251 # as above
    from argparse_manpage.manpage import Manpage  # noqa: PLC0415 # as above

    parser = build_parser().command("serve")
    _hide_common(parser, set(build_parser().options) - {"-h", "--help"})
    parser.prog = f"{PROGRAM}-serve"
    usage = " ".join(parser.format_usage().split()[2:])
    parser.usage = f"{PROGRAM} serve {usage}"
    page = Manpage(
        parser,
        {
            "project_name": PROGRAM,
            "version": __version__,
            "manual_section": "8",
            "manual_title": "System administration",
            "description": "serve the API of a stopped InfluxDB OSS 2.x server",
        },
        format="single-commands-section",
    )
    page.parse_include(str(HERE / "serve.inc"))
    title, _, text = str(page).partition("\n")
    return f"{title}\n{_NO_HYPHENS}\n{text}"


def render_completions() -> dict[Path, str]:
    """Write out what completes command lines, for each shell.

    Shells get static files: a program that is asked at every key, as argcomplete does, takes a
    tenth of a second for each. Only names out of a store are asked for.

    Returns:
        The scripts by their files.
    """
    parser = build_parser()
    for noun, words in NOUNS.items():
        parser.command(noun).description = words.summary
    for command in commands(parser):
        command.description = COMMANDS[command.prog.partition(" ")[2]].summary
        for action in command.actions:
            _say_how_to_complete(action, command.prog.partition(" ")[2])
    return {
        COMPLETIONS / path: shtab.complete(
            parser, shell, preamble=(HERE / f"names.{shell}").read_text()
        ).rstrip()
        + "\n"
        for shell, path in SCRIPTS.items()
    }


def _say_how_to_complete(action: argparse.Action, words: str) -> None:
    """Tell shtab what follows an option or is in the place of a word."""
    kind = NAMED.get(action.dest)
    if words.startswith("bucket") and action.dest == "name":
        kind = "bucket"
    if words.startswith("auth") and action.dest in {"id", "spared"}:
        kind = "auth"
    if action.metavar in PATHS:
        action.complete = shtab.FILE  # type: ignore[attr-defined] # shtab looks for it
    elif kind is not None and (words, action.dest) not in NEW_NAMES:
        action.complete = {  # type: ignore[attr-defined] # as above
            "bash": f"_influx_recovery_{kind}",
            "zsh": f"_influx_recovery_names {kind}",
            "fish": f"(__influx_recovery_names {kind})",
        }


def main(argv: list[str]) -> int:
    """Rewrite or compare the pages.

    Args:
        argv: Arguments after the script's name.

    Returns:
        0, or 1 when one has drifted.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    is_check = parser.parse_args(argv).check
    drifted = 0
    made = {PAGE: render(), SERVE_PAGE: render_serve(), **render_completions()}
    for page, text in made.items():
        if not is_check:
            page.write_text(text)
        elif not page.is_file() or page.read_text() != text:
            sys.stderr.write(f"{page.name} has drifted: run python man/generate.py\n")
            drifted = 1
    return drifted


def _hide_common_options(parser: Parser) -> None:
    """Leave them to the section OPTIONS, instead of repeating them below every command."""
    common = set(parser.options) - {"-h", "--help"}
    for child in parser.children.values():
        _hide_common(child, common)
        _hide_common_options(child)


def _hide_common(parser: Parser, common: set[str]) -> None:
    for name, action in parser.options.items():
        if name in common:
            action.help = argparse.SUPPRESS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
