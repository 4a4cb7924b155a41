"""The plain command line: exact words, exact options, nothing that needs a second thought.

Lives here: `plainly_typed`, which understands one without argparse, and the options that every
command has. Must not live here: words from elsewhere, help, and what is mistyped: all of that is
`recovery.cli.parser`'s, which is asked wherever this has the least doubt.

Invariants: what is understood here has the values that the parser finds, and is described at the
same place: the functions that add options to a parser add them to `_Table` as well. Nothing is
refused here. argparse and a parser of its own are a tenth of a listing's work.
"""

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from recovery.cli.usage import REQUIRED
from recovery.cli.vocabulary import COMMANDS, load

if TYPE_CHECKING:
    from argparse import _ActionsContainer

    from recovery.cli.words import Parser

PATHS: Final = frozenset({"FILE", "PATH", "DIR", "TARGET", "NEW", "DEST", "DAMAGED", "A", "B"})
"""What options and words that take a path call it."""

NAMES: Final = frozenset({"NAME", "ID", "ORG", "USER"})
"""The same of those that take a name, or an ID in its place."""

LOG_FORMATS: Final = ("auto", "console", "json")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")

COMMON_DEFAULTS: Final[dict[str, object]] = {
    "bolt_path": None,
    "json": False,
    "ledger": None,
    "log_format": "auto",
    "log_level": "warning",
    "reason": None,
    "version": False,
}
FLAGS: Final = {"--json", "--version"}
"""Common options that take no value."""
VALUED: Final = frozenset(f"--{name.replace('_', '-')}" for name in COMMON_DEFAULTS) - FLAGS
"""Common options that take one."""

_BOLT_PATH_HELP: Final = (
    "the store, influxd.bolt; commands that only read also take it compressed (gzip, xz, zstd) or "
    "in a tar, or the folder of an influx backup (default: INFLUXD_BOLT_PATH, then the "
    "configuration file that INFLUXD_CONFIG_PATH names, then the places where packages and images "
    "put it)"
)
_LEDGER_HELP: Final = (
    "SQLite file that records what was done, never a secret (default: in the state folder of the "
    "user; see FILES in the manual)"
)

_SIMPLE: Final = frozenset({"action", "choices", "default", "dest", "help", "metavar", "type"})
"""What may be said of an option here; of another one, argparse knows what it means."""


class _UnusualError(Exception):
    """Something is not plain."""


class _Option(NamedTuple):
    """An option, as it was described to argparse."""

    field: str
    settings: dict[str, Any]

    @property
    def is_flag(self) -> bool:
        """Whether it takes no value."""
        return "action" in self.settings

    @property
    def default(self) -> object:
        """What it is where it was not typed."""
        return self.settings.get("default", False if self.is_flag else None)

    def value_of(self, typed: str) -> object:
        """Read its value; raises `_UnusualError` where that needs a look."""
        choices = self.settings.get("choices")
        is_path = self.settings.get("metavar") in PATHS
        is_odd = not typed or (is_path and (typed.startswith(("~", "-")) or typed.endswith("/")))
        if is_odd or (choices is not None and typed not in choices):
            raise _UnusualError
        try:
            value: object = self.settings.get("type", str)(typed)
        except ValueError:
            raise _UnusualError from None
        return value


class _Table:
    """Takes the description of options as a parser does, and keeps it."""

    def __init__(self) -> None:
        self.options: dict[str, _Option] = {}

    def add_argument(self, *names: str, **settings: Any) -> None:  # noqa: ANN401 # argparse's own
        """Keep one."""
        is_simple = settings.keys() <= _SIMPLE and settings.get("action") in {None, "store_true"}
        if not (is_simple and names[0].startswith("--")):
            raise _UnusualError
        field = settings.get("dest", names[0][2:].replace("-", "_"))
        self.options.update(dict.fromkeys(names, _Option(field, settings)))

    def __getattr__(self, _: str) -> object:
        """Refuse what only a parser can, such as groups."""
        raise _UnusualError


def plainly_typed(argv: Sequence[str]) -> dict[str, Any] | None:
    """Understand a plain command line; None where `recovery.cli.parser.understand` has to look."""
    words = next((" ".join(argv[:n]) for n in (2, 1) if " ".join(argv[:n]) in COMMANDS), None)
    if words is None:
        return None
    command = load(words)
    table = _Table()
    place = cast("Parser", table)
    try:
        command.describe(place)
        add_common(place, without=table.options)
        found = _values(argv[len(words.split()) :], table.options)
    except _UnusualError:
        return None
    if found["version"]:
        return None
    return {**found, "words": words, "command": command}


def _values(typed: Sequence[str], options: dict[str, _Option]) -> dict[str, Any]:
    """Read options and their values; raises `_UnusualError` for anything else."""
    found = {one.field: one.default for one in options.values()} | COMMON_DEFAULTS
    given: dict[str, str] = {}
    rest = iter(typed)
    for word in rest:
        name, equals, value = word.partition("=")
        option = options.get(name)
        if option is None or (option.is_flag and equals):
            raise _UnusualError
        if option.is_flag:
            found[option.field] = True
            continue
        value = value if equals else next(rest, "-")
        if value.startswith("-") and not equals:
            raise _UnusualError
        if given.setdefault(option.field, value) != value:
            raise _UnusualError  # twice, with different values
        found[option.field] = option.value_of(value)
    for option in options.values():
        if REQUIRED in option.settings["help"] and found[option.field] is None:
            raise _UnusualError
    return found


def add_common(group: "_ActionsContainer", *, without: Container[str] = ()) -> None:
    """Describe the options that every command has, `without` those that are its own."""
    if "--bolt-path" not in without:
        group.add_argument("--bolt-path", metavar="FILE", help=_BOLT_PATH_HELP)
    group.add_argument(
        "--json",
        action="store_true",
        help="print one JSON document instead of text; see influx-recovery schema",
    )
    group.add_argument("--ledger", metavar="FILE", help=_LEDGER_HELP)
    group.add_argument(
        "--reason", metavar="TEXT", help="why this is done, for the ledger (default: none)"
    )
    group.add_argument(
        "--log-level",
        choices=LOG_LEVELS,
        metavar="LEVEL",
        help="log this and worse on stderr: debug, info, warning or error (default: warning)",
    )
    group.add_argument(
        "--log-format",
        choices=LOG_FORMATS,
        metavar="FORMAT",
        help="console, json, or auto, which is console on a terminal and json elsewhere "
        "(default: auto)",
    )
    group.add_argument("--version", action="store_true", help="print the version and stop")
