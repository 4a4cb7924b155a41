"""Unit files of systemd, as far as they say how a server is started.

Lives here: finding a unit with its drop-ins, and reading its start command, environment, user and
working folder. Must not live here: what the server makes of them (`recovery.discovery.servers`).

Invariants: of an environment file only variables of influxd are kept. What cannot be understood is
left out: a unit is a help in the search, and `systemctl` is the authority on it.

Facts: systemd.unit(5) (search path, drop-ins, masking by a link to /dev/null), systemd.syntax(7),
systemd.exec(5) (Environment, EnvironmentFile), systemd.service(5) (ExecStart prefixes).
"""

import contextlib
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from recovery.discovery.host import Host, influxd_variables

UNIT_NAMES: Final = ("influxdb.service", "influxd.service", "influxdb2.service")
"""Those of packages and of usual guides; any other unit counts that starts influxd."""

_FOLDERS: Final = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
_SIZE_BYTES_MAX: Final = 1 << 20
_COMMAND_PREFIXES: Final = "@-:+!"
_PROGRAM: Final = re.compile(r"influxd[-_.0-9a-z]*\Z")
_RUNS_A_CONTAINER: Final = frozenset({"docker", "podman", "nerdctl"})
_INSTANCE: Final = re.compile(r"([^@]+@)(.+)(\.service)\Z")
_VARIABLE: Final = re.compile(r"\$(?:\{([A-Z_][A-Z0-9_]*)\}|([A-Z_][A-Z0-9_]*)\b)")
_SPECIFIER: Final = re.compile(r"%(.)")
_SPECIFIERS: Final = {"%": "%", "E": "/etc", "S": "/var/lib", "h": "/root", "t": "/run"}
_LISTS: Final = frozenset({"Environment", "EnvironmentFile", "ExecStart"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """How a unit starts a server.

    Attributes:
        environment: Variables of influxd that it sets.
        user: Its user, "root" if none is given.
        working_folder: Where it runs; "~" is the home folder of the user.
    """

    name: str
    arguments: tuple[str, ...] = field(repr=False)
    environment: dict[str, str] = field(repr=False)
    user: str
    working_folder: str


def read_units(host: Host) -> Iterator[Unit]:
    """Read the units, not aliases, that start an influxd, if they are installed and not masked."""
    for name in UNIT_NAMES:
        unit = _read_unit(host, name)
        if unit is not None:
            yield unit
    for name in _other_names(host):
        unit = _read_unit(host, name)
        if unit is not None and _starts_influxd(unit.arguments):
            yield unit


def _read_unit(host: Host, name: str) -> Unit | None:
    """Read one unit, whose file for an instance is that of its template."""
    path = next((p for f in _FOLDERS if os.path.lexists(p := host.inside(f) / name)), None)
    files = [name]
    found = _INSTANCE.match(name)
    if path is None and found is not None:
        files.insert(0, template := found[1] + found[3])
        path = next((p for f in _FOLDERS if os.path.lexists(p := host.inside(f) / template)), None)
    if path is None or path.is_symlink():  # masked, or an alias
        return None
    text = read_text(path)
    if text is None:
        return None
    drop_ins = [read_text(drop) or "" for file in files for drop in _drop_ins(host, file)]
    instance = "" if found is None else found[2]
    named = (one.replace("%i", instance).replace("%I", instance) for one in (text, *drop_ins))
    return _unit(host, name, list(named))


def _other_names(host: Host) -> list[str]:
    """List all other units: files of their own, and instances of templates that are enabled."""
    names: set[str] = set()
    for folder in map(host.inside, _FOLDERS):
        with contextlib.suppress(OSError):
            names |= {path.name for path in folder.glob("*.service") if not path.is_symlink()}
            names |= {path.name for path in folder.glob("*.wants/*@?*.service")}
    return sorted(name for name in names - set(UNIT_NAMES) if not name.endswith("@.service"))


def _starts_influxd(arguments: tuple[str, ...]) -> bool:
    """Say whether a command is influxd, by itself or behind env, a shell and the like."""
    words = [word for argument in arguments for word in _words(argument)]
    if not words or os.path.basename(words[0]) in _RUNS_A_CONTAINER:  # noqa: PTH119 # a word, no path
        return False
    return any(_PROGRAM.match(os.path.basename(word)) for word in words)  # noqa: PTH119 # as above


def read_environment_file(path: Path) -> dict[str, str] | None:
    """Read the variables of influxd in a file; None if it cannot be read."""
    text = read_text(path)
    if text is None:
        return None
    variables: dict[str, str] = {}
    for line in _joined(text):
        name, sign, value = line.removeprefix("export ").partition("=")
        if sign:
            words = _words(value)
            variables[name.strip()] = words[0] if words else ""
    return influxd_variables(variables)


def read_text(path: Path) -> str | None:
    """Read a small text file; None if it cannot be read."""
    try:
        if not path.is_file():  # opening a pipe would wait forever
            return None
        with path.open("rb") as file:
            return file.read(_SIZE_BYTES_MAX).decode("utf-8", "replace")
    except (OSError, ValueError):
        return None


def _drop_ins(host: Host, name: str) -> list[Path]:
    """List the drop-ins of a unit in the order in which they count; a folder hides weaker ones."""
    by_name: dict[str, Path] = {}
    for folder in reversed(_FOLDERS):
        with contextlib.suppress(OSError):
            for path in (host.inside(folder) / f"{name}.d").iterdir():
                if path.suffix == ".conf":
                    by_name[path.name] = path
    return [by_name[key] for key in sorted(by_name)]


def _unit(host: Host, name: str, texts: list[str]) -> Unit:
    """Put a unit and its drop-ins together."""
    single: dict[str, str] = {}
    lists: dict[str, list[str]] = {key: [] for key in _LISTS}
    for text in texts:
        for key, value in _service_lines(text):
            if key not in _LISTS:
                single[key] = value
            elif value:
                lists[key].append(value)
            else:  # an empty value takes the earlier ones back
                lists[key].clear()
    environment: dict[str, str] = {}
    for value in lists["Environment"]:
        pairs = (word.partition("=") for word in _words(value))
        environment |= {variable: content for variable, sign, content in pairs if sign}
    for value in lists["EnvironmentFile"]:
        environment |= read_environment_file(host.inside(value.removeprefix("-"))) or {}
    start = lists["ExecStart"][-1] if lists["ExecStart"] else ""
    return Unit(
        name=name,
        arguments=tuple(
            _expanded(word, environment) for word in _words(start.lstrip(_COMMAND_PREFIXES))
        ),
        environment=influxd_variables(environment),
        user=single.get("User") or "root",
        working_folder=single.get("WorkingDirectory", "").removeprefix("-") or "/",
    )


def _service_lines(text: str) -> Iterator[tuple[str, str]]:
    """Read the assignments of the section [Service]."""
    section = ""
    for line in _joined(text):
        if line.startswith("["):
            section = line
        elif section == "[Service]":
            key, sign, value = line.partition("=")
            if sign:
                yield key.strip(), _SPECIFIER.sub(_specified, value.strip())


def _specified(found: re.Match[str]) -> str:
    """Replace a specifier that a path may begin with; others stay."""
    return _SPECIFIERS.get(found[1], found[0])


def _joined(text: str) -> Iterator[str]:
    """Join continued lines; drop comments and empty lines."""
    held = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith(("#", ";")):
            continue
        if line.endswith("\\"):
            held += line[:-1] + " "
            continue
        if held + line:
            yield (held + line).strip()
        held = ""
    if held:
        yield held.strip()


def _words(text: str) -> list[str]:
    """Split a line at blanks outside of quotes."""
    try:
        return shlex.split(text)
    except ValueError:  # a quote without its end
        return text.split()


def _expanded(word: str, environment: dict[str, str]) -> str:
    """Replace variables; unknown ones are empty, as for systemd."""
    return _VARIABLE.sub(lambda found: environment.get(found[1] or found[2], ""), word)
