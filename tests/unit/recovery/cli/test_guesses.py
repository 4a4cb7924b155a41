"""Words and options of other tools, of English and of German: what is proposed for them."""

import re
from functools import cache
from typing import Final

import pytest

from recovery.cli.habits import in_our_words, with_our_options
from recovery.cli.parser import VALUED, build_parser, parse_arguments
from recovery.cli.usage import UsageError
from recovery.cli.vocabulary import COMMANDS

COMMANDS_MEANT: Final = {
    "auth create": "auth creat|auth crete -o main|auth new|auth add|auth make|auth generate|"
    "auth mint|token new|auth erstellen",
    "auth create-operator": "auth create-oper|auth create_operator|auth create operator|"
    "create operator|operator create|new operator|operator|create-operator",
    "auth list": "list-tokens|list tokens|show tokens|show-tokens|auth all|auth print|auth view|"
    "auth get|auth anzeigen|auth reveal|list|ls|influx auth list|influxd recovery auth list",
    "auth show": "auth get 0000000000000001|auth permissions",
    "auth delete": "auth del|auth destroy|auth drop|auth löschen",
    "auth rotate": "auth renew|auth regenerate|auth refresh|auth replace|rotate|auth rotate-all",
    "auth undelete": "auth restore|auth recover|auth undelet",
    "auth verify": "auth check|auth test|auth validate|auth verfy",
    "auth export": "auth dump|auth export-all",
    "auth set-inactive": "auth lock|auth block|auth set inactive|auth set-inactiv",
    "user list": "list users|list-users|benutzer list|whoami|user all",
    "user update": "user pw|user reset|user set-pw|reset password|reset-password|change password|"
    "set password|password|passwort|user edit",
    "user create": "user new|useradd admin|adduser",
    "user delete": "user del|user drop|userdel|user destroy",
    "user deactivate": "user lock|user ban|user sperren",
    "user show": "user get admin|user info admin|user roles",
    "user verify-password": "user login|user check",
    "org list": "organisation list|Organisation list|show orgs|org members|org owners|org get",
    "org add-member": "org add-user|org add member",
    "org add-owner": "org add owner|org addowner",
    "org remove-member": "org kick|org remove-user|org remove member",
    "bucket list": "database list|db list|show databases|bucket info",
    "store check": "fsck|doctor|store doctor|store verify|store fsck|check",
    "store repair": "fix|store fix|store mend|heal",
    "store info": "status|store stat|store stats|store show|info",
    "store find": "store ls|store list|store where|store locate|find",
    "store backup": "backup|store bakup|store copy|store dump|store snapshot|snapshot",
    "store backups": "store prune|store list-backups|list backups",
    "store undo": "undo|store revert|store rollback|auth undo|store restore|restore",
    "store compact": "vacuum|store shrink|store clean|store defrag|compact",
    "store salvage": "store rescue|rescue|recover|store salvge",
    "store diff": "store compare|compare|diff",
    "store rebuild": "store recreate|store rebuilt",
    "store report": "store html|report",
    "setup": "store create|store init|store new",
    "ledger list": "history|log|logs|audit|ledger log",
    "serve": "server|web|gui|api|daemon",
    "recipe list": "recipes list|receipe list",
    "v1-auth create": "v1-auth add x|v1auth create",
    "v1-auth set-password": "v1-auth pw x|v1-auth reset x",
}
OPTIONS_MEANT: Final = {
    "--bolt-path": "auth list --bolt /x|auth list --path /x|auth list --file /x|auth list --db /x|"
    "auth list --store /x|auth list --boltpath /x|auth list --bolt_path /x",
    "--org": "auth list --orgname o|auth list --org-name o|auth list --organisation o",
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
    "auth unrevoke", "auth unlock 1", "user unlock a", "user grant a", "user promote a",
    "user make-owner a", "org add-admin a", "auth decrypt", "auth unhash", "store delete",
    "store redo", "auth create --admin", "auth create --root", "auth create --full",
    "auth create --superuser", "auth create --all", "auth create --allaccess",
    "auth create --operater", "auth create --read bucket", "auth create --read-all",
    "auth create-operator --force", "auth create-operator -y", "auth create-operator --no-confirm",
    "auth create-operator --assume-yes", "auth create-operator --batch", "user delete --cascade a",
    "auth create-operator --no-backup", "auth list --show-token", "auth list --reveal",
    "auth delete --all", "auth delete --force 1", "store repair --force", "store undo --force",
    "user delete --with-token a", "delete", "stop", "dbrp list", "auth create-operator --ja",
    "auth create-operator --print-token", "auth create-operator --stdout",
)  # fmt: skip
"""What no proposal may be made for: it would permit or destroy more than what was typed."""


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
    assert hint_of(line) == f"did you mean influx-recovery {ours}?"


@pytest.mark.parametrize(("line", "ours"), _lines(OPTIONS_MEANT))
def test_an_option_of_another_tool_leads_to_ours(line: str, ours: str) -> None:
    assert hint_of(line) == f"did you mean {ours}?"


@pytest.mark.parametrize("line", HELP_ONLY)
def test_nothing_is_proposed_that_goes_further_than_what_was_typed(line: str) -> None:
    assert re.fullmatch(r"type influx-recovery( [a-z-]+){0,2} --help", hint_of(line)), hint_of(line)


@pytest.mark.parametrize("word", ["query", "ping", "task list", "write", "telegrafs"])
def test_what_only_a_server_does_is_told_so(word: str) -> None:
    assert hint_of(word) == f"start influxd, and type influx {word.split(maxsplit=1)[0]} --help"


def test_an_option_whose_work_another_command_does_leads_there() -> None:
    assert "influx-recovery auth set-inactive ID" in hint_of("auth update --status inactive")
    assert "NO_COLOR=1" in hint_of("auth list --no-color")
    assert "as --bolt-path=VALUE where it begins with a dash" in hint_of("auth list --bolt-path -x")
