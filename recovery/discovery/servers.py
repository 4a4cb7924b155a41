"""Servers that this machine is set up to start, and the store that each would open.

Lives here: the order in which influxd itself looks at flags, environment, configuration file and
default, applied to the present environment, to systemd units, to running processes, to the
package's environment file, to the Docker image's entry point (inside of a container), and to the
Homebrew service. Must not live
here: whether those stores exist, and which of them a command should use.

Invariants: what influxd takes from a configuration is taken in its order: flag, environment, file,
default. A malformed file is reported together with the server that would stop at it.

Facts: influxdb v2.9.1 kit/cli/viper.go, cmd/influxd/launcher/cmd.go, internal/fs/influx_dir.go (the
user's home folder, then `$HOME`), .circleci/package/fs (unit, /etc/default/influxdb2);
influxdata-docker influxdb/2.x entrypoint.sh; Homebrew formula influxdb.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from recovery.discovery.candidate import SQLITE_NAME, STORE_NAME, Files
from recovery.discovery.configuration import (
    BOLT_PATH_VARIABLE,
    CONFIG_PATH_VARIABLE,
    Settings,
    locate_configuration,
    parse_switch,
    read_configuration,
    settings_of_variables,
)
from recovery.discovery.containers import Container
from recovery.discovery.host import Host
from recovery.discovery.places import HOME_FOLDER, HOMEBREW_PREFIXES
from recovery.discovery.processes import Running
from recovery.discovery.systemd import Unit, read_environment_file, read_text, read_units
from recovery.errors import ConfigurationError
from recovery.model.display import displayed

PACKAGE_ENVIRONMENT_FILE: Final = "/etc/default/influxdb2"
PACKAGE_CONFIGURATION: Final = "/etc/influxdb/config.toml"
HAND_STARTED: Final = "an influxd started here by hand"

_NOTHING: Final = Settings()
_IMAGE_CONFIGURATIONS: Final = (
    *(f"/etc/influxdb2/config.{extension}" for extension in ("json", "toml", "yaml", "yml")),
    "/etc/defaults/influxdb2/config.yml",
)
_PASSWD: Final = "/etc/passwd"  # noqa: S105 # a file of users; it has held no passwords for long
_PASSWD_HOME_FIELD: Final = 5
_USUAL_HOMES: Final = {"root": "/root", "influxdb": "/var/lib/influxdb"}


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """One server, and what it would open.

    Attributes:
        name: How to call it: "influxdb.service", "the Homebrew service"; empty if nothing starts
            this one, as with a configuration that nobody refers to.
        store_path: The store that it would open; None if that cannot be told.
        reason: Why that one, as a short phrase.
        is_configured: Whether flag, environment or file names it; otherwise it is the default.
        error: The configuration file at which the server would stop.
        notes: What else is worth knowing, as sentences.
    """

    name: str
    store_path: Path | None
    reason: str
    is_configured: bool
    files: Files
    error: ConfigurationError | None = None
    notes: tuple[str, ...] = ()


class _Start(msgspec.Struct, frozen=True, kw_only=True):
    """How a server is started.

    Attributes:
        flags: Settings on its command line.
        default_config_path: Used where the environment names no configuration.
        default_store: Used where nothing names the store.
        located: Finds a path that is written in a setting.
        shown: Writes a path for a person.
        from_flag: How to call a setting on the command line.
        from_variable: How to call a setting in the environment.
        from_file: How to say who refers to the configuration file.
    """

    name: str
    flags: Settings = _NOTHING
    environment: Mapping[str, str]
    default_config_path: str | None
    default_store: Path | None
    default_reason: str
    located: Callable[[str], Path | None]
    shown: Callable[[Path], str] = str
    from_flag: str = ""
    from_variable: str
    from_file: str


def server_here(host: Host) -> Server:
    """Say what an influxd started in this environment would open.

    Returns:
        The server; `is_configured` tells whether the environment decides. A configuration that
        happens to be in the working folder, where influxd looks too, decides nothing: folders of
        other programs have files of that name.
    """
    home = host.homes[0] if host.homes else host.working_folder
    server = _server(
        _Start(
            name=HAND_STARTED,
            environment=host.environment,
            default_config_path=".",
            default_store=home / HOME_FOLDER / STORE_NAME,
            default_reason=f"found in the home folder {home}",
            located=lambda path: host.working_folder / path,
            from_variable=f"from {BOLT_PATH_VARIABLE}",
            from_file=f"named by {CONFIG_PATH_VARIABLE}",
        )
    )
    if not {BOLT_PATH_VARIABLE, CONFIG_PATH_VARIABLE} & host.environment.keys():
        return _by_working_folder(server)
    return server


def servers_of_system(host: Host) -> Iterator[Server]:
    """Say what the servers that this system starts would open.

    Yields:
        Servers of systemd, else of the package without systemd, else of the package's lone
        configuration; then those of the Docker image and of Homebrew.
    """
    units = [_of_unit(host, unit) for unit in read_units(host)]
    yield from units
    if not units:
        yield from _of_package(host)
    for path in _IMAGE_CONFIGURATIONS:
        if _is_there(host.inside(path)):
            yield _of_file(host, path, name="the Docker image's entry point")
            break
    for prefix in HOMEBREW_PREFIXES:
        path = f"{prefix}/etc/influxdb2/config.yml"
        if _is_there(host.inside(path)):
            yield _of_file(host, path, name="the Homebrew service")


def server_of_container(host: Host, container: Container) -> Server:
    """Say what a container would open, as a path on the host.

    The configuration is read only if it is in a mounted folder.
    """
    store = container.outside(f"/var/lib/influxdb2/{STORE_NAME}")
    store = store or container.outside(f"/root/{HOME_FOLDER}/{STORE_NAME}")
    name = f"Docker container {displayed(container.name)}"
    server = _server(
        _Start(
            name=name,
            environment=container.environment,
            default_config_path="/etc/influxdb2",
            default_store=store,
            default_reason=f"mounted in {name}",
            located=container.outside,
            shown=host.seen_from_inside,
            from_variable=f"{BOLT_PATH_VARIABLE} of {name}",
            from_file=f"read by {name}",
        )
    )
    return _only_a_hint(server)


def server_running(running: Running) -> Server:
    """Say what a process of influxd has open or is about to, which makes no store preferred."""
    server = _server(
        _Start(
            name=running.name,
            flags=_settings_of_arguments(running.arguments),
            environment=running.environment,
            default_config_path=str(running.working_folder),
            default_store=running.outside(f"{running.home}/{HOME_FOLDER}/{STORE_NAME}")
            if running.home
            else None,
            default_reason=f"found in the home folder of {running.name}",
            located=running.outside,
            from_flag=f"--bolt-path of {running.name}",
            from_variable=f"{BOLT_PATH_VARIABLE} of {running.name}",
            from_file=f"read by {running.name}",
        )
    )
    if running.held_path is not None:
        held = running.outside(running.held_path)
        server = replace(server, store_path=held, reason=f"{running.name} has it open")
    return _only_a_hint(server)


def _by_working_folder(server: Server) -> Server:
    """Weaken what the working folder's configuration says, if there is one."""
    if not server.is_configured:
        return replace(server, error=None, notes=())
    reason = server.reason.removesuffix(f", named by {CONFIG_PATH_VARIABLE}")
    return replace(_only_a_hint(server), reason=f"{reason}, in the working folder")


def _only_a_hint(server: Server) -> Server:
    """Let a server suggest a store without being able to stop a search."""
    errors = [] if server.error is None else [f"{server.error.path} {server.error.problem}"]
    return replace(server, is_configured=False, error=None, notes=(*server.notes, *errors))


def _of_unit(host: Host, unit: Unit) -> Server:
    """Understand a unit."""
    home = _home_of(host, unit.user)
    folder = Path(home if unit.working_folder == "~" else unit.working_folder)
    return _server(
        _Start(
            name=unit.name,
            flags=_settings_of_arguments(unit.arguments),
            environment=unit.environment,
            default_config_path=str(folder),
            default_store=host.inside(home) / HOME_FOLDER / STORE_NAME,
            default_reason=f"found in the home folder of {unit.user}, user of {unit.name}",
            located=lambda path: host.inside(folder / path),
            shown=host.seen_from_inside,
            from_flag=f"--bolt-path of {unit.name}",
            from_variable=f"{BOLT_PATH_VARIABLE} of {unit.name}",
            from_file=f"read by {unit.name}",
        )
    )


def _of_package(host: Host) -> Iterator[Server]:
    """Understand a package on a system without systemd, or what a removed one has left."""
    environment = read_environment_file(host.inside(PACKAGE_ENVIRONMENT_FILE))
    if environment is not None:
        home = host.inside(_home_of(host, "influxdb"))
        yield _server(
            _Start(
                name="the package's service",
                environment=environment,
                default_config_path="/",
                default_store=home / HOME_FOLDER / STORE_NAME,
                default_reason="found in the home folder of the package's user",
                located=host.inside,
                shown=host.seen_from_inside,
                from_variable=f"{BOLT_PATH_VARIABLE} in {PACKAGE_ENVIRONMENT_FILE}",
                from_file=f"named by {PACKAGE_ENVIRONMENT_FILE}",
            )
        )
    elif _is_there(host.inside(PACKAGE_CONFIGURATION)):
        yield _only_a_hint(_of_file(host, PACKAGE_CONFIGURATION, name=""))


def _of_file(host: Host, path: str, *, name: str) -> Server:
    """Understand a service of which only the configuration file is known."""
    return _server(
        _Start(
            name=name,
            environment={},
            default_config_path=path,
            default_store=None,
            default_reason="",
            located=host.inside,
            shown=host.seen_from_inside,
            from_variable="",
            from_file=f"read by {name}" if name else "to which nothing refers",
        )
    )


def _server(start: _Start) -> Server:
    """Apply the order of influxd: flag, environment, file, default."""
    variables = settings_of_variables(start.environment)
    from_file = Settings()
    file_shown = ""
    error: ConfigurationError | None = None
    notes: list[str] = []
    try:
        file = _configuration_file(start)
        if file is not None:
            configuration = read_configuration(file)
            from_file, file_shown = configuration.settings, displayed(start.shown(file))
            if configuration.keys_of_1x:
                keys = ", ".join(configuration.keys_of_1x)
                notes.append(f"influxd 2.x refuses to start on {file_shown}: it has {keys}")
        elif CONFIG_PATH_VARIABLE in start.environment:
            named = displayed(start.environment[CONFIG_PATH_VARIABLE])
            notes.append(f"{CONFIG_PATH_VARIABLE} names {named}, where there is no configuration")
    except ConfigurationError as exc:
        error = exc
    if start.flags.bolt_path:
        reason = start.from_flag
    elif variables.bolt_path:
        reason = start.from_variable
    elif from_file.bolt_path:
        reason = f"bolt-path in {file_shown}, {start.from_file}"
    else:
        reason = start.default_reason
    settings = start.flags.over(variables).over(from_file)
    store = start.located(settings.bolt_path) if settings.bolt_path else start.default_store
    return Server(
        name=start.name,
        store_path=store,
        reason=reason,
        is_configured=bool(settings.bolt_path),
        files=_files(settings, store, start.located),
        error=error,
        notes=tuple(notes),
    )


def _configuration_file(start: _Start) -> Path | None:
    """Find the configuration file of a server."""
    named = start.environment.get(CONFIG_PATH_VARIABLE) or start.default_config_path
    place = None if named is None else start.located(named)
    return None if place is None else locate_configuration(place)


def _files(settings: Settings, store: Path | None, located: Callable[[str], Path | None]) -> Files:
    """Find what belongs to a store."""
    sqlite_path = None if store is None else store.parent / SQLITE_NAME
    engine_path = None
    if settings.sqlite_path:
        sqlite_path = located(settings.sqlite_path)
    if settings.engine_path:
        engine_path = located(settings.engine_path)
    elif store is not None and not settings.bolt_path:
        engine_path = store.parent / "engine"  # both defaults are in the same folder
    return Files(
        sqlite_path=sqlite_path,
        engine_path=engine_path,
        use_hashed_tokens=settings.use_hashed_tokens,
    )


def _settings_of_arguments(arguments: tuple[str, ...]) -> Settings:
    """Read the settings on a command line: `--name value`, `--name=value`, or a bare switch."""
    values: dict[str, str] = {}
    for index, argument in enumerate(arguments):
        name, sign, value = argument.partition("=")
        if not name.startswith("--"):
            continue
        following = arguments[index + 1] if index + 1 < len(arguments) else "--"
        if not sign:
            value = "true" if name == "--use-hashed-tokens" else following
        values[name] = "" if value.startswith("--") else value
    return Settings(
        bolt_path=values.get("--bolt-path") or None,
        sqlite_path=values.get("--sqlite-path") or None,
        engine_path=values.get("--engine-path") or None,
        use_hashed_tokens=parse_switch(values.get("--use-hashed-tokens")),
    )


def _is_there(path: Path) -> bool:
    """Say whether there is a file; one that may not be looked at counts, and is reported later."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _home_of(host: Host, user: str) -> str:
    """Look up a home folder in the list of users below the root folder."""
    for line in (read_text(host.inside(_PASSWD)) or "").splitlines():
        parts = line.split(":")
        if parts[0] == user and len(parts) > _PASSWD_HOME_FIELD and parts[_PASSWD_HOME_FIELD]:
            return parts[_PASSWD_HOME_FIELD]
    return _USUAL_HOMES.get(user, f"/home/{user}")
