"""Configuration files and variables of influxd."""

import os
from pathlib import Path

import pytest

from recovery.discovery.configuration import (
    SIZE_BYTES_MAX,
    Settings,
    locate_configuration,
    parse_switch,
    read_configuration,
    settings_of_variables,
)
from recovery.errors import ConfigurationError

SECRET = "canary-vault-value"  # a canary

ALL = Settings(
    bolt_path="/a/influxd.bolt",
    sqlite_path="/a/influxd.sqlite",
    engine_path="/a/engine",
    use_hashed_tokens=True,
)
DOCUMENTS = {
    "json": (
        '{"bolt-path": "/a/influxd.bolt", "sqlite-path": "/a/influxd.sqlite",'
        ' "engine-path": "/a/engine", "use-hashed-tokens": true, "log-level": "info"}'
    ),
    "toml": (
        'Bolt-Path = "/a/influxd.bolt"\nSQLITE-PATH = "/a/influxd.sqlite"\n'
        'engine-path = "/a/engine"\nuse-hashed-tokens = true\n'
    ),
    "yaml": (
        "bolt-path: /a/influxd.bolt\nsqlite-path: /a/influxd.sqlite\n"
        'engine-path: "/a/engine"\nuse-hashed-tokens: true\n'
    ),
}
MALFORMED = {
    "json cut off": ("c.json", f'{{"vault-token": "{SECRET}",\n', "is malformed JSON at line 2"),
    "json list": ("c.json", f'["{SECRET}"]', "holds no keys"),
    "json empty": ("c.json", "", "is malformed JSON at line 1"),
    "json deep": ("c.json", "[" * 100_000, "is malformed JSON: nested too deep"),
    "json number": ("c.json", '{"bolt-path": 7}', "has a value for bolt-path that is no text"),
    "json twice": ("c.json", '{"a": 1, "A": 2}', "has the key a more than once"),
    "toml": ("c.toml", f'x = 1\nvault-token = "{SECRET}\n', "is malformed TOML at line 2"),
    "toml twice": ("c.toml", "a = 1\na = 2\n", "is malformed TOML at line 2"),
    "toml table": ("c.toml", "[bolt-path]\n", "has a value for bolt-path that is no text"),
    "toml bytes": ("c.toml", b"\xff\xfe", "is malformed TOML, being no UTF-8"),
    "yaml": ("c.yml", f"a: 1\nvault-token: '{SECRET}\n", "is malformed YAML at line 3"),
    "yaml tab": ("c.yaml", "a:\n\tb: 1", "is malformed YAML at line 2"),
    "yaml object": ("c.yaml", "!!python/object:os.system {}", "is malformed YAML at line 1"),
    "yaml text": ("c.yaml", SECRET, "holds no keys"),
    "yaml date": ("c.yaml", "a: 2026-99-99", "is malformed YAML"),
    "too long": ("c.json", b" " * (SIZE_BYTES_MAX + 1), f"is longer than {SIZE_BYTES_MAX} bytes"),
}


@pytest.mark.parametrize(("extension", "document"), DOCUMENTS.items(), ids=DOCUMENTS)
def test_the_four_settings_are_read_in_each_language(
    tmp_path: Path, extension: str, document: str
) -> None:
    path = tmp_path / f"config.{extension}"
    path.write_text(document, encoding="utf-8")
    configuration = read_configuration(path)
    assert (configuration.path, configuration.settings) == (path, ALL)
    assert configuration.keys_of_1x == ()


@pytest.mark.parametrize(
    ("name", "content"),
    [("c.yaml", ""), ("c.yaml", "# nothing\n"), ("c.toml", ""), ("c.json", '{"bolt-path": ""}')],
)
def test_a_configuration_may_say_nothing(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert read_configuration(path).settings == Settings()


@pytest.mark.parametrize(("name", "content", "problem"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_configuration_is_named_and_not_quoted(
    tmp_path: Path, name: str, content: str | bytes, problem: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ConfigurationError) as caught:
        read_configuration(path)
    error = caught.value
    assert (error.path, error.problem) == (str(path), problem)
    assert str(error) == f"{path} {problem}; nothing was changed"
    assert error.__cause__ is None
    assert SECRET not in str(error)


def test_a_configuration_that_is_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    os.mkfifo(path)
    with pytest.raises(ConfigurationError, match="is not a regular file"):
        read_configuration(path)


def test_keys_of_1x_are_named(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('Bind-Address = ":8088"\n[meta]\n[data]\n', encoding="utf-8")
    assert read_configuration(path).keys_of_1x == ("bind-address", "data", "meta")


@pytest.mark.parametrize("name", ["config.toml", "any.JSON", "x.Yml", "x.yaml"])
def test_a_path_with_a_known_extension_is_a_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert locate_configuration(path) is None
    path.touch()
    assert locate_configuration(path) == path


@pytest.mark.parametrize("name", ["influxdb", "influxdb.conf", "conf.d"])
def test_any_other_path_is_a_folder_with_a_configuration_in_it(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    assert locate_configuration(folder) is None
    folder.mkdir()
    assert locate_configuration(folder) is None
    for extension in ("yml", "yaml", "toml", "json"):  # each one is stronger than those before it
        path = folder / f"config.{extension}"
        path.touch()
        assert locate_configuration(folder) == path


def test_a_file_in_the_place_of_the_folder_holds_no_configuration(tmp_path: Path) -> None:
    path = tmp_path / "influxdb.conf"
    path.touch()
    assert locate_configuration(path) is None


def test_an_impossible_path_is_an_error_of_the_configuration() -> None:
    with pytest.raises(ConfigurationError, match="no possible path"):
        locate_configuration(Path("/x\0y.toml"))


def test_a_path_that_is_too_long_is_an_error_of_the_configuration() -> None:
    with pytest.raises(ConfigurationError, match="name too long"):
        locate_configuration(Path("/" + "x" * 300 + ".toml"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (False, False),
        (1, True),
        (0, False),
        ("true", True),
        ("T", True),
        ("1", True),
        ("False", False),
        ("0", False),
        ("yes", None),
        ("tRUE", None),
        ("", None),
        (None, None),
        (1.5, None),
        ([True], None),
    ],
)
def test_a_switch_is_read_as_influxd_does(value: object, *, expected: bool | None) -> None:
    assert parse_switch(value) is expected


def test_variables_have_the_prefix_and_underscores() -> None:
    environment = {
        "INFLUXD_BOLT_PATH": "/a/influxd.bolt",
        "INFLUXD_SQLITE_PATH": "/a/influxd.sqlite",
        "INFLUXD_ENGINE_PATH": "/a/engine",
        "INFLUXD_USE_HASHED_TOKENS": "true",
        "BOLT_PATH": "/b",
    }
    assert settings_of_variables(environment) == ALL
    assert settings_of_variables({"INFLUXD_BOLT_PATH": ""}) == Settings()


def test_stronger_settings_win_one_by_one() -> None:
    stronger = Settings(bolt_path="/b", use_hashed_tokens=False)
    assert stronger.over(ALL) == Settings(
        bolt_path="/b",
        sqlite_path="/a/influxd.sqlite",
        engine_path="/a/engine",
        use_hashed_tokens=False,
    )
