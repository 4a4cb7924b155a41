"""A store that a Go process holds: who it is, said by name, and nothing changed."""

from pathlib import Path

from recovery.errors import ExitCode
from tests.support.oracle import Oracle
from tests.support.run_cli import Cli


def test_the_go_process_that_holds_the_store_is_named(
    oracle: Oracle, level21_bolt: Path, tmp_path: Path
) -> None:
    cli = Cli(tmp_path / "home")
    before = level21_bolt.read_bytes()
    with oracle.hold(level21_bolt):
        refused = [
            cli.run("auth", "list", "--bolt-path", level21_bolt),
            cli.run(
                *("auth", "create-operator", "--yes", "--token-stdout"),
                *("--bolt-path", level21_bolt),
            ),
        ]
        found = cli.run("store", "find", "--bolt-path", level21_bolt)
    for done in refused:
        assert done.code == ExitCode.BUSY
        assert "peer" in done.error
        assert "nothing was changed" in done.error
        assert "stop" in done.hint
    assert "peer" in found.stdout
    assert level21_bolt.read_bytes() == before
