"""A command has one name: its words, its module in `cli/commands`, and the service behind it."""

import ast
from typing import Final

import pytest

from recovery.cli.vocabulary import COMMANDS
from tests.support.source import PROJECT, modules

ROOMS: Final = {
    "auth": "authorizations.{}",
    "v1-auth": "authorizations.v1_auth",
    "user": "tenancy.user_{}",
    "org": "tenancy.organization_{}",
    "bucket": "tenancy.bucket_{}",
    "instance": "tenancy.instance_{}",
    "store": "stores.{}",
    "recipe": "recipes",
    "ledger": "ledger",
    "setup": "stores.setup",
    "demo": "stores.sample",
}
"""Where the service of a command is, by its first word; the rest is that of its module."""

ELSEWHERE: Final = {
    "auth_transfer": "authorizations.export",  # and what `auth import` reads
    "auth_undeletion": "undeletion.tokens",
    "instance_changes": "tenancy.organization_changes",  # a role, as those in organizations
    "store_check": "doctor.check",
    "store_rebuild": "stores.rebuild.planner",
    "store_repair": "doctor.repair",
    "user_undeletion": "undeletion.users",
    "v1_auth_undeletion": "undeletion.logins",
}

SEVERAL: Final = {"changes", "transfer", "details"}
"""What a module is called that has commands with different words."""

STEM_LENGTH: Final = 4


def rest(words: str) -> str:
    """Give the name of a command's module without its noun."""
    module = COMMANDS[words].module
    return module.removeprefix(words.split(maxsplit=1)[0].replace("-", "_")).removeprefix("_")


@pytest.mark.parametrize("words", COMMANDS)
def test_the_module_of_a_command_is_named_after_its_words(words: str) -> None:
    noun, *verbs = words.replace("-", "_").split()
    assert COMMANDS[words].module.startswith(noun)
    sharing = [one for one in COMMANDS if COMMANDS[one].module == COMMANDS[words].module]
    stems = {one.split()[-1].replace("-", "_")[:STEM_LENGTH] for one in sharing}
    assert not verbs or rest(words) in SEVERAL | {""} or rest(words)[:STEM_LENGTH] in stems


@pytest.mark.parametrize("words", [one for one in COMMANDS if one.split()[0] in ROOMS])
def test_the_service_of_a_command_is_named_after_its_module(words: str) -> None:
    module = COMMANDS[words].module
    service = ELSEWHERE.get(module) or ROOMS[words.split(maxsplit=1)[0]].format(rest(words))
    path = PROJECT / "recovery" / "cli" / "commands" / f"{module}.py"
    imported = {
        node.module
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
    }
    assert f"recovery.services.{service}" in imported


def test_every_module_of_commands_has_one() -> None:
    named = {f"recovery.cli.commands.{one.module}" for one in COMMANDS.values()}
    there = {name for name, _ in modules("recovery") if name.startswith("recovery.cli.commands.")}
    assert there == named
