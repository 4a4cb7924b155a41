"""The commands for recipes.

Lives here: `recipe list`, `show` and `write`, and their words. Must not live here: recipes, and how
they are filled (`recovery.services.recipes`).
"""

from pathlib import Path
from typing import Final

import msgspec

from recovery.cli.context import Context
from recovery.cli.documents import Document
from recovery.cli.options import Command, Options
from recovery.cli.output import Output
from recovery.cli.table import Column
from recovery.cli.usage import UsageError
from recovery.cli.words import Parser
from recovery.discovery.host import Host
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.services.recipes import FilledRecipe, RecipeFile, Value, fill, recipes, write

COLUMNS: Final = (Column("Name"), Column("What it is for", 40))


class _Recipe(Options, frozen=True):
    recipe: str
    set: list[str]


class _Writing(_Recipe, frozen=True):
    folder: str


class RecipeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the list; `Recipe` says what the fields are."""

    name: str
    summary: str
    files: tuple[str, ...]


class RecipeList(Document, frozen=True, kw_only=True):
    """What `recipe list --json` prints."""

    recipes: tuple[RecipeFacts, ...]


class FilledFacts(Document, frozen=True, kw_only=True):
    """What `recipe show --json` prints; `FilledRecipe` says what the fields are."""

    name: str
    values: tuple[Value, ...]
    files: tuple[RecipeFile, ...]


class WrittenFacts(Document, frozen=True, kw_only=True):
    """What `recipe write --json` prints."""

    name: str
    values: tuple[Value, ...]
    target_paths: tuple[Path, ...]


def _list(options: Options, context: Context) -> ExitCode:
    found = tuple(
        RecipeFacts(name=one.name, summary=one.summary, files=tuple(one.files)) for one in recipes()
    )
    if options.json:
        context.output.document(RecipeList(recipes=found))
    else:
        context.output.table(COLUMNS, [(one.name, one.summary) for one in found])
    return ExitCode.DONE


def _show(options: _Recipe, context: Context) -> ExitCode:
    filled = _filled(options, context)
    output = context.output
    if options.json:
        output.document(
            FilledFacts(name=filled.recipe.name, values=filled.values, files=filled.files)
        )
        return ExitCode.DONE
    for file in filled.files:
        if len(filled.files) > 1:
            output.line(f"==> {file.name} <==")
        for line in file.text.splitlines():
            output.line(line)
        output.line()
    _tell_values(filled, output)
    return ExitCode.DONE


def _write(options: _Writing, context: Context) -> ExitCode:
    filled = _filled(options, context)
    targets = tuple(path.absolute() for path in write(filled, Path(options.folder)))
    output = context.output
    if options.json:
        output.document(
            WrittenFacts(name=filled.recipe.name, values=filled.values, target_paths=targets)
        )
        return ExitCode.DONE
    for target in targets:
        output.line(f"wrote {displayed(str(target))}")
    _tell_values(filled, output)
    return ExitCode.DONE


def _filled(options: _Recipe, context: Context) -> FilledRecipe:
    given: dict[str, str] = {}
    for one in options.set:
        name, sign, text = one.partition("=")
        if not sign:
            raise UsageError(
                problem=f"--set {displayed(one)} has no value", hint="say --set NAME=VALUE"
            )
        given[name] = text
    host = Host.here(context.environ)
    return fill(options.recipe, host, bolt_path=options.bolt_path, given=given)


def _tell_values(filled: FilledRecipe, output: Output) -> None:
    for value in filled.values:
        if value.source == "found":
            output.message(f"{value.name} is {displayed(value.text)}, found here")
    assumed = [value for value in filled.values if value.source == "assumed"]
    for value in assumed:
        output.message(f"{value.name} is taken to be {displayed(value.text)}")
    if assumed:
        output.message(f"To say otherwise: --set {assumed[0].name}=VALUE, once for each.")


def _add_recipe(command: Parser) -> None:
    command.add_argument("recipe", metavar="NAME", help="which recipe; see recipe list")


def _add_set(command: Parser) -> None:
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="put this into the recipe, such as container=influx2; once for each value (default: "
        "what is found on this machine, or else what packages and images have)",
    )


def _add_show(command: Parser) -> None:
    _add_recipe(command)
    _add_set(command)


def _add_write(command: Parser) -> None:
    _add_recipe(command)
    command.add_argument("folder", metavar="DIR", help="folder for the files; made if need be")
    _add_set(command)


LIST: Final = Command(
    description="List the recipes: files and steps for containers, clusters, timers, a NAS and a "
    "rescue system. Opens no store.",
    example="recipe list",
    options=Options,
    run=_list,
    document=RecipeList,
)
SHOW: Final = Command(
    description="Print the files of a recipe, filled with the store, its owner, the unit and the "
    "container that are found here, and say which values are only assumed. Changes nothing and "
    "runs nothing.",
    example="recipe show docker",
    options=_Recipe,
    run=_show,
    add_options=_add_show,
    document=FilledFacts,
)
WRITE: Final = Command(
    description="Write the files of a recipe into a folder, filled as recipe show prints them. "
    "Overwrites nothing, and runs nothing.",
    example="recipe write systemd /root/units",
    options=_Writing,
    run=_write,
    add_options=_add_write,
    document=WrittenFacts,
)
