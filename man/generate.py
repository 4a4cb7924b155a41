"""Make the pages of the manual and what completes command lines, from the parser and more files.

Lives here: the shape of the pages, and what is completed by what. Must not live here: what commands
do, which the parser says, the sections that no parser knows, which are the *.inc files, and how a
shell asks for names, which are the names.* files.

Run it to rewrite all of them; `--check` compares instead, and fails when one has drifted.
"""

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Any, Final

import shtab
from argparse_manpage.manpage import Manpage

from recovery import __version__
from recovery.cli.commands.completion import SCRIPTS
from recovery.cli.habits import BARE, SHORT, option_meant
from recovery.cli.parser import build_parser, commands, common_options
from recovery.cli.plain import PATHS
from recovery.cli.vocabulary import COMMANDS, NOUNS, PROGRAM, VERBS, load
from recovery.cli.words import Parser

HERE: Final = Path(__file__).resolve().parent
SECTIONS: Final = ("exit_status", "environment", "files", "security", "examples", "see_also")
COMPLETIONS: Final = HERE.parent / "recovery" / "completions"
NAMED: Final = {
    **dict.fromkeys(("username", "user", "owner"), "user"),
    **dict.fromkeys(("org", "owner_of", "member_of"), "org"),
    **dict.fromkeys(("read_bucket", "write_bucket"), "bucket"),
    **dict.fromkeys(("spared", "all_but"), "auth"),
    "which": "v1-auth",
}
"""Fields of options that name a record of a store."""
NEW_NAMES: Final = {
    *((f"user {verb}", field) for verb in ("create", "undelete") for field in ("username", "id")),
    *((f"v1-auth {verb}", "which") for verb in ("create", "undelete")),
    ("v1-auth list", "username"),
    ("auth undelete", "id"),
    ("bucket create", "id"),
    ("org create", "org"),
    ("bucket create", "name"),
    *((words, field) for words in ("setup", "store rebuild") for field in ("username", "org")),
}
"""Where such an option names one that is to be made, was deleted or is of InfluxDB 1.x."""
_NO_HYPHENS: Final = ".nh\n.ad l"
"""An option broken by a hyphen cannot be copied, and justified text stretches examples."""
_SEE_ALSO: Final = f".BR {PROGRAM} (8),\n.BR {PROGRAM} (7)".replace("-", "\\-")
EPOCH: Final = "1767225600"
"""Date on the page, 2026-01-01: fixed, so that the page changes only when its words do."""

os.environ["COLUMNS"] = "80"  # noqa: TID251 # argparse takes the width from nowhere else
os.environ["SOURCE_DATE_EPOCH"] = EPOCH  # noqa: TID251 # argparse-manpage reads it there


def render_pages() -> dict[Path, str]:
    """Write out section 8 of the manual.

    Returns:
        The source for troff of each page: one for each first word, and the one that leads to them.
    """
    words = list(dict.fromkeys(words.split()[0] for words in COMMANDS))
    pages = {HERE / f"{PROGRAM}.8": _main_page(words)}
    for word in words:
        pages[HERE / f"{PROGRAM}-{word}.8"] = _page_of(word)
    return pages


def _main_page(words: list[str]) -> str:
    """Write what all commands have in common, and where each is."""
    root = build_parser(only="")
    parser = Parser(prog=PROGRAM, description=root.description, parents=[common_options()])
    parser.usage = f"{PROGRAM} COMMAND ... [options]"
    page = _page(parser, "get back into a stopped InfluxDB OSS 2.x server")
    entries = "".join(
        f".TP\n.BR {_escaped(f'{PROGRAM}-{word}')} (8)\n{_escaped(_summary(word))}\n"
        for word in words
    )
    page.add_section("COMMANDS", ">", entries.strip())
    for section in SECTIONS:
        page.parse_include(str(HERE / f"{section}.inc"))
    return _finished(page)


def _page_of(word: str) -> str:
    """Write what a noun, or a command without one, can be told."""
    parser = build_parser().command(word)
    common = set(parser.options) if word in NOUNS else set(build_parser(only="").options)
    _hide(parser, common)
    for command in commands(parser):
        _hide(command, common)
        command.usage = " ".join(command.format_usage().split()[1:])  # troff breaks the lines
    parser.usage = parser.usage or f"{PROGRAM} {word} COMMAND ... [options]"
    parser.prog = f"{PROGRAM}-{word}"
    page = _page(parser, _summary(word))
    if (HERE / f"{word}.inc").is_file():
        page.parse_include(str(HERE / f"{word}.inc"))
    lines = (
        f".TP\n.B {_escaped(f'{PROGRAM} {load(words).example}')}\n{_escaped(entry.summary)}\n"
        for words, entry in COMMANDS.items()
        if words.split()[0] == word
    )
    page.add_section("EXAMPLES", ">", "\n" + "".join(lines).strip())
    page.add_section("SEE ALSO", ">", _SEE_ALSO)
    return _finished(page)


def _page(parser: Parser, description: str) -> Manpage:
    """Begin a page with what the parser knows."""
    return Manpage(
        parser,
        {
            "project_name": PROGRAM,
            "version": __version__,
            "manual_section": "8",
            "manual_title": "Administration",
            "description": description,
        },
        format="single-commands-section",
    )


def _finished(page: Manpage) -> str:
    title, _, text = str(page).partition("\n")
    # A heading names a command as it is typed, and not by the name of the page.
    typed = text.replace(f".SS \\fB{_escaped(page.prog)} ", f".SS \\fB{_words_of(page.prog)} ")
    for heading in ("arguments", "permissions"):
        typed = typed.replace(f"\n{heading}\n", f"\n{heading}:\n")  # as the help has it
    return f"{title}\n{_NO_HYPHENS}\n{typed}"


def _words_of(page: str) -> str:
    """Write the name of a page as the beginning of a command line."""
    return _escaped(f"{PROGRAM} {page.removeprefix(f'{PROGRAM}-')}")


def _summary(word: str) -> str:
    return NOUNS[word].summary if word in NOUNS else COMMANDS[word].summary


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")


def _hide(parser: Parser, common: set[str]) -> None:
    """Leave common options to the main page, instead of repeating them below every command."""
    for name, action in parser.options.items():
        if name in common:
            action.help = argparse.SUPPRESS


def render_completions() -> dict[Path, str]:
    """Write out what completes command lines, for each shell.

    Shells get static files: a program that is asked at every key, as argcomplete does, takes a
    tenth of a second for each. Only names out of a store are asked for.

    Returns:
        The scripts by their files.
    """
    parser = build_parser()
    first = [*parser.children, "all"]
    nouns: Any = next(one for one in parser.actions if one.nargs == argparse.PARSER)
    asking = nouns.add_parser("help", help="explain a command")  # a habit to the parser itself
    asking.add_argument("first", nargs="?", choices=first, help="what it begins with")
    asking.add_argument(
        "then", nargs="?", choices=sorted(VERBS.difference(first)), help="what follows"
    )
    for noun, entry in NOUNS.items():
        parser.command(noun).description = entry.summary
    for place in (parser, *map(parser.command, NOUNS)):
        for action in place.actions:
            _say_how_to_complete(action, "")
    for command in commands(parser):
        words = command.prog.partition(" ")[2]
        if words not in COMMANDS:
            continue
        command.description = COMMANDS[words].summary
        for short in SHORT:  # which argparse never sees
            meant = command.options.get(option_meant(short, words, command) or "")
            if meant is not None:
                meant.option_strings = [*meant.option_strings, short]
        if words in BARE:  # which take words in the place of these options
            named = command.options[BARE[words][0]]
            command.add_argument(named.dest, nargs="?", metavar="NAME", help=named.help)
        for action in command.actions:
            _say_how_to_complete(action, words)
    return {
        COMPLETIONS / path: _with_values_behind_equals(
            shtab.complete(parser, shell, preamble=(HERE / f"names.{shell}").read_text()).rstrip()
            + "\n",
            shell,
        )
        for shell, path in SCRIPTS.items()
    }


def _with_values_behind_equals(script: str, shell: str) -> str:
    """Let a script complete `--org=NAME`, too, as fish does by itself."""
    if shell == "zsh":
        return re.sub(
            r"(?m)^  [^[\n]*--[^[\n]*(?=\[.*[^\\]\]:)",
            lambda names: re.sub(r"--[\w-]+", r"\g<0>=", names[0]),
            script,
        )
    return script.replace("-F _shtab_influx_recovery ", "-F _influx_recovery ")


def _say_how_to_complete(action: argparse.Action, words: str) -> None:
    """Tell shtab what follows an option or is in the place of a word."""
    kind = NAMED.get(action.dest)
    noun = words.partition(" ")[0]
    if noun == "bucket" and action.dest == "name":
        kind = "bucket"
    if action.dest == "id":
        kind = "auth" if noun == "auth" else f"{noun}-id"
    if action.dest == "what":
        action.choices = tuple(SCRIPTS)
    elif action.metavar in PATHS:
        action.complete = shtab.FILE  # type: ignore[attr-defined] # shtab looks for it
    elif kind is not None and (words, action.dest) not in NEW_NAMES:
        action.complete = {  # type: ignore[attr-defined] # as above
            "bash": f"_influx_recovery_{kind.replace('-', '_')}",
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
    made = {**render_pages(), **render_completions()}
    for page, text in made.items():
        if not is_check:
            page.write_text(text)
        elif not page.is_file() or page.read_text() != text:
            sys.stderr.write(f"{page.name} has drifted: run python man/generate.py\n")
            drifted = 1
    return drifted


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
