"""What a word that is no command, or an option that a command does not have, probably means.

Lives here: words of other tools, of English, German, French and Spanish, by what is done with
them, and the step from what was typed to a proposal. Must not live here: what is certain and is
carried out (`recovery.cli.habits`), and slips of the fingers (`recovery.cli.words`).

Invariants: a proposal is never carried out. It never permits more than the typed word says: no word
but one that says so leads to `auth create-operator` or a `set-active`, and no option to one that
answers yes. This is imported only where a command line cannot be understood.
"""

import re
from collections.abc import Collection, Sequence
from itertools import takewhile
from typing import Final

from recovery.cli.habits import OTHER_TOOLS, known_words
from recovery.cli.plain import NAMES, PATHS
from recovery.cli.vocabulary import COMMANDS, NOUNS
from recovery.cli.words import GRANTING, Parser, nearest_word, shown, typed_as
from recovery.model.display import quoted
from recovery.model.ids import parse_id


def _words(said: str, *meant: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(said.split(), meant)


_ACTS: Final = {
    **_words("new add make generate gen mint issue erstellen anlegen neu neuer", "create"),
    **_words("creer ajouter crear anadir", "create"),
    **_words("del destroy drop erase purge rm remove loschen loeschen entfernen", "delete"),
    **_words("supprimer effacer borrar eliminar", "delete"),
    **_words("ls all find search print show-all liste auflisten anzeigen zeigen", "list"),
    **_words("lister afficher listar mostrar", "list"),
    **_words("show get info describe view details inspect status whoami cat", "show", "list"),
    **_words("mv name umbenennen renommer renombrar", "rename"),
    **_words("edit modify mod change set andern aendern modifier cambiar", "update"),
    **_words("check test validate try", "verify", "verify-password"),
    **_words("renew regenerate refresh replace roll reset rotate-all", "rotate"),
    **_words("restore recover undrop", "undelete"),
    **_words("undo rollback revert", "store undo"),
    **_words("lock block suspend ban sperren deaktivieren", "deactivate", "set-inactive"),
    **_words("desactiver bloquer desactivar bloquear", "deactivate", "set-inactive"),
    **_words("aktivieren activer activar", "activate", "set-active"),
    **_words("dump save export-all", "export"),
    **_words("expire invalidate off", "set-inactive", "deactivate"),
    **_words("hash-all", "hash"),
}
"""Verbs by what is done: the first that a noun has, or a whole command."""
_RESET: Final = (
    "pw pwd reset reset-pw reset-pwd set-pw set-pwd setpasswd change-pw change-passwd "
    "resetpassword setpassword password-reset update-password passwort kennwort mot-de-passe "
    "motdepasse contrasena"
)
_RECIPES: Final = (
    "docker podman compose kubernetes kubernetes-init helm systemd backup synology qnap "
    "home-assistant rescue ansible"
)
_OF_NOUN: Final = {
    "auth": {
        **_words("operator", "create-operator"),
        **_words("permissions scopes", "show"),
        **_words("reveal tokens", "list"),
    },
    "user": {
        **_words(_RESET, "update"),
        **_words("role roles permissions", "show"),
        **_words("login check-password check-passwd test-password", "verify-password"),
        **_words("token tokens auth auths", "auth list"),
    },
    "v1-auth": _words(_RESET, "set-password"),
    "org": {
        **_words("member members owner owners user users", "list"),
        **_words("add-user adduser", "add-member"),
        **_words("remove-user kick remove-members", "remove-member"),
    },
    "store": {
        **_words("fix heal mend reparieren reparer reparar", "repair"),
        **_words("doctor verify validate fsck test prufen pruefen verifier verificar", "check"),
        **_words("stat stats status show describe", "info"),
        **_words("ls list search locate where finden suchen", "find"),
        **_words("dump copy cp clone save snapshot sichern sicherung", "backup"),
        **_words("sauvegarder respaldar respaldo", "backup"),
        **_words("rollback revert zuruck ruckgangig annuler deshacer", "undo"),
        **_words("prune list-backups backup-list copies", "backups"),
        **_words("clean cleanup vacuum shrink defrag optimize", "compact"),
        **_words("recover rescue retten", "salvage"),
        **_words("recreate", "rebuild"),
        **_words("create new init", "setup"),
        **_words("compare", "diff"),
        **_words("sqlite to-sql export-sqlite", "export"),
        **_words("html report-html", "report"),
        **_words("restore wiederherstellen", "undo", "prepare-restore"),
    },
    "ledger": _words("log", "list"),
    "recipe": _words(_RECIPES, "show"),
    "": {
        **_words("password passwd reset-password change-password set-password", "user update"),
        **_words("passwort kennwort mot mot-de-passe motdepasse contrasena", "user update"),
        **_words("operator", "auth create-operator"),
        **_words("list ls show liste tokens", "auth list"),
        **_words("whoami", "user list"),
        **_words("useradd adduser", "user create"),
        **_words("userdel deluser", "user delete"),
        **_words("history log logs audit", "ledger list"),
        **_words("server web ui gui api daemon", "serve"),
    },
}
"""The same of one noun, which go first; those of the store are also taken without `store`."""
RECIPES: Final = frozenset(_RECIPES.split())
"""Words that name a recipe, where a command on one was expected."""
_THINGS: Final = {
    "benutzer": "user", "nutzer": "user", "person": "user", "people": "user",
    "utilisateur": "user", "utilisateurs": "user", "usuario": "user", "usuarios": "user",
    "organizacion": "org", "jeton": "auth", "jetons": "auth",
    "organisationen": "org",
    "recipes": "recipe", "rezepte": "recipe", "backups": "store", "backup": "store",
    "database": "bucket", "databases": "bucket", "db": "bucket", "dbs": "bucket",
    "v1": "v1-auth", "authentication": "auth",
    "password": "user", "passwd": "user", "passwort": "user", "operator": "auth",
    "mot-de-passe": "user", "contrasena": "user",
    "apikey": "auth", "apikeys": "auth", "api-key": "auth", "api-keys": "auth",
    "api-token": "auth", "api-tokens": "auth", "key": "auth", "keys": "auth",
    "credential": "auth", "credentials": "auth",
}  # fmt: skip
"""What is acted on, besides the nouns and what `habits` knows."""
_BY_THING: Final = dict.fromkeys(
    ("password", "passwd", "passwort", "mot-de-passe", "contrasena"), "user update"
)
_VAGUE: Final = frozenset(
    {"ls", "new", "search", "show", "dump", "save", "copy", "init", "describe"}
)
"""Verbs that alone say nothing of a store."""
_ELSEWHERE: Final = {
    "query write ping task tasks secret secrets telegrafs dashboards stacks template apply config "
    "remote replication scripts bucket-schema server-config transpile": (
        "{} needs a running server",
        "start influxd, and type influx {} --help",
    ),
    "inspect upgrade downgrade print-config": (
        "{} is a command of influxd",
        "type influxd {} --help",
    ),
    "influx_inspect influx_tsm influx_stress": (
        "{} is a tool of InfluxDB 1.x",
        "type influxd inspect --help for what InfluxDB 2 has, or influx-recovery store check",
    ),
    "man": ("the manual is no command", "type influx-recovery help all, or man influx-recovery"),
    "systemctl service docker podman kubectl sudo kill chown chmod journalctl exit quit su id "
    "watch grep less": (
        "{} is a command of the system",
        "type it without influx-recovery before it",
    ),
    "start stop restart run reload enable disable": (
        "influx-recovery neither starts nor stops a server",
        "type systemctl status influxdb, or what your container or NAS has for it",
    ),
    "lost lost-token forgot locked locked-out lockout admin admin-token root super wizard guide "
    "menu interactive tui hilfe aide ayuda": (
        "{} is no command",
        "type influx-recovery alone, which says what is wrong and offers what can be done",
    ),
}
"""Words that belong somewhere else: what is wrong with them, and what to do."""
_SEPARATORS: Final = str.maketrans("_./:", "----")
_JOINED: Final = dict.fromkeys(map(ord, " -"))
_ARTICLES: Final = frozenset({"a", "an", "the", "my", "all", "every", "of", "me"})
PROPOSED_MAX: Final = 3

_OPTIONS: Final = {
    **_words("--bolt --path --file --store --db --database --data --data-dir", "--bolt-path"),
    **_words("--from --source --src --input --in", "--bolt-path"),
    **_words("--orgname --org-name --orga --orgid", "--org"),
    **_words("--user-name --usr --users --login --userid", "--username", "--user"),
    **_words("--h -? -H --usage", "--help"),
    **_words("--ttl --expire --expiry --duration --expires", "--retention"),
    **_words("--format --output-format --csv --yaml", "--json"),
    **_words("--quiet -q --verbose -v --debug", "--log-level"),
    **_words("--dryrun --simulate --what-if --whatif --check --test --preview --noop", "--dry-run"),
    **_words("-n --plan", "--dry-run"),
    **_words("--passwd --pass --pw --pwd --password -p --new-password", "--password-file"),
    **_words("--old-name --old --current-name", "--username", "--org", "--name"),
    **_words("--comment --note --title --beschreibung", "--description"),
    **_words("--desc --descending", "--description", "--reverse"),
    **_words("--engine --engine-dir", "--engine-path"),
    **_words("--sqlite --sqlite-file", "--sqlite-path"),
    **_words("--log --loglevel", "--log-level"),
    **_words("--bind --port --http-bind-address --address", "--listen"),
    **_words("--why --grund", "--reason"),
    **_words("--filter --grep --search --find --name --like", "--match"),
    **_words("--order --sort-by --order-by --sortby", "--sort"),
    **_words("--max --head --top --count --first -l", "--limit"),
    **_words("--skip --start", "--offset"),
    **_words("--except --exclude --but --all-but --keep", "--all-but", "--except"),
    **_words("--to --as --new --newname --rename-to", "--new-name"),
    **_words("--auth-id --token-id --authid --record-id", "--id"),
    **_words("--no-headers --no-header --noheaders --no-heading", "--hide-headers"),
    **_words("-z --gz --compress --compressed", "--gzip"),
}
"""Options of other tools; the first that the command has."""
_ADVICE_ON_OPTIONS: Final[dict[tuple[str, str], str]] = {
    **dict.fromkeys(
        (("auth update", name) for name in ("--status", "--active", "--inactive", "--disable")),
        "type influx-recovery auth set-inactive ID to refuse the token, or influx-recovery auth "
        "set-active ID to let it in",
    ),
    **dict.fromkeys(
        (("auth create", name) for name in ("--bucket", "--buckets", "-b", "--db", "--database")),
        "give --read-bucket NAME to let it read the bucket, --write-bucket NAME to let it write",
    ),
    **dict.fromkeys(
        (("auth list", name) for name in ("--active", "--inactive")),
        "type --status active or --status inactive",
    ),
    **dict.fromkeys(
        (("store backups", name) for name in ("--prune", "--delete", "--remove", "--clean")),
        "type influx-recovery store backups prune, which shows what would go and asks",
    ),
    **dict.fromkeys(
        (
            (f"auth {verb}", name)
            for verb in (
                "show",
                "delete",
                "update",
                "set-active",
                "set-inactive",
                "hash",
                "complete",
            )
            for name in ("--user", "--username", "--org", "-u", "-o")
        ),
        "type influx-recovery auth list --user NAME to see the IDs",
    ),
    **dict.fromkeys(
        (("user list", name) for name in ("--org", "-o", "--org-id")),
        "type influx-recovery org list --org NAME, which says who belongs to it",
    ),
    **dict.fromkeys(
        (("auth create", name) for name in ("--name", "-n")),
        "give --description TEXT: a token has no name",
    ),
    **dict.fromkeys(
        (
            (f"{noun} list", name)
            for noun in ("auth", "v1-auth", "user", "org", "bucket")
            for name in ("-a", "-A", "--all", "--all-namespaces", "--no-trunc", "--wide")
        ),
        "leave it out: all are listed, whole",
    ),
    **dict.fromkeys(
        (("store undo", name) for name in ("--id", "--number", "--to", "--last", "-n")),
        "leave it out: what was done last is taken back, and by the next one what was done before",
    ),
    **dict.fromkeys(
        (("ledger list", name) for name in ("-n", "--last", "--tail")),
        "type --limit N for the last N",
    ),
    ("bucket create", "--schema-type"): "leave it out: only InfluxDB Cloud has explicit schemas",
    **dict.fromkeys(
        ((f"bucket {verb}", "--shard-group-duration") for verb in ("create", "update")),
        "leave it out: it follows from --retention, and influx bucket update gives another one",
    ),
    ("", "-v"): "type --version for the version",
    ("auth list", "--operator"): "type --operators for those that are operators",
    **dict.fromkeys(
        ((f"{noun} undelete", name) for noun in ("auth", "user") for name in ("--list", "--all")),
        "leave it out: without a name or an ID they are listed",
    ),
    **dict.fromkeys(
        (("store check", "--fix"), ("store check", "--repair"), ("store check", "--mend")),
        "type influx-recovery store repair, which shows what it would do and asks",
    ),
    ("user update", "--status"): "type influx-recovery user deactivate --username NAME to keep the "
    "user out, or influx-recovery user activate --username NAME to let it in",
}
_ADVICE_EVERYWHERE: Final = {
    "--watch": "leave it out: what is there is shown once",
    "--config": "set INFLUXD_CONFIG_PATH=FILE before the line, for the store that it names",
    **dict.fromkeys(
        ("--color", "--colour", "--no-color", "--no-colour"),
        "set NO_COLOR=1 for no colours, which a pipe never gets",
    ),
    **dict.fromkeys(
        ("-o", "--output", "--out", "--outfile", "--output-file"),
        "type --json for a JSON document, or > FILE behind the line to put it into a file",
    ),
    **dict.fromkeys(
        ("--expires", "--expire", "--expiry", "--ttl", "--duration", "--valid-for"),
        "leave it out: a token of InfluxDB 2 is in force until it is deleted or set inactive",
    ),
}


_SECRETS: Final = ("--password-file", "--token-file")
NAMING: Final = ("--username", "--user", "--org", "--name", "--id")
"""Options that say whom or what a command is about."""
_ASKING_ELSEWHERE: Final = frozenset({"?", "/?", "/h", "/help"})
"""How other programs are asked for help."""
_OF_NO_ONE_STORE: Final = frozenset({"store diff", "store find", "demo", "schema"}) | {
    words for words in COMMANDS if words.startswith(("recipe ", "completion "))
}
"""Commands that are not about the store which --bolt-path names."""
_ADVICE_ON_CHANGES: Final = {
    **dict.fromkeys(
        ("-y", "-f", "--force", "--confirm", "--no-confirm", "--assume-yes", "--batch"),
        "leave it out: what would be done is shown, and a yes is asked for",
    ),
    "--live": "leave it out, and stop influxd first: a change needs the lock of the store",
}
"""The same of options of every command that changes a store."""


def proposed(word: str, noun: str, bare: Sequence[str]) -> list[str]:
    """Find the commands that were probably meant.

    Args:
        word: The first that is not known.
        noun: The noun before it; "" for none.
        bare: All words of the line that are no options, `word` among them.

    Returns:
        Whole commands, or a noun; none when nothing is near.
    """
    word, *line = (_plain(one) for one in (word, *bare))
    after = line[line.index(word) + 1 :] if word in line else []
    after = [] if after == ["all"] else [one for one in after if one not in _ARTICLES]
    if not noun and word in OTHER_TOOLS:
        return _of_other_tool(after)
    verb, *more = [*word.split("-"), *after]
    where = noun if noun or word not in {"add", "remove"} else "org"
    for one in (word, _ACTS.get(verb, (verb,))[0]):
        longer = f"{where} {one}-{''.join(more[:1])}".replace("remove-owner", "remove-member")
        if longer in COMMANDS:
            return [longer]
    whole = {words.translate(_JOINED): words for words in COMMANDS}.get(word.translate(_JOINED))
    if not noun and whole is not None:
        return [whole]
    parts = [part for one in (word, *after) for part in one.split("-")]
    turned = None if noun else _turned([word, *after]) or _turned(word.split("-")) or _turned(parts)
    if not noun and not turned and word not in _OF_NOUN[""] and (found := _ending_in(word)):
        return found if len(found) <= PROPOSED_MAX else []
    known = turned or _act(word, noun, has_more=bool(after))
    known = known or (None if noun or after else _THINGS.get(word))
    if known is None and (near := nearest_word(word, known_words(noun))):
        known = _with_verb(near, after)
    if known or noun:
        return [known] if known else []
    verbs = {words.rpartition(" ")[2] for words in COMMANDS}
    near = None if word in _ACTS else nearest_word(word, {verb: verb for verb in verbs})
    found = _ending_in(near or word)
    return found if len(found) <= PROPOSED_MAX else []


def _plain(word: str) -> str:
    """Write a word without accents, with hyphens where others have other signs."""
    import unicodedata  # noqa: PLC0415 # only for a mistake

    letters = unicodedata.normalize("NFKD", word.lower()).translate(_SEPARATORS)
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _ending_in(verb: str) -> list[str]:
    """Find the commands of all nouns with a verb."""
    return [words for words in COMMANDS if words.rpartition(" ")[2] == verb]


def advice_on_word(word: str, noun: str, bare: Sequence[str]) -> tuple[str, str] | None:
    """Say what there is about a word that belongs somewhere else.

    Args:
        word: The first that is not known.
        noun: The noun before it; "" for none.
        bare: All words of the line that are no options.

    Returns:
        What is wrong, and what to do; None for a word that nothing is known of.
    """
    if noun or _BY_THING.keys() & {part for one in bare for part in one.split("-")}:
        return None
    if word in known_words("auth") and thing_names().keys() & {*bare}:
        return None
    if word in OTHER_TOOLS:
        word = next((one for one in bare if one not in {*OTHER_TOOLS, "recovery"}), word)
    found = (advice for words, advice in _ELSEWHERE.items() if word in words.split())
    return next(((problem.format(word), hint.format(word)) for problem, hint in found), None)


def _option_meant(name: str, options: Collection[str]) -> str | None:
    """Find the option of a command that one of another tool means; None for none."""
    known = _OPTIONS.get(name) or _OPTIONS.get(name.lower().replace("_", "-"), ())
    return next((one for one in known if one in options), None)


def advice_on_option(name: str, command: str, options: Collection[str]) -> str | None:
    """Say what does the work of an option that a command does not have; None for none."""
    of_changes = _ADVICE_ON_CHANGES if "--yes" in options else {}
    meant = _option_meant(name, options)
    return (
        _ADVICE_ON_OPTIONS.get((command, name))
        or (f"did you mean {meant}?" if meant else None)
        or of_changes.get(name)
        or _ADVICE_EVERYWHERE.get(name)
    )


def _act(word: str, noun: str, *, has_more: bool) -> str | None:
    """Find a command by the meaning of its verb."""
    if not noun and word in {"list", "ls", "show", "liste"}:
        return None if has_more else "auth list"
    own = _OF_NOUN.get(noun, {}).get(word)
    if own is None and not noun and word not in _VAGUE:
        own = tuple(f"store {verb}" for verb in _OF_NOUN["store"].get(word, ()))
    wanted = own or _ACTS.get(word, ())
    if "show" in wanted and not has_more:  # of one, where none is named: of all
        wanted = (*(verb for verb in wanted if verb != "show"), "show")
    candidates = (one for verb in wanted for one in (f"{noun} {verb}".lstrip(), verb))
    return next((one for one in candidates if one in COMMANDS), None)


def _turned(words: Sequence[str]) -> str | None:
    """Find a command of which the verb came first, as in `list users` and `reset-password`."""
    if len(words) < 2:  # noqa: PLR2004 # a verb and a thing
        return None
    verb, thing = words[0], words[1]
    if _ACTS.get(verb, (verb,))[0] not in {"create", "delete"} or thing not in thing_names():
        thing = next((one for one in words if one in _BY_THING), thing)
    if thing not in thing_names() and verb in thing_names():
        verb, thing = thing, verb
    if thing in _BY_THING:
        is_tried = "verify" in {verb, *_ACTS.get(verb, ())}
        return "user verify-password" if is_tried else _BY_THING[thing]
    noun = thing_names().get(thing)
    if noun is None:
        return None
    if thing == "operator":
        return "auth create-operator" if _ACTS.get(verb, (verb,))[0] == "create" else None
    if thing in {"backup", "backups"}:
        is_to_make = verb not in {*_ACTS, "list"} and thing == "backup"
        return "store backup" if is_to_make else "store backups"
    has_more = len(words) > 2 and noun in {"auth", "user"}  # noqa: PLR2004 # of one
    exact = known_words(noun).get(verb) if verb != "show" or has_more else None
    return exact or _act(verb, noun, has_more=has_more)


def thing_names() -> dict[str, str]:
    """List what is acted on, in all words that are known for it, with the noun of each."""
    plain = {word: ours for word, ours in known_words("").items() if ours in NOUNS}
    return {**plain, **_THINGS}


def _of_other_tool(after: Sequence[str]) -> list[str]:
    """Take `influx auth list` and `influxd recovery auth list` for what they are."""
    words = [word for word in after if word != "recovery"][:2]
    found = " ".join(words)
    if found in COMMANDS:
        return [found]
    noun = thing_names().get(words[0]) if words else None
    if noun is None:
        return []
    longer = (f"{noun} {one}" for one in (words[-1], words[0]))
    return [next((one for one in longer if one in COMMANDS), noun)]


def _with_verb(words: str, rest: Sequence[str]) -> str:
    """Go on from a noun that was meant, with the verb that was meant behind it."""
    if words in COMMANDS or not rest:
        return words
    verb = rest[0]
    exact = known_words(words).get(verb)
    return (
        exact
        or _act(verb, words, has_more=bool(rest[1:]))
        or nearest_word(verb, known_words(words))
        or words
    )


def hint_on_word(word: str, command: Parser, line: Sequence[str]) -> str | None:
    """Say what a word probably is that has no place in a command; None where it may be a secret."""
    place = line.index(word)
    before = line[:place]
    longer = f"{command.prog}-{word}"
    name = re.split("[=:]", word)[0]
    option = "--" + re.sub(r"^(?:[\W_]|ß)+", "", name)  # of other keyboards
    is_known = option in command.options
    hint: str | None = f"type {command.prog} --help"
    if word in _ASKING_ELSEWHERE:
        return hint
    if not any(map(str.isalnum, word)):
        hint = "leave it out"
    elif longer.partition(" ")[2] in COMMANDS:
        hint = f"did you mean {longer}?"
    elif is_known and option not in {one.partition("=")[0] for one in before}:
        hint = hint if option in GRANTING else f"did you mean {option}?"
    elif quotes := _in_quotes(line[place:], before, command):
        hint = quotes
    elif is_like_path(word) and command.prog.partition(" ")[2] not in _OF_NO_ONE_STORE:
        hint = "name the store with --bolt-path FILE"
    elif one := _one_more(word, command):
        hint = one
    elif source_of_secret(command) is not None:
        hint = None
    elif not is_known and (naming := _naming(command)):
        hint = f"say what it is, with {naming}"
    return hint


def _one_more(word: str, command: Parser) -> str | None:
    """Say what to do about one more that is named, where a command is about one."""
    has_id = any(one.dest == "id" for one in command.actions if not one.option_strings)
    if has_id and parse_id(word):
        return f"type {command.prog} {word} for that one"
    return _ADVICE_ON_OPTIONS.get((command.prog.partition(" ")[2], "--number"))


def source_of_secret(command: Parser) -> str | None:
    """Give the option with which a command reads a secret; with a PATH it writes one."""
    found = (command.options[one] for one in _SECRETS if one in command.options)
    return next((typed_as(one) for one in found if one.metavar == "FILE"), None)


def _naming(command: Parser, *, but: Sequence[str] = ()) -> str:
    """List the options of a command that take a name."""
    named = {command.options[one] for one in NAMING if one in command.options and one in but}
    found = [command.options[one] for one in NAMING if one in command.options]
    return " or ".join(dict.fromkeys(typed_as(one) for one in found if one not in named))


def _in_quotes(behind: Sequence[str], before: Sequence[str], command: Parser) -> str:
    """Lead to quotes around a value and the words behind it; "" where there is none."""
    word = behind[0]
    name, equals, value = (*before[-1:], "")[0].partition("=")
    if not equals:
        name, value = ["", "", *before][-2:]
    action = command.options.get(name)
    kinds = PATHS if is_like_path(word) else {*NAMES, "TEXT", *PATHS}
    is_text = action is not None and action.nargs != 0 and action.metavar in kinds
    more = takewhile(lambda one: not one.startswith("-") and not is_like_path(one), behind[1:])
    whole = " ".join([value, word, *more])
    if not is_text or value.startswith("-") or shown(whole, is_stray=True) != repr(whole):
        return ""
    naming = "" if is_like_path(word) else _naming(command, but=before)
    hint = f"put a value with blanks in quotes, as in {name} {quoted(whole)}"
    return f"{hint}, or say what it is, with {naming}" if naming else hint


def is_like_path(word: str) -> bool:
    """Say whether a word that is not understood is the path of a file."""
    if word in _ASKING_ELSEWHERE:
        return False
    return word.startswith(("/", "./", "../", "~/")) or word.endswith((".bolt", ".backup"))
