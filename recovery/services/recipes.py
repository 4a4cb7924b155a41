"""Recipes: what to copy where the program is not run by hand on the machine of the store.

Lives here: finding the values that a recipe is filled with, and filling and writing it. Must not
live here: any recipe, which are the files of the folder recovery/recipes, and the list of them,
recipes.toml there.

Invariants: every value is quoted as the file that it goes into wants it, so that a folder with a
space or a quote in its name gives a file that still means what it says. Nothing is overwritten.
"""

import json
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import Final, Literal

import msgspec

from recovery.discovery.candidate import Candidate
from recovery.discovery.containers import Container, read_containers
from recovery.discovery.host import Host
from recovery.discovery.survey import survey
from recovery.errors import NotFoundError, RefusedError
from recovery.model.display import displayed
from recovery.new_file import ClaimedFile, not_makeable, require_free

Source = Literal["given", "found", "assumed"]

PLACE: Final = re.compile(r"@([A-Z_]+)@")
ASSUMED: Final = {
    "CLAIM": "influxdb",
    "CONTAINER": "influxdb",
    "GID": "1000",
    "IMAGE": "influxdb:2.7",
    "NAMESPACE": "default",
    "PROGRAM": "/usr/local/bin/influx-recovery",
    "RECOVERY_REPOSITORY": "registry.example/influx-recovery",
    "RECOVERY_TAG": "1",
    "SERVICE": "influxdb",
    "STORE": "/var/lib/influxdb/influxd.bolt",
    "STORE_INSIDE": "/var/lib/influxdb2/influxd.bolt",
    "UID": "1000",
    "UNIT": "influxdb.service",
    "VOLUME": "data",
    "WORKLOAD": "statefulset/influxdb",
}
"""Names of the packages, of the official image (user 1000) and of its chart."""
SHELL: Final = frozenset({".sh", ".md"})
YAML: Final = frozenset({".yaml"})
UNITS: Final = frozenset({".service", ".timer"})
_NAMES: Final = frozenset({"UNIT", "IMAGE", "RECOVERY_REPOSITORY", "RECOVERY_TAG"})
"""Of which no character needs quotes, and which stand where there are none."""
_NUMBERS: Final = frozenset({"UID", "GID"})
_PATHS: Final = frozenset({"PROGRAM", "STORE"})
_PLAIN: Final = _NUMBERS | {"NOT_ROOT"}
_NAME: Final = re.compile(r"[\w.:@/\\-]+", re.ASCII)
_NEEDS_QUOTES: Final = re.compile(r"[\s\"'\\]")
_PARTS: Final = {
    "FOLDER_INSIDE": ("STORE_INSIDE",),
    "NOT_ROOT": ("UID",),
    "RECOVERY_IMAGE": ("RECOVERY_TAG", "RECOVERY_REPOSITORY"),
    "STORE_FOLDER": ("STORE",),
    "USER": ("UID", "GID"),
}
"""What the composed values are made of; the first says where they come from."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe.

    Attributes:
        files: Where each of its files comes from, by the path that it gets.
        values: What it is filled with besides what is found.
    """

    name: str
    summary: str
    files: dict[str, str]
    values: dict[str, str] = {}


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """What a place in a recipe is filled with.

    Attributes:
        name: Of the place, in small letters, as it is given.
        source: Whether somebody gave it, this machine has it, or packages and images have it so.
    """

    name: str
    text: str
    source: Source


class RecipeFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a recipe, filled.

    Attributes:
        name: Its path below the folder of the recipe.
    """

    name: str
    text: str
    is_executable: bool


class FilledRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe, filled.

    Attributes:
        values: What it was filled with, only what it has places for.
    """

    recipe: Recipe
    values: tuple[Value, ...]
    files: tuple[RecipeFile, ...]


@cache
def recipes() -> tuple[Recipe, ...]:
    """Give all recipes, in the order of the list."""
    table = tomllib.loads(_folder().joinpath("recipes.toml").read_text(encoding="utf-8"))
    return tuple(msgspec.convert({"name": name, **facts}, Recipe) for name, facts in table.items())


def fill(name: str, host: Host, *, bolt_path: str | None, given: Mapping[str, str]) -> FilledRecipe:
    """Fill a recipe with what this machine has. Nothing is opened for writing.

    Args:
        given: Values that somebody gave, by the name of the place in small letters.

    Raises:
        NotFoundError: There is no such recipe, or no place in it for a value that is given.
        RefusedError: A value cannot be written into a file.
    """
    recipe = _named(name)
    sources = {target: _source_text(source) for target, source in recipe.files.items()}
    places = {place for text in sources.values() for place in PLACE.findall(text)}
    wanted = places - recipe.values.keys()
    _require_places(recipe, wanted, given)
    is_elsewhere = "STORE_INSIDE" in places
    found = _values(host, bolt_path, given, is_elsewhere=is_elsewhere)
    values = {value.name.upper(): value for value in found}
    texts = {place: value.text for place, value in values.items()} | recipe.values
    return FilledRecipe(
        recipe=recipe,
        values=tuple(values[place] for place in sorted(wanted & values.keys())),
        files=tuple(
            RecipeFile(
                name=target,
                text=_filled(text, texts, PurePosixPath(target).suffix),
                is_executable=PurePosixPath(target).suffix == ".sh",
            )
            for target, text in sources.items()
        ),
    )


def write(filled: FilledRecipe, folder: Path) -> tuple[Path, ...]:
    """Write the files of a recipe.

    Args:
        folder: Where; made if it is not there.

    Raises:
        ConflictError: One of them is there already; nothing was written.
        WriteFailedError: There is no room; what was written before is left.
    """
    targets = [folder / file.name for file in filled.files]
    for place in {target.parent for target in targets}:
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise not_makeable(place, error, "name a folder that you may write to") from error
    for target in targets:
        require_free(target)
    for target, file in zip(targets, filled.files, strict=True):
        with ClaimedFile(target) as new:
            new.write(file.text.encode(errors="surrogateescape"))
            new.keep()
        target.chmod(0o755 if file.is_executable else 0o644)
    return tuple(targets)


def _named(name: str) -> Recipe:
    for recipe in recipes():
        if recipe.name == name:
            return recipe
    raise NotFoundError(
        kind="recipe",
        name=displayed(name),
        existing=[recipe.name for recipe in recipes()],
        hint="name one of these",
    )


def _require_places(recipe: Recipe, wanted: set[str], given: Mapping[str, str]) -> None:
    parts = {part for place in wanted for part in _PARTS.get(place, ())}
    settable = sorted(name.lower() for name in wanted - _PARTS.keys() | parts)
    for name, text in given.items():
        if name not in settable:
            raise NotFoundError(
                kind=f"value of the recipe {recipe.name} with the name",
                name=displayed(name),
                existing=settable,
                hint="give one of these",
            )
        if not text or not text.isprintable():
            raise RefusedError(
                reason=f"the value of {name} is empty or has characters that cannot be shown",
                hint="give a text of one line",
            )
        if name.upper() in _NUMBERS and not text.isdecimal():
            raise RefusedError(reason=f"{name} is a number", hint="see `id` for it")
        if name.upper() in _NAMES and not _NAME.fullmatch(text):
            raise RefusedError(
                reason=f"the value of {name} has a character that no name of this kind has",
                hint="give it as `systemctl` or `docker image ls` prints it",
            )


def _values(
    host: Host, bolt_path: str | None, given: Mapping[str, str], *, is_elsewhere: bool
) -> list[Value]:
    """Decide every value: what is given before what is found, and that before custom."""
    found, likely = _found(host, bolt_path, is_elsewhere=is_elsewhere)
    named = {"STORE": bolt_path} if bolt_path is not None else {}
    wished = {name.upper(): text for name, text in given.items()} | named
    layers: tuple[tuple[Source, Mapping[str, str]], ...] = (
        ("assumed", ASSUMED), ("assumed", likely), ("found", found), ("given", wished),
    )  # fmt: skip
    values = {
        name: Value(name=name.lower(), text=_whole(name, text), source=source)
        for source, layer in layers
        for name, text in layer.items()
    }
    text = {name: value.text for name, value in values.items()}
    composed = {
        "FOLDER_INSIDE": str(PurePosixPath(text["STORE_INSIDE"]).parent),
        "NOT_ROOT": "false" if int(text["UID"]) == 0 else "true",
        "RECOVERY_IMAGE": f"{text['RECOVERY_REPOSITORY']}:{text['RECOVERY_TAG']}",
        "STORE_FOLDER": str(PurePosixPath(text["STORE"]).parent),
        "USER": f"{text['UID']}:{text['GID']}",
    }
    return [
        *values.values(),
        *(
            Value(name=name.lower(), text=text, source=values[_PARTS[name][0]].source)
            for name, text in composed.items()
        ),
    ]


def _whole(name: str, text: str) -> str:
    """Complete a value that would mean something else where the recipe is used."""
    if name in _PATHS:
        return str(Path(text).absolute())
    if name == "UNIT" and "." not in text:
        return f"{text}.service"
    return text


def _found(
    host: Host, bolt_path: str | None, *, is_elsewhere: bool
) -> tuple[dict[str, str], dict[str, str]]:
    """Say what this machine has: the store that is named or the first with data, and its server.

    Args:
        is_elsewhere: Whether the store is one that a container sees at a path of its own.

    Returns:
        What there is one of, and the first of what there are several of.
    """
    found: dict[str, str] = {}
    likely: dict[str, str] = {}
    if hasattr(sys, "frozen"):
        found["PROGRAM"] = sys.executable
    elif not is_elsewhere and (program := shutil.which("influx-recovery")) is not None:
        found["PROGRAM"] = program
    here = [one for one in survey(host, bolt_path=bolt_path).candidates if one.has_data]
    containers = [one for one in read_containers(host) if isinstance(one, Container)]
    if is_elsewhere and bolt_path is None:
        for container in containers[:1]:
            (found if len(containers) == 1 else likely).update(_of_container(container, here))
    elif here:
        (found if len(here) == 1 else likely).update(_of_store(here[0]))
    return found, likely


def _of_container(container: Container, stores: Sequence[Candidate]) -> dict[str, str]:
    inside = container.environment.get("INFLUXD_BOLT_PATH", ASSUMED["STORE_INSIDE"])
    outside = container.outside(inside)
    store = next((one for one in stores if one.named_path == outside), None)
    owner = {} if store is None else _of_store(store)
    owner.pop("UNIT", None)
    return owner | {"CONTAINER": container.name, "STORE_INSIDE": inside}


def _of_store(candidate: Candidate) -> dict[str, str]:
    found = {"STORE": str(candidate.path)}
    if candidate.uid is not None and candidate.gid is not None:
        found |= {"UID": str(candidate.uid), "GID": str(candidate.gid)}
    unit = next((one for one in candidate.opened_by if one.endswith(".service")), None)
    return found if unit is None else found | {"UNIT": unit}


def _filled(text: str, values: Mapping[str, str], suffix: str) -> str:
    def quoted(place: re.Match[str]) -> str:
        name, value = place[1], values[place[1]]
        if suffix in SHELL:
            return shlex.quote(value)
        if suffix in YAML:
            return _of_yaml(name, value)
        if suffix in UNITS:
            is_command = text.startswith("Exec", text.rfind("\n", 0, place.start()) + 1)
            return value if name == "UNIT" and not is_command else _of_unit(value, is_command)
        return value

    return PLACE.sub(quoted, text)


def _of_yaml(name: str, text: str) -> str:
    """Write a value as a text of YAML, in which Compose and `env` of Kubernetes see no variable."""
    if name in _PLAIN:
        return text
    quoted = json.dumps(text)
    return quoted if name == "FOLDER_INSIDE" else quoted.replace("$", "$$")


def _of_unit(text: str, is_command: bool) -> str:  # noqa: FBT001
    """Write a value as a word of a unit: of a command line, or of a list of paths.

    Only in the first have backslashes and `$` a meaning. Source: systemd.service(5), command lines;
    systemd.syntax(7), quoting; the rest as systemd 252 was seen to read it.
    """
    escaped = text.replace("%", "%%")
    if is_command:
        escaped = escaped.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    if not _NEEDS_QUOTES.search(text):
        return escaped
    return f"'{escaped}'" if '"' in text and not is_command else f'"{escaped}"'


def _source_text(source: str) -> str:
    return _folder().joinpath(source).read_text(encoding="utf-8")


def _folder() -> Traversable:
    return files("recovery") / "recipes"
