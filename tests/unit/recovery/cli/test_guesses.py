"""Words and options of other tools, of English and of German: what is proposed for them."""

import re
from functools import cache
from typing import Final

import pytest

from recovery.cli.habits import in_our_words, with_our_options
from recovery.cli.parser import build_parser, parse_arguments
from recovery.cli.plain import VALUED
from recovery.cli.usage import UsageError
from recovery.cli.vocabulary import COMMANDS

COMMANDS_MEANT: Final = {
    "auth create": "auth creat|auth crete|auth new|auth add|auth make|auth generate|"
    "auth mint|token new|auth erstellen|auth creer|auth créer|auth crear|token erstellen|"
    "new token|gen-token",
    "auth create-operator": "auth new-operator|auth add operator|auth make operator a|"
    "auth create-oper|auth create_operator|auth create operator|"
    "create operator|operator create|new operator|operator|create-operator|auth/create-operator|"
    "auth.create-operator|auth create.operator|operator token",
    "auth list": "authlist|authList|user tokens a|"
    "list-tokens|list tokens|show tokens|show-tokens|auth all|auth print|auth view|"
    "auth get|auth anzeigen|auth reveal|list|ls|influx auth list|influxd recovery auth list|"
    "auth lister|auth mostrar|auth listar|auth:list|tokens auflisten|get-token",
    "auth show": "auth get 0000000000000001|auth permissions",
    "auth delete": "auth del|auth destroy|auth drop|auth löschen|auth supprimer 1|"
    "auth eliminar 1|auth borrar 1|auth loeschen",
    "auth rotate": "auth renew|auth regenerate|auth refresh|auth replace|rotate|auth rotate-all",
    "auth undelete": "auth restore|auth recover|auth undelet",
    "auth verify": "auth check|auth test|auth validate|auth verfy",
    "auth export": "auth dump|auth export-all",
    "auth set-inactive": "auth expire 1|auth invalidate 1|auth off 1|"
    "auth lock|auth block|auth set inactive|auth set-inactiv|auth sperren 1|"
    "auth deaktivieren 1|auth desactivar 1|auth bloquear 1",
    "user list": "list users|list-users|benutzer list|whoami|user all|user.list|"
    "utilisateurs liste|usuario listar|lister utilisateurs",
    "user update": "user pwd a|user reset-pwd a|user password-reset a|user setpasswd a|"
    "set password for a|user pw|user reset|user set-pw|"
    "reset password|reset-password|change password|"
    "set password|password|passwort|user edit|user mot-de-passe admin|user contraseña|contraseña|"
    "mot-de-passe|passwort vergessen|reset admin password|reset-admin-password|forgot password|"
    "lost password|user:passwort",
    "user create": "create user a with password b|"
    "user new|useradd admin|adduser|user ajouter a|user créer a|user crear a",
    "user delete": "drop user a password|"
    "user del|user drop|userdel|user destroy|user borrar a|user supprimer a",
    "user deactivate": "user lock|user ban|user sperren|user deaktivieren a|user bloquear a|"
    "user désactiver a",
    "user show": "user get admin|user info admin|user roles",
    "user verify-password": "user login|user check",
    "org list": "Organisation list|show orgs|org members|org owners|org get",
    "org add-member": "org add-user|org add member",
    "org add-owner": "org add owner|org addowner",
    "org remove-member": "org kick|org remove-user|org remove member",
    "bucket list": "database list|db list|show databases|bucket info",
    "store check": "fsck|doctor|store doctor|store verify|store fsck|check|store vérifier|"
    "store verificar|store prüfen",
    "store repair": "fix|store fix|store mend|heal|store réparer|store reparar|store reparieren",
    "store info": "status|store stat|store stats|store show|info",
    "store find": "store ls|store list|store where|store locate|find",
    "store backup": "backup|store bakup|store copy|store dump|store snapshot|snapshot|"
    "store sauvegarder|store respaldo|influx backup|backup full",
    "store backups": "store prune|store list-backups|list backups",
    "store undo": "undo|store revert|store rollback|auth undo|rückgängig|"
    "annuler|deshacer|store zurück",
    "store compact": "vacuum|store shrink|store clean|store defrag|compact",
    "store salvage": "store rescue|rescue|recover|store salvge",
    "store diff": "store compare|compare|diff",
    "store rebuild": "store recreate|store rebuilt",
    "store report": "store html|report",
    "setup": "store create|store init|store new",
    "ledger list": "history|log|logs|audit|ledger log",
    "serve": "server|web|gui|api|daemon",
    "user activate": "user aktivieren a|user activar a|user activer a",
    "auth set-active": "auth aktivieren 1|auth activer 1",
    "recipe list": "recipes list|receipe list",
    "v1-auth list": "v1 list|list v1",
    "v1-auth create": "v1-auth add x|v1auth create",
    "v1-auth set-password": "v1-auth pw x|v1-auth reset x",
}
OPTIONS_MEANT: Final = {
    "--bolt-path": "auth list --bolt /x|auth list --path /x|auth list --file /x|auth list --db /x|"
    "auth list --store /x|auth list --boltpath /x|auth list --bolt_path /x",
    "--org": "auth list --orgname o|auth list --org-name o|auth list --orga o",
    "--user": "auth list --user-name a|auth list --usr a|auth list --users a",
    "--username": "auth create-operator --usr a|user show --login a",
    "--json": "auth list --format json|store check --output-format json",
    "--log-level": "auth list --verbose|auth list -v|auth list -q|auth list --debug",
    "--dry-run": "auth create-operator --dry|auth create-operator --simulate|store undo --check|"
    "auth create-operator --what-if|auth create-operator -n|user delete --noop a",
    "--password-file": "user update --passwd|user create --pass x|user update --pw x",
    "--description": "auth create --comment x|auth create --desc x|auth create --descripton x",
    "--listen": "serve --port 8086|serve --bind 0.0.0.0:8086",
    "--token-file": "auth create-operator --tokenfile x",
}
HELP_ONLY: Final = (
    "influx", "influxd", "influxd recovery",
    "auth unrevoke", "auth unlock 1", "user unlock a", "user grant a", "user promote a",
    "user make-owner a", "org add-admin a", "auth decrypt", "auth unhash", "store delete",
    "store redo", "auth create --admin", "auth create --root", "auth create --full",
    "auth create --superuser", "auth create --all", "auth create --allaccess",
    "auth create --operater", "auth create --read bucket", "auth create --read-all",
    "user delete --cascade a",
    "auth create-operator --no-backup", "auth list --show-token", "auth list --reveal",
    "auth delete --all", "auth list -y", "auth create -operator",
    "user delete --with-token a", "delete",
    "dbrp list", "reset", "unlock", "force-unlock", "auth create-operator --ja",
    "auth create-operator --print-token", "auth create-operator --stdout",
)  # fmt: skip
"""What no proposal may be made for: it would permit or destroy more than what was typed."""


HASH: Final = "influx-recovery auth hash"
ROTATE: Final = "influx-recovery auth rotate"

_whole_parser = cache(build_parser)


def hint_of(line: str) -> str:
    """Say what is answered, as `understand` does where a line is mistyped."""
    argv = in_our_words(line.split(), VALUED)
    words = " ".join(argv[:2])
    with pytest.raises(UsageError) as refused:  # noqa: PT012 # either may see it
        if words in COMMANDS:
            argv = with_our_options(argv, words, _whole_parser().command(words))
        parse_arguments(argv, _whole_parser())
    return str(refused.value.hint)


def _lines(meant: dict[str, str]) -> list[tuple[str, str]]:
    return [(line, ours) for ours, lines in meant.items() for line in lines.split("|")]


@pytest.mark.parametrize(("line", "ours"), _lines(COMMANDS_MEANT))
def test_a_word_of_another_tool_leads_to_the_command(line: str, ours: str) -> None:
    """With what was typed behind it, where that can be repeated."""
    hint = hint_of(line)
    rest = hint.removeprefix(f"did you mean influx-recovery {ours}").removesuffix("?")
    assert rest == "" or f"{line} ".endswith(f"{rest} "), hint


@pytest.mark.parametrize(("line", "ours"), _lines(OPTIONS_MEANT))
def test_an_option_of_another_tool_leads_to_ours(line: str, ours: str) -> None:
    assert hint_of(line) == f"did you mean {ours}?"


@pytest.mark.parametrize("line", HELP_ONLY)
def test_nothing_is_proposed_that_goes_further_than_what_was_typed(line: str) -> None:
    assert re.fullmatch(r"type influx-recovery( [a-z-]+){0,2} --help", hint_of(line)), hint_of(line)


@pytest.mark.parametrize("word", ["query", "ping", "task list", "write", "telegrafs"])
def test_what_only_a_server_does_is_told_so(word: str) -> None:
    assert hint_of(word) == f"start influxd, and type influx {word.split(maxsplit=1)[0]} --help"
    assert hint_of(f"influx {word}") == hint_of(word)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("inspect report-tsm", "type influxd inspect --help"),
        ("influxd inspect verify-tsm", "type influxd inspect --help"),
        ("restore", "type influx-recovery store undo to take back what was done last, or influx-"),
        ("auth create --org main --bucket b", "give --read-bucket NAME to let it read"),
        ("auth create --org main --ttl 30d", "leave it out: a token of InfluxDB 2 is in force"),
        ("auth rotate --all-but 1", "did you mean --except?"),
        ("auth delete --except 1", "did you mean --all-but?"),
        ("auth list --grep x", "did you mean --match?"),
        ("user rename a --to b", "did you mean --new-name?"),
        ("setup --level 20", "type influx-recovery setup --help"),
        ("auth list --max 5", "did you mean --limit?"),
        ("auth create-operator ßßorg main", "did you mean --org?"),
        ("auth create-operator __username a", "did you mean --username?"),
        ("auth create --org main ))operator", "type influx-recovery auth create --help"),
        ("auth create-operator -- org main", "leave it out, or write what follows without"),
        ("auth create-operator -omain", "put a blank behind -o"),
        ("auth list 08371db24dcc8000", "say what it is, with --user NAME or --org NAME or --id"),
        ("auth list --no-headers", "did you mean --hide-headers?"),
        ("keys list", "did you mean influx-recovery auth list?"),
        ("undo --bolt-path x", "did you mean influx-recovery store undo --bolt-path x?"),
        ("--bolt-path x get tokens", "did you mean influx-recovery auth list --bolt-path x?"),
        ("backup -o x", "did you mean influx-recovery store backup x?"),
        ("salvage --to /srv/new.bolt", "did you mean influx-recovery store salvage /srv/new.bolt?"),
        ("auth lst -o acme", "did you mean influx-recovery auth list --org acme?"),
        ("auth lst --org hunter2hunter", "did you mean influx-recovery auth list?"),
        ("user delet a --yes", "did you mean influx-recovery user delete a?"),
        ("--bolt-path x influx ping", "start influxd, and type influx ping --help"),
        ("influx restore x --full", "type influx-recovery store undo to take back what was done"),
        ("revoke token 1", "type influx-recovery auth set-inactive ID to refuse the token"),
        ("verify password a", "did you mean influx-recovery user verify-password?"),
        ("show auth 08371db24dcc8000", "did you mean influx-recovery auth show 08371db24dcc8000?"),
        ("list all users", "did you mean influx-recovery user list?"),
        ("make me an operator token", "did you mean influx-recovery auth create-operator?"),
        ("add owner a to b", "did you mean influx-recovery org add-owner?"),
        ("remove owner a", "did you mean influx-recovery org remove-member?"),
        ("remove a", "type influx-recovery --help"),
        ("disable user a", "did you mean influx-recovery user deactivate a?"),
        ("enable influxdb", "type systemctl status influxdb, or what your container or NAS has"),
        ("backup list", "did you mean influx-recovery store backups?"),
        ("v1", "did you mean influx-recovery v1-auth?"),
        ("influx_inspect verify", "type influxd inspect --help for what InfluxDB 2 has, or"),
        ("influxd print-config", "type influxd print-config --help"),
        ("ledgre show 7", "did you mean influx-recovery ledger show 7?"),
        ("store backup list", "did you mean influx-recovery store backups list?"),
        ("store backup prune", "did you mean influx-recovery store backups prune?"),
        ("store export json", "name another file, or type ./json for one that is called so"),
        ("user update a --id 1", "leave --id or --username out"),
        ("store restore x", "type influx-recovery store undo to take back what was done last, or"),
        ("store undo 3", "leave it out: what was done last is taken back"),
        ("auth show 08371db24dcc8000 08371db24dcc8001", "type influx-recovery auth show 08371db24"),
        ("user rename --old-name a --new-name b", "did you mean --username?"),
        ("user update a --new-password b", "did you mean --password-file?"),
        ("store backup x.tar.gz", "leave .tar.gz out, and pack the file when it is there"),
        ("store compact x.gz", "leave .gz out, and pack the file when it is there"),
        (
            "auth show",
            "type influx-recovery auth list to see the IDs, or type influx-recovery auth",
        ),
        ("bucket delete", "type influx-recovery bucket list to see the names, or type influx-"),
        ("ledger show", "type influx-recovery ledger list to see the numbers, or type influx-"),
        ("org create", "type influx-recovery org create --help"),
        ("auth delete --all-but", "give one, as --all-but=VALUE where it begins with a dash, or"),
        ("auth list -it x", "put a blank behind -i"),
        ("delete user a", "did you mean influx-recovery user delete a?"),
        ("store backup -z x", "did you mean --gzip?"),
        ("store backups --prune", "type influx-recovery store backups prune, which shows"),
        ("user update a --status inactive", "type influx-recovery user deactivate --username"),
        ("auth create-operator /dry-run", "did you mean --dry-run?"),
        ("auth list /?", "type influx-recovery auth list --help"),
        ("auth list |", "leave it out"),
        ("auth delete --force 1", "leave it out: what would be done is shown, and a yes is asked"),
        *(
            (f"auth create-operator {name}", "leave it out: what would be done is shown, and a yes")
            for name in ("-y", "--force", "--no-confirm", "--assume-yes", "--batch", "--confirm")
        ),
        ("store undo --live", "leave it out, and stop influxd first: a change needs the lock"),
        ("auth create --org my org", "put a value with blanks in quotes, as in --org 'my org', or"),
        (
            "auth create -d it is mine --yes",
            "put a value with blanks in quotes, as in --description 'it is mine', or",
        ),
        ("auth create --org=my org", "put a value with blanks in quotes, as in --org 'my org', or"),
        ("auth list --bolt-path my store.bolt", "put a value with blanks in quotes, as in --bolt"),
        (
            "auth create -d a b --user c --org d",
            "put a value with blanks in quotes, as in --descri",
        ),
        ("auth list --user hunter2 hunter2", "say what it is, with --user NAME"),
        ("auth list --org a /srv/influxd.bolt", "name the store with --bolt-path FILE"),
        (
            "user show my user",
            "leave it out; one is named at a time, and a name with blanks stands",
        ),
        ("user update a hunter2hunter", "leave it out; what is secret is asked for, or comes with"),
        ("user create a --password --yes", "leave it out: the password is asked for, or comes"),
        ("user create a --password", "leave it out: the password is asked for, or comes"),
        ("auth delete --user a", "type influx-recovery auth list --user NAME to see the IDs"),
        ("user list --org a", "type influx-recovery org list --org NAME, which says who belongs"),
        ("user list -a", "leave it out: all are listed"),
        ("auth create --readbucket b", "did you mean --read-bucket?"),
        ("auth create --readBuckets", "did you mean --read-buckets?"),
        ("auth create-operator --orgID 1", "did you mean --org?"),
        ("user list --desc", "did you mean --reverse?"),
        ("auth delete -id 1", "did you mean --id?"),
        ("auth create-operator -org acme", "did you mean --org?"),
        ("-v", "type --version for the version"),
        ("-?", "did you mean --help?"),
        ("bucket create b --ttl 3d", "did you mean --retention?"),
        ("bucket create b --schema-type explicit", "leave it out: only InfluxDB Cloud has"),
        ("db list", "did you mean influx-recovery bucket list?"),
        ("show retention policies", "type influx-recovery --help"),
        ("store salvage --from a b", "did you mean --bolt-path?"),
        ("store undo --id 3", "leave it out: what was done last is taken back"),
        ("org foo list", "type influx-recovery org --help"),
        ("user rename a to b", "leave 'to' out"),
        ("exit", "type it without influx-recovery before it"),
        ("SHOW DATABASES", "did you mean influx-recovery bucket list?"),
        ("admin reset-admin-password x", "did you mean influx-recovery user update?"),
        ("auth update 1 --inactive", "type influx-recovery auth set-inactive ID to refuse"),
        ("stop", "type systemctl status influxdb, or what your container or NAS has for it"),
        (
            "start influxdb",
            "type systemctl status influxdb, or what your container or NAS has for it",
        ),
        ("sudo influx-recovery auth list", "type it without influx-recovery before it"),
        ("lost token", "type influx-recovery alone, "),
        ("admin-token", "type influx-recovery alone, "),
        ("store check /srv/influxd.bolt", "name the store with --bolt-path FILE"),
        ("store salvage /a /b", "name the store with --bolt-path FILE"),
        ("/srv/influxd.bolt", "name the store with --bolt-path FILE behind a command"),
        ("store diff /a /b /c", "type influx-recovery store diff --help"),
        ("/help", "type influx-recovery --help"),
        ("auth list org=main", "did you mean --org?"),
        ("auth list org main", "did you mean --org?"),
        ("auth create all-access", "type influx-recovery auth create --help"),
        ("store check --fix", "type influx-recovery store repair, which shows"),
        ("store info -o x.txt", "type --json for a JSON document, or > FILE behind the line"),
        ("org remove main", "type influx-recovery org remove-member --org NAME --username NAME to"),
        ("org rm", "type influx-recovery org remove-member --org NAME --username NAME to end"),
        (
            "org show acme --bolt-path /x",
            "did you mean influx-recovery org list acme --bolt-path /x?",
        ),
        ("bucket show b", "did you mean influx-recovery bucket list b?"),
        ("recipe docker --json", "did you mean influx-recovery recipe show docker --json?"),
        ("auth hash all", "did you mean influx-recovery auth hash --all?"),
        ("--bolt-path /x auth hash * --yes", f"did you mean {HASH} --all --bolt-path /x?"),
        ("auth hash --reason auth --id all", f"did you mean {HASH} --all --reason auth?"),
        ("auth rotate * --token-file /t --yes", f"did you mean {ROTATE} --all --token-file /t?"),
        ("auth rotate all --yes", f"did you mean {ROTATE} --all --token-file PATH?"),
        ("auth rotate all --dry-run --raw", f"did you mean {ROTATE} --all --dry-run --raw?"),
        (f"auth hash all --reason {'x' * 88}", f"did you mean {HASH} --all?"),
        ("auth list --json=true", "give --json alone, or leave it out"),
        ("auth create-operator --org= --username a", "give a name or an ID, or leave it out"),
    ],
)
def test_a_word_that_belongs_elsewhere_is_told_where(line: str, hint: str) -> None:
    assert hint_of(line).startswith(hint)


def _slips(word: str) -> set[str]:
    """Swap, leave out and double each letter of a word."""
    places = range(len(word))
    swapped = (word[:i] + word[i + 1 : i + 2] + word[i] + word[i + 2 :] for i in places)
    short = (word[:i] + word[i + 1 :] for i in places)
    doubled = (word[:i] + word[i] + word[i:] for i in places)
    return {*swapped, *short, *doubled} - {word}


@pytest.mark.parametrize("words", [*COMMANDS])
def test_a_slip_leads_to_what_was_meant_or_to_help(words: str) -> None:
    noun, _, verb = words.rpartition(" ")
    for slip in sorted(_slips(verb)):
        line = f"{noun} {slip}".split()
        if not slip or " ".join(in_our_words(line, VALUED)) in COMMANDS:
            continue  # `store backups` without its last letter
        hint = hint_of(" ".join(line))
        own = f"did you mean influx-recovery {words}?"
        assert hint in {own, f"type influx-recovery {noun} --help".replace("  ", " ")}, line


def test_an_option_whose_work_another_command_does_leads_there() -> None:
    assert "influx-recovery auth set-inactive ID" in hint_of("auth update --status inactive")
    assert "NO_COLOR=1" in hint_of("auth list --no-color")
    assert "as --bolt-path=VALUE where it begins with a dash" in hint_of("auth list --bolt-path -x")
