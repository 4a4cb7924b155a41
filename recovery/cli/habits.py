"""What people type from habit: the words and options of `influx`, `influxd recovery` and others.

Lives here: the tables of such words, and the step that puts a command line into the words of this
program before it is understood. Must not live here: the words of this program
(`recovery.cli.vocabulary`), and guesses, which are answered and never carried out
(`recovery.cli.words`).

Invariants: only a word whose meaning is certain is translated. None of them permits more than what
was typed. A line in the words of this program comes out as it went in.

Source: influx-cli 2.7, cmd/influx/auth.go, user.go, org.go, org_members.go, bucket.go, v1_auth.go
and global.go; InfluxDB v2.9.1 cmd/influxd/recovery.
"""

from collections.abc import Iterator, Sequence
from itertools import dropwhile, pairwise
from typing import Final

from recovery.cli.usage import UsageError
from recovery.cli.vocabulary import COMMANDS, NOUNS, PROGRAM
from recovery.cli.words import Parser
from recovery.model.display import quoted
from recovery.model.ids import parse_id, why_no_id

OTHER_TOOLS: Final = frozenset({"influx", "influxd", PROGRAM})
_NOUNS: Final = {
    "authorization": "auth", "authorizations": "auth", "auths": "auth",
    "token": "auth", "tokens": "auth",
    "v1": "v1", "users": "user",
    "authorisation": "auth", "authorisations": "auth",
    "organization": "org", "organizations": "org", "orgs": "org",
    "organisation": "org", "organisations": "org",
    "buckets": "bucket",
}  # fmt: skip
_LISTED: Final = ("auth", "v1-auth", "user", "org", "bucket", "ledger")
_SWITCHED: Final = {
    "activate": "active", "reactivate": "active", "enable": "active", "active": "active",
    "set-active": "active",
    "deactivate": "inactive", "inactivate": "inactive", "disable": "inactive",
    "inactive": "inactive", "set-inactive": "inactive",
}  # fmt: skip
_PASSWORD: Final = ("password", "passwd", "set-password", "reset-password", "change-password")

SYNONYMS: Final[dict[str, str]] = {
    **{f"{noun} {verb}": f"{noun} list" for noun in _LISTED for verb in ("ls", "find")},
    **{
        f"{noun} {verb}": f"{noun} set-{state}"
        for noun in ("auth", "v1-auth")
        for verb, state in _SWITCHED.items()
    },
    **{
        f"user {verb}": "user activate" if state == "active" else "user deactivate"
        for verb, state in _SWITCHED.items()
    },
    **{
        f"{noun} {verb}": f"{noun} delete"
        for noun in ("auth", "v1-auth", "user")
        for verb in ("remove", "rm")
    },
    **{f"user {verb}": "user update" for verb in _PASSWORD},
    **{f"v1-auth {verb}": "v1-auth set-password" for verb in _PASSWORD},
    "user add": "user create",
    "org remove-owner": "org remove-member",
    "org members add": "org add-member",
    "org members remove": "org remove-member",
    "org members list": "org list",
    "org members ls": "org list",
    "org members find": "org list",
    "passwd": "user update",
}
"""Commands that mean one of ours, without doubt."""

ADVICE: Final[dict[str, str]] = {
    "store restore": "type influx-recovery store undo to take back what was done last, or "
    "influx-recovery store backups to see the copies, or influx-recovery store prepare-restore "
    "BACKUP_FOLDER for a backup that influx restore refuses",
    **dict.fromkeys(
        ("org remove", "org rm"),
        "type influx-recovery org remove-member --org NAME --username NAME to end the role of a "
        "user, or influx-recovery org delete --org NAME to delete an organization without data",
    ),
    "auth revoke": "type influx-recovery auth set-inactive ID to refuse the token until it is set "
    "active again, or influx-recovery auth delete ID to delete it",
}
"""Commands with more than one meaning here, or none, and what can be done instead."""

_OPTIONS: Final[dict[str, tuple[str, ...]]] = {
    "-o": ("--org", "--member-of"),
    "--org": ("--org", "--member-of"),
    "--org-id": ("--org", "--member-of"),
    **dict.fromkeys(("--organization", "--organisation"), ("--org", "--member-of")),
    "-u": ("--user", "--username"),
    "--user": ("--user", "--username"),
    "--user-id": ("--user", "--username"),
    "--username": ("--username", "--user"),
    "-i": ("--id", ""),
    "--id": ("--id", ""),
    "-n": ("--name",),
    "-d": ("--description",),
    "-p": ("--password",),
    "-b": ("--bucket",),
    "-r": ("--retention",),
}
"""Options by what they are here: the first that the command has; "" is its word without a name."""
SHORT: Final = tuple(name for name in _OPTIONS if not name.startswith("--"))
"""Short options of influx, which take a value."""
_TARGETS: Final = ("--output", "--out", "--to", "--target", "--dest", "--destination")
_OPTIONS_OF: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "user": {
        **dict.fromkeys(("-n", "--name"), ("--username",)),
        "--user-id": ("--id", "--username"),
    },
    "user rename": dict.fromkeys(("-n", "--name"), ("--new-name",)),
    "user list": dict.fromkeys(("-n", "--name"), ("--name",)),
    "bucket": {
        **dict.fromkeys(("-i", "--id"), ("--id", "--name")),
        **dict.fromkeys(("-b", "--bucket"), ("--name",)),
    },
    "bucket rename": {"-n": ("--new-name",), **dict.fromkeys(("-i", "--id"), ("--name",))},
    "v1-auth list": {"--username": ("--username",)},
    "org": {
        **dict.fromkeys(("-n", "--name", "-i", "--id", "--org-id"), ("--org",)),
        **dict.fromkeys(("-m", "--member"), ("--username",)),
    },
    "org rename": dict.fromkeys(("-n", "--name"), ("--new-name",)),
    "org list": {
        **dict.fromkeys(("-n", "--name", "-o", "--org"), ("--name",)),
        **dict.fromkeys(("-i", "--id", "--org-id"), ("--id",)),
    },
    "v1-auth": {"--username": ("--username", "")},
    **dict.fromkeys(
        ("store backup", "store compact", "store export", "store report", "store salvage"),
        dict.fromkeys(("-o", *_TARGETS), ("",)),
    ),
    "auth export": dict.fromkeys(_TARGETS, ("",)),
}
"""The same for the commands of one noun, and for one command, which go first."""
_WORDS: Final = frozenset({"id", "which", "target", "destination", "file"})
"""Fields of words that are given without an option."""
_FORMATS: Final = frozenset({"json", "yaml", "yml", "csv", "table", "text", "wide"})
_ARE_IDS: Final = frozenset({"--org-id", "--user-id"})
_IDS: Final = frozenset({"-i", "--id"})
_NEW_NAME: Final = frozenset({"-n", "--name"})
_NEW_NAMES: Final = _NEW_NAME | {"--new-name"}
_DESCRIPTION: Final = frozenset({"-d", "--description"})
_BESIDE_NAME: Final = _DESCRIPTION | {"-r", "--retention"}
"""What `influx org update` and `influx bucket update` change together with a name."""
_MANY: Final = frozenset({"--read-bucket", "--write-bucket"})

BARE: Final[dict[str, tuple[str, ...]]] = {
    **{
        f"user {verb}": ("--username",)
        for verb in ("show", "create", "update", "activate", "deactivate", "delete")
    },
    "user verify-password": ("--username",),
    "user list": ("--name",),
    "v1-auth list": ("--username",),
    "user undelete": ("--username",),
    "user rename": ("--username", "--new-name"),
    "org create": ("--org",),
    "org rename": ("--org", "--new-name"),
    **{f"org {verb}": ("--org",) for verb in ("list", "update", "delete")},
    **{f"bucket {verb}": ("--name",) for verb in ("list", "create", "update", "delete")},
    "bucket rename": ("--name", "--new-name"),
    "instance add-owner": ("--username",),
}
"""What a word without an option's name means in a command that has only options."""

_FILLERS: Final = frozenset({"to", "as", "into", "with", "named", "called", "=", "->"})
"""Words between two names in a sentence."""
_OF_A_SERVER: Final = frozenset(
    {
        "--host", "--skip-verify", "--configs-path", "-c", "--active-config", "--http-debug",
        "-t", "--token", "--page-size", "--trace-debug-id", "--http-header",
    }
)  # fmt: skip

_OF_INFLUXD: Final = (
    "--assets-path", "--config-path", "--e2e-testing", "--engine-path", "--feature-flags",
    "--flux-log-enabled", "--hardening-enabled", "--http-", "--influxql-", "--instance-id",
    "--metrics-disabled", "--new-meta-store", "--no-tasks", "--overwrite-pid-file", "--pid-file",
    "--pprof-disabled", "--query-", "--reporting-disabled", "--secret-store", "--session-",
    "--sqlite-path", "--storage-", "--strong-passwords", "--template-file-urls-disabled",
    "--testing-", "--tls-", "--tracing-type", "--ui-disabled", "--use-hashed-tokens", "--vault-",
)  # fmt: skip
"""Options of influxd, or how several of them begin."""
_FOR_TOKENS: Final = {
    "--token-value-file": "--token-value-file FILE gives the new token the value in a file",
    "--token-stdout": "--token-file PATH is the new file for the new token",
    "--token-file": "type the token when it is asked for, or give --token-file FILE with the token "
    "in it",
}
"""What there is for a token in a command, by an option that tells them apart."""


ASKING: Final = frozenset({"-h", "--help", "--help-all"})
"""Options after which nothing is looked at any more."""


def in_our_words(argv: Sequence[str], valued: frozenset[str]) -> list[str]:
    """Put the words of a command into those of this program; options stay as they are.

    Args:
        argv: What was typed after the program's name.
        valued: The common options that take a value.

    Returns:
        The same line, with `help` as `--help`, `help all` as `--help-all` and `version` as
        `--version`.
    """
    argv = ["--version" if typed == "-V" else typed for typed in _with_help_all(argv, valued)]
    places = list(bare_places(argv, valued))
    line: list[str | None] = list(argv)
    asks_help = False
    path, taken = "", list[int]()
    for place in places:
        word = argv[place]
        if not path and word == "recovery":
            line[place] = None
            continue
        if word == "help" and not asks_help:
            line[place], asks_help = None, True
            continue
        if not path and word == "version":
            line[place] = "--version"
            break
        longer = _joined(path, word)
        if longer is None:
            break
        path, taken = longer, [*taken, place]
        if path in COMMANDS and not _continues(path):
            break
    command = SYNONYMS.get(path, path) if path not in COMMANDS else path
    command = _of_update(command, path, argv)
    if taken and (command in COMMANDS or command in NOUNS):
        for place in taken[1:]:
            line[place] = None
        at = taken[0]
        ours = [word for word in line[:at] if word is not None]
        rest = [word for word in line[at + 1 :] if word is not None]
        typed = [*ours, *command.split(), *rest]
    else:
        typed = [word for word in line if word is not None]
    return [*typed, "--help"] if asks_help else typed


def _with_help_all(argv: Sequence[str], valued: frozenset[str]) -> list[str]:
    """Write `--help all`, and `help` with `all` at the end, as one option.

    An option for help in front of words is put behind them: `--help auth list` is about a command.
    """
    for place, (typed, following) in enumerate(pairwise(argv)):
        if typed in ASKING and following == "all":
            return [*argv[:place], "--help-all"]
        if typed in ASKING and not following.startswith("-"):
            words = " ".join([*argv[:place], *argv[place + 1 :]][:2])
            if following in COMMANDS or following in known_words("") or words in COMMANDS:
                return [*argv[:place], *argv[place + 1 :], typed]
            break
    places = list(bare_places(argv, valued))
    ends = {*places[:1], *places[-1:]}
    if len(ends) > 1 and (argv[min(ends)], argv[max(ends)]) == ("help", "all"):
        return [*(word for place, word in enumerate(argv) if place not in ends), "--help-all"]
    return list(argv)


def bare_places(argv: Sequence[str], valued: frozenset[str]) -> Iterator[int]:
    """Find the words that are neither an option nor the value of a common one."""
    is_value = False
    for place, typed in enumerate(argv):
        if is_value:
            is_value = False
        elif typed == "--" or typed in ASKING:
            return
        elif typed.startswith("-"):
            is_value = typed in valued
        else:
            yield place


def _joined(path: str, word: str) -> str | None:
    """Go one word further; None where no command continues so."""
    if not path:
        word = _NOUNS.get(word, word)
    elif (path, word) == ("org", "member"):
        word = "members"
    elif path == "v1":
        return "v1-auth" if word in {"auth", "authorization"} else None
    longer = f"{path} {word}".lstrip()
    known = longer in COMMANDS or longer in NOUNS or longer in SYNONYMS or longer in ADVICE
    return longer if known or longer in {"v1", "org members"} else None


def _continues(path: str) -> bool:
    return any(longer.startswith(f"{path} ") for longer in SYNONYMS)


def _of_update(command: str, path: str, argv: Sequence[str]) -> str:
    """Tell what depends on an option.

    `influx user update` and `influx org update` give another name, and have no option for a
    password, beside which a name says whose it is, unless an ID does; `influx bucket update` does
    so where the bucket is named by its ID; `influx org members add` makes an owner when told so.
    """
    names = _names(argv)
    if path == "bucket update" and names & _NEW_NAME and names & _IDS:
        return "bucket rename"
    if path == "user update" and any(map(_is_of_password, names)):
        return "user rename" if names & _NEW_NAME and names & {*_IDS, "--user-id"} else command
    is_described = bool(names & _DESCRIPTION)
    if path == "org update" and is_described and not names & {*_IDS, "-o", "--org", "--org-id"}:
        return command
    if path in {"user update", "org update"} and names & _NEW_NAME:
        return f"{path.partition(' ')[0]} rename"
    if path == "org members add" and "--owner" in names:
        return "org add-owner"
    return command


def _is_of_password(name: str) -> bool:
    return name.startswith(("-p", "--pass"))


def _names(argv: Sequence[str]) -> set[str]:
    return {typed.partition("=")[0] for typed in argv}


def _require_one_change(argv: Sequence[str], words: str, command: Parser) -> None:
    """Refuse another name together with what is another command here, and say both.

    The name comes last, so that the old one still says which in both. A password is not repeated.
    """
    names = _names(argv)
    others = {name for name in names if name in _BESIDE_NAME or _is_of_password(name)}
    if words not in {"user rename", "org rename", "bucket rename"} or not others or names & ASKING:
        return
    update, rename = f"{words.partition(' ')[0]} update".split(), words.split()
    lines: tuple[list[str], ...] = (update, rename)
    rest, is_value, is_named = list(rename), False, False
    for typed in argv:
        name, equals, _ = typed.partition("=")
        if typed in rest and not is_value:
            rest.remove(typed)
            continue
        if is_value:
            is_value = False
        elif typed.startswith("-"):
            lines = (update, rename)
            if name in others | _NEW_NAMES:
                lines = (update if name in others else rename,)
            if _is_of_password(name) and name != "--password-file":
                lines = ()
            action = command.options.get(name)
            is_glued = equals or (name[:2] == "-p" and name != "-p")
            is_value = not is_glued and (action is None or action.nargs != 0)
        else:  # the second word without an option is the new name
            lines = (rename,) if is_named else (update, rename)
            is_named = True
        for line in lines:
            line.append(quoted(typed))
    is_asked = words == "user rename" and "--password-file" not in names
    asks = ", which asks for the password," if is_asked else ""
    raise UsageError(
        problem=f"{PROGRAM} {words} changes nothing but the name",
        hint=f"type {PROGRAM} {' '.join(update)}{asks} and then {PROGRAM} {' '.join(rename)}",
    )


def advice_for(bare: Sequence[str]) -> str | None:
    """Say what can be done, as a clause, instead of a command that has no single meaning here.

    Args:
        bare: All words of the line that are neither an option nor the value of a common one.
    """
    words = list(dropwhile({*OTHER_TOOLS, "recovery"}.__contains__, bare))
    words[:1] = [_NOUNS.get(word, word) for word in words[:1]]
    nouns = {"restore": "store", "revoke": "auth"}
    words[:0] = [nouns[word] for word in words[:1] if word in nouns]
    if f"{' '.join(words[:2])}-{''.join(words[2:3])}" in COMMANDS:
        return None
    typed = " ".join(words)
    found = (text for words, text in ADVICE.items() if f"{typed} ".startswith(f"{words} "))
    return next(found, None)


def known_words(noun: str) -> dict[str, str]:
    """List what can be typed behind a noun, or "" for the first word, and which word each means."""
    found = {
        words.rpartition(" ")[2]: ours
        for words, ours in [*SYNONYMS.items(), *((own, own) for own in COMMANDS)]
        if words.rpartition(" ")[0] == noun
    }
    if not noun:
        found |= {word: ours for word, ours in _NOUNS.items() if ours in NOUNS}
        found |= {own: own for own in NOUNS}
    return found


def with_our_options(argv: Sequence[str], words: str, command: Parser) -> list[str]:
    """Put the options of other tools into those of a command.

    Args:
        argv: What was typed, after `in_our_words`.

    Raises:
        UsageError: An option is for a running server, for another command, says the same twice,
            or has an ID that is none.
    """
    _require_one_change(argv, words, command)
    # where an ID says which, a name is the new one, as in influx
    is_new = words == "bucket rename" and _names(argv) & _IDS and "--new-name" not in _names(argv)
    line: list[str] = []
    bare = BARE.get(words, ())
    rest = [typed for typed in words.split() if typed in argv]
    said: dict[str, str] = {}
    # influx v1 auth create has no word for the new name; ours has, and a user of 2.x beside it.
    is_named_so = ("v1-auth create", "" if _has_own_word(argv, words, command) else "--username")
    is_value, is_over, is_dropped, is_known = False, False, False, True
    for place, typed in enumerate(argv):
        name, equals, value = typed.partition("=")
        if is_dropped:
            is_dropped = False
        elif is_value or is_over or typed == "--":
            is_over = is_over or (typed == "--" and not is_value)
            is_value = False
            line.append(typed)
        elif not typed.startswith("-") or typed == "-":
            # behind an option that nobody knows it may be the value of that
            line.append(_bare_word(typed, rest, bare, said, command) if is_known else typed)
        else:
            name = "-n" if is_new and name == "--name" else name
            ours = "" if (words, name) == is_named_so else option_meant(name, words, command)
            if ours is None:
                _refuse_server_option(name, argv[place:], command)
                is_known = False
                line.append(typed)
                continue
            following = value if equals else next(iter(argv[place + 1 : place + 2]), "")
            if (ours, following) == ("--token-file", "-") and "--token-stdout" in command.options:
                line.append("--token-stdout")
                is_dropped = not equals
                continue
            takes_value = not ours or command.options[ours].nargs != 0
            if takes_value:
                _refuse_odd_value(name, ours, following, said)
            line += [ours + equals + value] if ours else ([value] if equals else [])
            is_value = takes_value and not equals
    return [typed for typed in line if not (words == "org add-owner" and typed == "--owner")]


def _has_own_word(argv: Sequence[str], words: str, command: Parser) -> bool:
    """Say whether there is a word besides those of the command and the values of options."""
    rest = words.split()
    is_value = False
    for typed in argv:
        name, equals, _ = typed.partition("=")
        if is_value:
            is_value = False
        elif typed.startswith("-"):
            action = command.options.get(option_meant(name, words, command) or name)
            is_value = action is not None and action.nargs != 0 and not equals
        elif typed in rest:
            rest.remove(typed)
        else:
            return True
    return False


def _bare_word(
    typed: str, rest: list[str], bare: tuple[str, ...], said: dict[str, str], command: Parser
) -> str:
    """Give a word without a name the name of the option that it means and that was not given."""
    if rest and typed == rest[0]:
        del rest[0]
        return typed
    if not bare:
        return typed
    meant = next((ours for ours in bare if ours not in said), None)
    if meant is None:  # it is not repeated: it may be a password
        filler = next((word for word in said.values() if word in _FILLERS), None)
        if filler is not None:
            raise UsageError(
                problem=f"{command.prog} takes no further word beside {' and '.join(bare)}",
                hint=f"leave '{filler}' out",
            )
        asks = "what is secret is asked for, or comes with --password-file FILE"
        quotes = "one is named at a time, and a name with blanks stands in quotes"
        raise UsageError(
            problem=f"{command.prog} takes no further word beside {' and '.join(bare)}",
            hint=f"leave it out; {asks if '--password-file' in command.options else quotes}",
        )
    said[meant] = typed if typed in _FILLERS else "a word without an option"
    return f"{meant}={typed}"


def option_meant(name: str, words: str, command: Parser) -> str | None:
    """Find what an option is called in a command; None when it means nothing there."""
    noun = words.partition(" ")[0]
    is_own = name in command.options
    for table in (_OPTIONS_OF.get(words, {}), _OPTIONS_OF.get(noun, {}), _OPTIONS):
        for ours in table.get(name, ()):
            if ours in command.options or (not ours and _has_word(command)):
                return name if is_own and ours != name and words not in _OPTIONS_OF else ours
    return name if is_own else None


def takes(name: str, command: Parser) -> str | None:
    """Say whether a command takes a long option of other tools: give the option, or None."""
    if name not in _OPTIONS or option_meant(name, command.prog.partition(" ")[2], command) is None:
        return None
    return name


def _has_word(command: Parser) -> bool:
    return any(action.dest in _WORDS for action in command.actions)


def _refuse_server_option(name: str, argv: Sequence[str], command: Parser) -> None:
    """Refuse an option of a server, with all others of that kind in the rest of the line."""
    if name == "--hide-headers":
        raise UsageError(
            problem=f"{command.prog} prints no table of records", hint=f"leave {name} out"
        )
    if name in _OF_A_SERVER:
        instead = (text for option, text in _FOR_TOKENS.items() if option in command.options)
        store = "--bolt-path FILE names the store"
        typed = dict.fromkeys(one.partition("=")[0] for one in argv)
        *others, last = (one for one in typed if one in _OF_A_SERVER - command.options.keys())
        named = f"{', '.join(others)} and {last}" if others else last
        is_token = typed.keys() & _OF_A_SERVER <= {"-t", "--token"}
        raise UsageError(
            problem=f"{named} {'are' if others else 'is'} for a running server, and {command.prog} "
            "works on the file of a stopped one",
            hint=f"leave {named} out; {next(instead, store) if is_token else store}",
        )
    if name.startswith(_OF_INFLUXD) and "--listen" not in command.options:
        path = name in {"--engine-path", "--sqlite-path", "--config-path"}
        variable = f"INFLUXD_{name[2:].replace('-', '_').upper()}"
        raise UsageError(
            problem=f"{name} is an option of influxd, and {command.prog} does not start it",
            hint=f"leave {name} out" + (f"; the variable {variable} says it" if path else ""),
        )


def _refuse_odd_value(name: str, ours: str, value: str, said: dict[str, str]) -> None:
    if name == "-o" and value in _FORMATS:
        what = "an organization, as in influx" if ours else "the new file"
        raise UsageError(
            problem=f"-o names {what}",
            hint="type --json for a JSON document, or "
            + (f"--org {value} for the organization" if ours else f"./{value} for the file"),
        )
    if name in _ARE_IDS and name != ours and parse_id(value) is None:
        raise UsageError(
            problem=f"the value of {name} is no ID{why_no_id(value)}",
            hint=f"give a name with {ours}, or leave it out",
        )
    before = said.setdefault(ours, name)
    if before != name and ours not in _MANY:
        raise UsageError(
            problem=f"{before} and {name} say the same and cannot be given together",
            hint=f"leave {name} out",
        )
