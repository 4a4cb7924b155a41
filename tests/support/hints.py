"""What the program tells a person to type can be typed.

Lives here: the check that every run of the program in a test goes through. A hint names only
commands that are there, with options that they have, and else only options of the command that gave
it.
"""

import argparse
import re
import shlex
from collections.abc import Sequence
from functools import cache
from typing import Final

from recovery.cli.hints import AtHand
from recovery.cli.parser import build_parser, parse_arguments, typed_words
from recovery.cli.usage import UsageError
from recovery.cli.vocabulary import COMMANDS, NOUNS, PROGRAM
from recovery.cli.words import Parser
from recovery.errors import RecoveryError

_STYLE: Final = re.compile(r"\x1b\[[0-9;]*m")
_END: Final = r"(?=, | to (?!standard)|; |\??$| or influx-recovery| which )"
"""Where a command ends in the sentence around it."""
_OURS: Final = re.compile(rf"{PROGRAM} (?P<rest>.+?){_END}")
_FOREIGN: Final = re.compile(
    rf"\b(gunzip|influx|influxd|cp|timedatectl|systemctl|docker) .+?{_END}"
)
_OPTION: Final = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")


_BELOW_A_FINDING: Final = f"      {PROGRAM} "


@cache
def whole_parser() -> Parser:
    """Describe every command, once a process: that takes half a second."""
    return build_parser()


def require_sound_hints(text: str, words: Sequence[object]) -> None:
    """Fail when a hint tells to type something that cannot be typed.

    Args:
        text: What was written, or what is on the terminal.
        words: What was typed to get it.
    """
    whole = _STYLE.sub("", text).replace("\n      ", " ")  # what a terminal has wrapped
    for line in whole.splitlines():
        if line.startswith("hint: "):
            problem = complaint(
                line.removeprefix("hint: "), typed_words([str(one) for one in words])
            )
            assert problem is None, f"{line}\n{problem}"
            assert "=<Input." not in line, f"not in words: {line}"


def hint_of(error: RecoveryError, command: str = "auth list") -> str:
    """Put the hint of an error into the words of the command line.

    Args:
        error: The error.
        command: The command that is at hand.

    Returns:
        The sentence, which can be typed.
    """
    arguments = argparse.Namespace(words=command, bolt_path=None, ledger=None)
    hint = AtHand(arguments, whole_parser()).hint(error.hint)
    assert complaint(hint, command) is None, f"{hint}\n{complaint(hint, command)}"
    return hint


def complaint(hint: str, command: str) -> str | None:
    """Say what cannot be typed in a hint.

    Args:
        hint: The sentence.
        command: The words of the command that gave it; of a noun, or "", when there was none.

    Returns:
        What is wrong, or None.
    """
    for found in _OURS.finditer(hint):
        if problem := _command_complaint(found["rest"]):
            return problem
    rest = _FOREIGN.sub("", _OURS.sub("", hint))
    if command not in COMMANDS:
        return None
    known = set(whole_parser().command(command).options)
    unknown = [name for name in _OPTION.findall(rest) if name not in known]
    return f"{command} has no {', '.join(unknown)}" if unknown else None


def _command_complaint(line: str) -> str | None:
    try:
        argv = shlex.split(line)
        if argv[-1] == "--help":
            words = " ".join(argv[:-1])
            return None if not words or words in {*COMMANDS, *NOUNS} else f"no command {words}"
        if " ".join(argv) in COMMANDS:  # named, not typed out: "it belongs to auth delete"
            return None
        arguments = parse_arguments(argv, whole_parser())
    except (UsageError, ValueError) as error:
        return f"{line}: {error}"
    return None if arguments.command is not None else f"{line} is no whole command"
