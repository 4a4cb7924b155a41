"""What commands say first of a store that something changed as a whole."""

import pytest

from recovery.errors import ExitCode
from tests.support.run_cli import Cli
from tests.unit.recovery.metastore.test_altered import ALTERED, LOST, STORE

KINDS = {name: (words, alter(STORE)) for name, (words, alter) in ALTERED.items()} | LOST


@pytest.mark.parametrize("command", ["store check", "store info", "auth list", "user list"])
def test_a_reading_command_names_what_has_changed_a_store_first(cli: Cli, command: str) -> None:
    path = cli.home / "copy"
    for name, (words, content) in KINDS.items():
        path.write_bytes(content)
        done = cli.run(*command.split(), "--bolt-path", path)
        assert (done.code, done.stdout) == (ExitCode.DAMAGED, ""), name
        error, hint = done.stderr.splitlines()[:2]
        assert error.startswith("error: "), name
        assert words in error, name
        assert hint.startswith("hint: "), name
