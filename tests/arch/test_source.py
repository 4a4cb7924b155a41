"""Rules for the source that no linter knows."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.source import PACKAGES, PROJECT, modules, scopes, text_files

MODULE_LINES_MAX: Final = 600
FUNCTION_LINES_MAX: Final = 60

REVEALS: Final = {
    # They leave the program.
    "recovery.cli.deliver": {
        "FileDestination.open",
        "StdoutDestination.deliver",
        "TerminalDestination.deliver",
        "environment_of_child",
        "stored_text",
    },
    # No secret, but read as one is.
    "recovery.cli.commands.auth_creation": {"_body"},
    # They become keys and values of the store.
    "recovery.metastore.authorizations": {
        "Authorizations.insert",
        "Authorizations.insert_all",
        "Authorizations.is_known",
        "LegacyAuthorizations.insert",
        "_IndexCheck.has_entry",
        "_entry",
        "_remove_entry",
    },
    "recovery.metastore.passwords": {"Passwords.holds", "Passwords.put"},
    # They are shown to who may read the record, or hashed to be told again.
    "recovery.daemon.api.records": {"_text_of", "new_token_text"},
    "recovery.daemon.api.sign_in": {"_cookie"},
    "recovery.daemon.passwords": {"_class_count"},
    "recovery.daemon.access": {"ConsoleKey.of"},
    "recovery.daemon.sessions": {"_digest"},
    "recovery.model.authorization": {"Authorization.with_token", "new_authorization"},
    # They are hashed, compared, or measured.
    "recovery.model.password": {
        "hash_password",
        "password_matches",
        "require_acceptable",
    },
    "recovery.model.token": {
        "hash_token",
        "look_up",
        "looks_like_jwt",
        "record_matches",
        "token_form",
    },
    "recovery.model.typed_secret": {"oddity_of"},
    "recovery.secret": {
        "Secret.__init__",
        "Secret.length_bytes",
        "Secret.matches",
        "Secret.reveal",
    },
    "recovery.daemon.page.console": {"_cookie"},
    "recovery.daemon.page.sessions": {"_digest"},
    "recovery.daemon.page.shown_once": {"_token_in", "show_password"},
    "recovery.services.authorizations.creation": {"problem_of_token"},
    "recovery.services.authorizations.intake": {
        "_Resolver._stored",
        "_Resolver.resolve",
    },
    "recovery.services.authorizations.rotation": {"_listed"},
    "recovery.services.authorizations.token_owners": {
        "TokenOwners.__init__",
        "TokenOwners.owner",
        "hash_text",
    },
    "recovery.services.authorizations.verification": {"_reasons", "verify_token"},
    "recovery.services.doctor.authorizations": {"key_of"},
    "recovery.services.authorizations.hashing": {"_Moves._obstacle"},
    "recovery.services.undeletion.logins": {"_obstacle_to"},
    "recovery.services.undeletion.traces": {"_Finder._take_login"},
    "recovery.services.authorizations.v1_auth": {
        "_username",
    },
}
"""Functions that may take a secret out of its wrapper, by module."""

BANNED_WORDS: Final = (
    r"/work/(main|shared|notes)",
    r"\b(anthropic|claude|openai|chat-?gpt|gpt-\d|llm|copilot)\b",
    r"\b(language model|ai[- ]generated|as an ai)\b",
    r"\bHELPERS\.md\b",
    r"r-seed-",
)
BANNED_NAMES: Final = re.compile(r"(?:utils?|common|base|managers?|helpers?|misc)\Z")
BANNED_FUNCTIONS: Final = re.compile(r"\bdef (_*(?:handle|process)_\w*)")


def test_no_module_is_too_long() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in modules()}
    assert {name: n for name, n in lengths.items() if n > MODULE_LINES_MAX} == {}


def test_no_function_is_too_long() -> None:
    too_long = {
        f"{name}:{node.name}": length
        for name, path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and (length := _code_lines(node)) > FUNCTION_LINES_MAX
    }
    assert too_long == {}


def _code_lines(function: ast.FunctionDef) -> int:
    """Count the lines of a function, without its docstring."""
    length = (function.end_lineno or function.lineno) - function.lineno + 1
    docstring = function.body[0] if ast.get_docstring(function) else None
    if docstring is not None:
        length -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return length


def test_secrets_are_revealed_in_known_places_only() -> None:
    found: dict[str, set[str]] = {}
    for name, path in modules("recovery"):
        is_worth_parsing = re.search(r"\.(reveal|_text)\b", path.read_text())
        for scope, node in scopes(path) if is_worth_parsing else ():
            if isinstance(node, ast.Attribute) and node.attr in {"reveal", "_text"}:
                found.setdefault(name, set()).add(scope)
    assert found == REVEALS


def test_outside_of_bolt_store_only_its_door_and_its_errors_are_imported() -> None:
    found = {
        f"{name} imports {imported}"
        for name, path in modules("recovery", "man")
        if "bolt_store." in path.read_text()
        for node in ast.walk(ast.parse(path.read_text()))
        for imported in _imports(node)
        if imported.startswith("bolt_store.") and imported != "bolt_store.errors"
    }
    assert found == set()


def _imports(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module)):
            return [module]
        case _:
            return []


def test_the_contracts_between_rooms_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_no_file_has_words_that_do_not_belong_here() -> None:
    banned = re.compile("|".join(BANNED_WORDS), re.IGNORECASE)
    found = {
        str(path.relative_to(PROJECT))
        for path in text_files()
        if path.name != "test_source.py" and banned.search(path.read_text(errors="replace"))
    }
    assert found == set()


def test_names_say_what_a_thing_is() -> None:
    found = {name for name, _ in modules() if BANNED_NAMES.match(name.rpartition(".")[2])}
    found |= {
        f"{name}:{function}"
        for name, path in modules()
        for function in BANNED_FUNCTIONS.findall(path.read_text())
    }
    assert found == set()


def test_data_of_the_package_is_read_as_a_resource() -> None:
    found = [name for name, path in modules() if re.search(r"\b__file__\b", path.read_text())]
    assert found == [], "in the one file nothing has a path: use importlib.resources.files"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_says_what_lives_in_it(package: str) -> None:
    describes_room = re.compile("lives here|the public door", re.IGNORECASE)
    lacking = {
        name
        for name, path in modules(package)
        if not describes_room.search(path.read_text().split('"""')[1])
    }
    assert lacking == set()


def test_the_top_level_has_the_folders_that_were_ordered() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    folders = {path.split("/")[0] for path in tracked if "/" in path}
    assert {one for one in folders if not one.startswith(".")} == {
        "bolt_store",
        "man",
        "recovery",
        "tests",
    }


def test_a_file_that_was_not_there_is_made_in_one_module() -> None:
    found = {name for name, path in modules("recovery") if "O_EXCL" in path.read_text()}
    assert found == {"recovery.new_file"}


def test_a_temporary_folder_is_one_that_the_next_command_sweeps_after_a_kill() -> None:
    makers = ("TemporaryDirectory", "mkdtemp", "NamedTemporaryFile", "mkstemp")
    found = {
        name
        for name, path in modules("recovery")
        if any(maker in path.read_text() for maker in makers)
    }
    # The demonstration has no secret but those that it makes for itself.
    assert found == {"recovery.new_file", "recovery.cli.commands.demo"}


def test_values_are_structs_unless_a_field_must_not_show_or_count() -> None:
    found = set()
    for name, path in modules("recovery"):
        for _, node in scopes(path) if "@dataclass" in path.read_text() else ():
            if isinstance(node, ast.ClassDef) and "dataclass" in str(
                [ast.unparse(one) for one in node.decorator_list]
            ):
                text = ast.unparse(node)
                if "repr=False" not in text and "compare=False" not in text:
                    found.add(f"{name}.{node.name}")
    assert found == set()


def test_what_is_said_of_every_reader_is_not_said_again() -> None:
    found = {
        name
        for name, path in modules("recovery")
        if "StoreDamagedError: The file is damaged.\n" in path.read_text()
    }
    assert found == set(), "recovery.metastore says it once for all"
