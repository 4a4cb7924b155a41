"""Configuration of influxd: its files, and the four settings that matter here.

Lives here: finding a configuration file, reading it, and the settings themselves. Must not live
here: which configuration belongs to which server (`recovery.discovery.servers`).

Invariants: no value of a configuration gets into an error, because a configuration may hold the
token of a vault; names of keys may. Errors are raised without their cause for the same reason.

Facts: influxdb v2.9.1 kit/cli/viper.go (initializeConfig, BindOptions), cmd/influxd/launcher/cmd.go
(option names), cmd/influxd/upgrade (keys of 1.x that are refused); spf13/cast ToBoolE,
spf13/viper SupportedExts.
"""

import json
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from recovery.discovery.host import PREFIX
from recovery.errors import ConfigurationError
from recovery.model.display import displayed
from recovery.remedy import Give, Input

SIZE_BYTES_MAX: Final = 1 << 20
"""A configuration is some hundred bytes; this is no configuration."""

CONFIG_PATH_VARIABLE: Final = "INFLUXD_CONFIG_PATH"
BOLT_PATH_VARIABLE: Final = "INFLUXD_BOLT_PATH"

_EXTENSIONS: Final = ("json", "toml", "yaml", "yml")
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_KEYS_OF_1X: Final = frozenset(
    {
        "bind-address", "data", "meta", "http", "logging", "coordinator", "retention", "monitor",
        "subscriber", "tls", "udp", "graphite", "collectd", "opentsdb", "shard-precreation",
        "continuous_queries",
    }
)  # fmt: skip
_HINT: Final = ("mend that file", Give(Input.STORE, "name the store"))
_LINE: Final = re.compile(r"at line (\d+)")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a server is told about its files, as it is written; None where nothing is said."""

    bolt_path: str | None = None
    sqlite_path: str | None = None
    engine_path: str | None = None
    use_hashed_tokens: bool | None = None

    def over(self, weaker: "Settings") -> "Settings":
        """Put these settings over weaker ones, which hold where these say nothing."""
        said = {
            name: getattr(self, name)
            for name in self.__struct_fields__
            if getattr(self, name) is not None
        }
        return replace(weaker, **said)


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """One configuration file.

    Attributes:
        keys_of_1x: Keys in it for which every influxd 2.x refuses to start.
    """

    path: Path
    settings: Settings
    keys_of_1x: tuple[str, ...] = ()


def settings_of_variables(environment: Mapping[str, str]) -> Settings:
    """Read the environment of a server; an empty variable counts as unset."""

    def value(key: str) -> str | None:
        return environment.get(PREFIX + key.upper().replace("-", "_")) or None

    return Settings(
        bolt_path=value("bolt-path"),
        sqlite_path=value("sqlite-path"),
        engine_path=value("engine-path"),
        use_hashed_tokens=parse_switch(value("use-hashed-tokens")),
    )


def locate_configuration(place: Path) -> Path | None:
    """Find the file that a configuration path means.

    A name with one of the known extensions, in any case, is a file; any other is a folder with a
    file `config.<extension>` in it.

    Returns:
        The file, or None if there is none, which is no error for influxd.
    """
    if place.suffix.lower().removeprefix(".") in _EXTENSIONS:
        names = [place]
    else:
        names = [place / f"config.{extension}" for extension in _EXTENSIONS]
    for path in names:
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as exc:
            raise _unreadable(path, exc) from None
        return path
    return None


def read_configuration(path: Path) -> Configuration:
    """Read a configuration file, of the kind that its extension says, or `ConfigurationError`."""
    table = _table(path)
    return Configuration(
        path=path,
        settings=Settings(
            bolt_path=_text(table, "bolt-path", path),
            sqlite_path=_text(table, "sqlite-path", path),
            engine_path=_text(table, "engine-path", path),
            use_hashed_tokens=parse_switch(table.get("use-hashed-tokens")),
        ),
        keys_of_1x=tuple(sorted(_KEYS_OF_1X & table.keys())),
    )


def parse_switch(value: object) -> bool | None:
    """Read a switch as influxd does; None where it would find neither true nor false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value != 0
    if isinstance(value, str) and value in _TRUE | _FALSE:
        return value in _TRUE
    return None


def _table(path: Path) -> dict[str, object]:
    """Read the keys of a file, in lower case."""
    document = _document(path)
    if document is None:  # an empty YAML file
        return {}
    if not isinstance(document, dict):
        raise _error(path, "holds no keys")
    table: dict[str, object] = {}
    for key, value in document.items():
        name = str(key).lower()
        if name in table:
            raise _error(path, f"has the key {displayed(name[:40])} more than once")
        table[name] = value
    return table


def _document(path: Path) -> object:
    """Parse a file by its extension."""
    extension = path.suffix.lower().removeprefix(".")
    parsers: dict[str, Callable[[str], object]] = {
        "json": json.loads,
        "toml": _parse_toml,
        "yaml": _parse_yaml,
        "yml": _parse_yaml,
    }
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait forever
            raise _error(path, "is not a regular file")
        with path.open("rb") as file:
            content = file.read(SIZE_BYTES_MAX + 1)
    except OSError as exc:
        raise _unreadable(path, exc) from None
    if len(content) > SIZE_BYTES_MAX:
        raise _error(path, f"is longer than {SIZE_BYTES_MAX} bytes")
    kind = "YAML" if extension == "yml" else extension.upper()
    try:
        return parsers[extension](content.decode("utf-8"))
    except RecursionError:
        raise _error(path, f"is malformed {kind}: nested too deep") from None
    except ValueError as exc:
        raise _error(path, f"is malformed {kind}{_where(exc)}") from None


def _parse_toml(text: str) -> object:
    import tomllib  # noqa: PLC0415 # wanted for configurations in this language only

    return tomllib.loads(text)


def _parse_yaml(text: str) -> object:
    import yaml  # noqa: PLC0415 # slow to import, and most configurations are TOML

    try:
        document: object = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = "" if mark is None else f"at line {mark.line + 1}"
        raise ValueError(line) from None
    return document


def _where(error: ValueError) -> str:
    """Pick the line out of a parser's message, which may quote the file."""
    if isinstance(error, json.JSONDecodeError):
        return f" at line {error.lineno}"
    if isinstance(error, UnicodeDecodeError):
        return ", being no UTF-8"
    found = _LINE.search(str(error))
    return f" at line {found[1]}" if found else ""


def _text(table: Mapping[str, object], key: str, path: Path) -> str | None:
    """Read a key whose value is text; an empty one says nothing."""
    value = table.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise _error(path, f"has a value for {key} that is no text")
    return value


def _unreadable(path: Path, error: OSError | ValueError) -> ConfigurationError:
    reason = error.strerror if isinstance(error, OSError) else "no possible path"
    return _error(path, f"cannot be read ({reason})")


def _error(path: Path, problem: str) -> ConfigurationError:
    return ConfigurationError(path=displayed(str(path)), problem=problem, hint=_HINT)
