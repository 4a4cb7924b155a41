"""What comes along when a command line is pasted: signs that look like those of a keyboard.

Lives here: `explained`, which says so where a command line fails because of them. Must not live
here: the words and options themselves.

Invariants: nothing is carried out that was not typed. A line is proposed only when it is
understood, has nothing in it but what was typed, and no secret.

Facts: WordPress and word processors put an en dash or an em dash for two hyphens, and curled quotes
for straight ones; web pages use the no-break space and the soft hyphen; an editor of Windows ends a
line with a carriage return; a backslash at the end of a line joins it with the next one only where
nothing follows it.
"""

import itertools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from recovery.cli.habits import in_our_words
from recovery.cli.parser import TYPOGRAPHIC_DASHES, understand
from recovery.cli.plain import VALUED
from recovery.cli.usage import UsageError
from recovery.cli.vocabulary import COMMANDS, NOUNS, PROGRAM, VERBS
from recovery.cli.words import REPEATED_MAX, HelpAskedError, shown
from recovery.errors import NotFoundError, RecoveryError, SeveralError
from recovery.model.display import quoted
from recovery.model.ids import parse_id, slip_in_id

_CONFIDING: Final = r"-[pt]|--(?:pass|passwd|password|pw|pwd|token|secret)"
"""Options of ours and of others that have one for a value."""
_OPENING: Final = (
    "\N{LEFT DOUBLE QUOTATION MARK}\N{LEFT SINGLE QUOTATION MARK}"
    "\N{DOUBLE LOW-9 QUOTATION MARK}\N{SINGLE LOW-9 QUOTATION MARK}"
    "\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}"
    "\N{RIGHT DOUBLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}\N{DOUBLE PRIME}\N{PRIME}"
)
_CLOSING: Final = (
    "\N{RIGHT DOUBLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"
    "\N{LEFT DOUBLE QUOTATION MARK}\N{LEFT SINGLE QUOTATION MARK}"
    "\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
    "\N{DOUBLE PRIME}\N{PRIME}"
)
_BLANKS: Final = "\u00a0\u2000-\u200a\u202f\u205f\u3000"
_UNSEEN: Final = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
_LINE_END: Final = r"(?:\\?\r?\n|\\|\r)$"
_MARKED: Final = (
    "|".join(
        f"{begin}[^ ]*{end}" for begin, end in (r"<>", (r"\[", r"\]"), (r"\{", r"\}"), '""', "''")
    )
    + "|`[^ ]*|[^ ]*`"
)
_STARTS_US: Final = r"`?(?:\S*/)?influx-recovery:?"
_STARTS_ANY: Final = rf"{_STARTS_US}|influxd?"
_PROMPT: Final = (
    r"\S*[$#%>]|\[\S+@\S+|~|sudo|doas|influxd?(?:-recover\w*)?|exec|run|call|time|cli|please|python\S*|-m"
    r"|\d+[.)]|[*-]"
)


class _Kind(NamedTuple):
    """Signs of one kind: what a word with them is like, and how a line is without them."""

    what: str
    plain: Callable[[Sequence[str]], list[str]]


def explained(argv: Sequence[str], error: RecoveryError) -> RecoveryError:
    """Say that a command line failed because of what came along as it was pasted, if it did."""
    if isinstance(error, SeveralError):
        found = [explained(argv, one) for one in error.errors]
        several = SeveralError(found)
        lines = (str(one.hint) for one in found if str(one.hint).startswith(f"type {PROGRAM} "))
        several.hint = next(lines, error.hint)  # which is in words already
        return several
    if not isinstance(error, UsageError | NotFoundError):
        return error
    if isinstance(error, NotFoundError) and (hint := _of_signs(error)):
        error.hint = hint
    if isinstance(error, NotFoundError) and (name := _not_repeated(error.name, argv)):
        return NotFoundError(kind=error.kind, name=name, existing=error.existing, hint=error.hint)
    line, whats = list(argv), list[str]()
    for kind in _KINDS:
        plain = kind.plain(line)
        if plain != line:
            whats.append(kind.what)
            line = plain
    if not whats or not _is_understood(line):
        return error
    is_shown = all(map(_is_shown, line))
    meant = f"{PROGRAM} {' '.join(map(quoted, line))}" if is_shown else None
    if isinstance(error, NotFoundError):
        if meant is not None and (_values(line) - _values(argv)) & {*error.existing}:
            error.hint = f"type {meant}, because what was typed {' and '.join(whats)}"
        return error
    same = (
        place for place, (one, other) in enumerate(zip(argv, line, strict=False)) if one != other
    )
    place = next(same, min(len(line), len(argv) - 1))
    is_secret = re.fullmatch(_CONFIDING, argv[place - 1]) if place else None
    return UsageError(
        problem=f"{'a word' if is_secret else shown(argv[place])} {' and '.join(whats)}",
        hint=f"type {meant}" if meant else "type the line again without that",
    )


def _of_signs(error: NotFoundError) -> str | None:
    """Say what to do about signs behind a name, or between several."""
    bare = error.name.strip(" ,;.:")
    if bare != error.name and bare in error.existing:
        return f"name {bare} without the sign beside it"
    if {*error.name.split(",")} & {*error.existing}:
        return "name them one by one, each with an option or a command of its own"
    return None


def _not_repeated(name: str, argv: Sequence[str]) -> str | None:
    """Say what stands for a name that may be a password; None for one that is repeated.

    It may be where an ID was expected, or a word without an option beside it.
    """
    from recovery.services.tenancy.choosing import shown_name  # noqa: PLC0415 # only for a mistake

    ids = (value for option, value in pairwise(argv) if option in {"-i", "--id"})
    glued = (word.removeprefix("--id=") for word in argv if word.startswith("--id="))
    if any(slip_in_id(one) is None and shown_name(one) == name for one in (*ids, *glued)):
        return "that --id names"
    is_bare = any(one == name and not before.startswith("-") for before, one in pairwise(argv))
    is_likely = shown(name, is_stray=True) != repr(name)
    is_asked = any("pass" in one or one == "update" for one in argv[:2])
    return "of that name" if is_bare and is_likely and is_asked else None


def _values(line: Sequence[str]) -> set[str]:
    return {part for word in line for part in (word, word.partition("=")[2])}


def _is_understood(line: Sequence[str]) -> bool:
    try:
        understand(line)
    except HelpAskedError:
        return True
    except RecoveryError:
        return False
    return True


def _is_shown(word: str) -> bool:
    """Say whether a word may be repeated: a long one may be a secret, if it is no path."""
    if re.fullmatch(_CONFIDING, word.partition("=")[0]):
        return False
    path = word.partition("=")[2] or word
    is_path = "/" in path and os.path.isdir(os.path.dirname(path))  # noqa: PTH112, PTH120 # of a text
    return len(word) <= REPEATED_MAX or is_path


def _without_prompt(line: Sequence[str]) -> list[str]:
    """Take away what a shell shows before a line, and what starts this program or the like."""
    own = [
        place
        for place, (word, following) in enumerate(pairwise(line))
        if re.fullmatch(_STARTS_ANY, word) and following in {*VERBS, "recovery"}
    ]
    if own and line[0] not in VERBS:
        return list(line[own[-1] + 1 :])
    return list(itertools.dropwhile(re.compile(f"{_STARTS_US}|{_PROMPT}").fullmatch, line))


def _with_hyphens(line: Sequence[str]) -> list[str]:
    """Put hyphens for dashes before the name of an option, and within the words of a command."""
    return [_hyphened(word) for word in line]


def _hyphened(word: str) -> str:
    name, equals, value = word.partition("=")
    if not re.search(f"[{TYPOGRAPHIC_DASHES}]", name):
        return word
    rest = name.lstrip(f"-{TYPOGRAPHIC_DASHES}")
    plain = re.sub(f"[{TYPOGRAPHIC_DASHES}]", "-", rest)
    if rest != name:
        return ("--" if len(plain) > 1 else "-") + plain + equals + value
    return plain if plain in VERBS else word


def _without_quotes(line: Sequence[str]) -> list[str]:
    """Take curled quotes away, and join what stands between them to one word."""
    found: list[str] = []
    rest = iter(line)
    for word in rest:
        name, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
        if value[:1] and value[0] in _OPENING:
            value = value[1:]
            while value[-1:] not in _CLOSING and (following := next(rest, None)) is not None:
                value += f" {following}"
            value = value[:-1] if value[-1:] and value[-1] in _CLOSING else value
        found.append(name + equals + value)
    return found


def _with_blanks(line: Sequence[str]) -> list[str]:
    return [part for word in line for part in re.split(f"[{_BLANKS}]+", word) if part or not word]


def _without_unseen(line: Sequence[str]) -> list[str]:
    return [plain for word in line if (plain := re.sub(f"[{_UNSEEN}]", "", word)) or not word]


def _without_line_ends(line: Sequence[str]) -> list[str]:
    plain = (re.sub(_LINE_END, "", re.sub(r"^\\\r?\n", "", word)) for word in line)
    return [after for word, after in zip(line, plain, strict=True) if after or not word]


def _parted(line: Sequence[str]) -> list[str]:
    """Part the words of a command, or an option and its value, that are one word by quotes."""
    return [part for word in line for part in _parts(word)]


def _parts(word: str) -> list[str]:
    parts = word.split()
    is_option = word.startswith("--") and "=" not in word
    is_command = parts[:1] and (parts[0] in NOUNS or (parts[0] in VERBS and "--" in word))
    is_command = is_command or any(re.fullmatch(_STARTS_US, part) for part in parts[:-1])
    return parts if len(parts) > 1 and (is_option or is_command) else [word]


def _with_options_behind(line: Sequence[str]) -> list[str]:
    """Put options behind a whole command, where they stand in front of it and may not."""
    for first, second in itertools.combinations(range(len(line)), 2):
        words, before, between = [line[first], line[second]], line[:first], line[first + 1 : second]
        is_option = all(one[0].startswith("-") for one in (before, between) if one)
        if is_option and " ".join(in_our_words(words, VALUED)) in COMMANDS:
            behind = [*words, *line[second + 1 :], *before, *between]
            return list(line) if _is_understood(line) else behind
    return list(line)


def _without_repeats(line: Sequence[str]) -> list[str]:
    """Take a word of a command away that was typed twice, or the whole command."""
    if line[:2] == line[2:4]:
        return list(line[2:])
    before = ["", *line]
    return [
        word for last, word in zip(before, line, strict=False) if word != last or word not in VERBS
    ]


def _without_marks(line: Sequence[str]) -> list[str]:
    """Take signs away that stand around a name or an ID, and part several IDs.

    An ID that blanks or the end of a line have parted is put together.
    """
    joined = list[str]()
    plain = [part for word in line for part in _unmarked(word)]
    for word in plain:
        is_part = re.fullmatch("[0-9a-fA-F]{4,12}", word) and joined
        if is_part and re.fullmatch("[0-9a-fA-F]{4,12}", joined[-1]):
            joined[-1] += word
        else:
            joined.append(word)
    return joined if all(map(parse_id, {*joined} - {*plain})) else plain


def _unmarked(word: str) -> list[str]:
    name, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    inner = value.strip(",;.:()/")
    if value and not inner and not name:
        return []
    if re.fullmatch(_MARKED, inner):
        value = inner = inner.strip("<>[]{}\"'`")
        if inner in {"ID", "NAME", "FILE", "TEXT"}:  # of a help, where nothing was put for it
            return [word]
    ids = [
        re.sub("(?i)^(?:0x|#|id[=:])", "", one) for one in re.split("[,;]+", "".join(inner.split()))
    ]
    return ids if all(map(parse_id, ids)) else [name + equals + value]


def _with_tight_equals(line: Sequence[str]) -> list[str]:
    """Join an option to its value where there are blanks beside the sign between them."""
    return list(_tightened(line))


def _tightened(line: Sequence[str]) -> Iterator[str]:
    pending = ""
    for place, word in enumerate(line):
        following = next(iter(line[place + 1 : place + 2]), "")
        is_open = word == "=" or (word.startswith("--") and word.endswith("="))
        is_loose = word.startswith("--") and "=" not in word and following.startswith("=")
        pending += word
        if not (is_loose or (is_open and following)):
            yield pending
            pending = ""
    if pending:
        yield pending


_KINDS: Final = (
    _Kind("is one word because of the quotes around it", _parted),
    _Kind("stands before a command and is no part of it", _without_prompt),
    _Kind("has a character that cannot be seen", _without_unseen),
    _Kind("has the end of a line in it", _without_line_ends),
    _Kind("has a blank of a web page, which parts no words", _with_blanks),
    _Kind("has a dash where hyphens belong", _with_hyphens),
    _Kind("has curled quotes, which no shell takes away", _without_quotes),
    _Kind("has blanks beside its =", _with_tight_equals),
    _Kind("is there twice", _without_repeats),
    _Kind("stands before the command, behind which it belongs", _with_options_behind),
    _Kind("has signs or blanks beside it that are no part of it", _without_marks),
)
