"""The examples of help and manual: every command has one, and every one does what it says."""

import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from recovery.cli.vocabulary import COMMANDS, load
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import decode_authorization
from recovery.secret import Secret
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.user_changes import RenameUser
from recovery.services.tenancy.user_creation import CreateUser
from tests.support.backup_folder import write_backup_folder
from tests.support.engine_files import write_engine
from tests.support.hints import whole_parser
from tests.support.ports import FixedClock
from tests.support.run_cli import PROJECT, Cli, Ended
from tests.support.sample import OPERATOR_TOKEN
from tests.support.stores import CHANGED_AT, SeededRng, change, edit

PAGES: Final = (PROJECT / "man" / "examples.inc", PROJECT / "man" / "influx-recovery.7")
PROGRAM: Final = "influx-recovery"
STORE: Final = "/var/lib/influxdb/influxd.bolt"
NEW_STORE: Final = "/srv/influxd.bolt"
BACKUP_FOLDER: Final = "/srv/backup"
ENGINE: Final = "/var/lib/influxdb/engine"
PASSWORD: Final = "an-example-password"
DEPLOYED_TOKEN: Final = "an-example-token-of-some-length"
CLIENT: Final = """
import os, urllib.request
url = os.environ["INFLUX_HOST"] + "/api/v2/authorizations"
headers = {"Authorization": "Token " + os.environ["INFLUX_TOKEN"]}
assert urllib.request.urlopen(urllib.request.Request(url, headers=headers)).status == 200
"""
"""What stands in for the influx command, which asks the same of the daemon."""

PARSER: Final = whole_parser()
NEEDED: Final = {
    "auth undelete": ["auth delete 08371deae98c8000"],
    "user undelete": ["user delete --username grafana --with-tokens"],
    "v1-auth undelete": ["v1-auth delete old-grafana"],
    "auth verify": [
        "auth create --org myorg --all-access --token-value-file /root/deployed.token --user admin"
    ],
    "auth import": ["auth export /root/tokens.jsonl --with-tokens"],
    "store diff": ["store backup /root/today.bolt"],
    "org delete": ["org create --org visitors --owner admin"],
    "org remove-member": ["org add-owner --org myorg --username grafana"],
}
"""What has to be done before an example, so that there is what it is about."""
EXPECTED: Final = {"store check": {0, 1}}
"""How an example may end besides with 0: that store is open to others."""


def blocks() -> list[list[list[str]]]:
    """Return the examples: groups of command lines that follow each other, as words."""
    text = "".join(page.read_text() for page in PAGES)
    text = text.replace("\\e\n", "").replace("\\-", "-")
    found = re.findall(r"^\.nf\n\.RS\n(.*?)^\.RE\n", text, flags=re.MULTILINE | re.DOTALL)
    readme = (PROJECT / "README.md").read_text()
    for typed in re.findall(r"^```console\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL):
        lines = (line.removeprefix("# ") for line in typed.splitlines())
        # A server without a command of its own ends when somebody ends it: see tests/daemon.
        found.append(
            "\n".join(
                line
                for line in lines
                if not line.startswith(("#", f"{PROGRAM} serve --l", f"{PROGRAM} serve --k"))
            )
        )
    return [[shlex.split(line) for line in block.splitlines()] for block in found]


def ours(block: list[list[str]]) -> Iterator[list[str]]:
    """Return the words behind the program's name, of our own commands only."""
    return (words[1:] for words in block if words[0] == PROGRAM)


def command_of(words: list[str]) -> str:
    """Return the command that a line is for."""
    arguments = PARSER.parse_args(words)
    return str(arguments.words)


@pytest.mark.parametrize("words", [words for words in COMMANDS if words not in {"serve", "demo"}])
def test_the_example_in_the_help_of_a_command_works_as_it_stands(
    cli: Cli, level21_bolt: Path, words: str
) -> None:
    prepare(cli, level21_bolt)
    line = shlex.split(load(words).example)
    assert command_of(line) == words
    for before in NEEDED.get(words, ()):
        assert follow(cli, level21_bolt, before.split(), 0).code == 0
    done = follow(cli, level21_bolt, line, 1)
    assert done.code in EXPECTED.get(words, {0}), f"{line}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize(
    "block", blocks(), ids=lambda block: next((" ".join(w[1:3]) for w in block), "")
)
def test_the_examples_work_in_their_order(
    cli: Cli, level21_bolt: Path, block: list[list[str]]
) -> None:
    """Run as a script would: with a yes, and with a file for what a person types."""
    prepare(cli, level21_bolt)
    if ["user", "undelete"] in ours(block):  # a mistake that the person has made before
        (mistake,) = NEEDED["user undelete"]
        assert follow(cli, level21_bolt, mistake.split(), 0).code == 0
    for number, words in enumerate(ours(block)):
        done = follow(cli, level21_bolt, words, number)
        expected = EXPECTED.get(" ".join(words[:2]), {0})
        assert done.code in expected, f"{words}\n{done.stdout}\n{done.stderr}"


def follow(cli: Cli, store: Path, words: list[str], number: int) -> Ended:
    """Do what an example says."""
    line = [*placed(words, cli.home, store), *completed(words, cli.home, number)]
    environ = {"INFLUXD_BOLT_PATH": str(store), "PATH": f"{cli.home}:{os.defpath}"}
    if line[0] in {"serve", "demo"}:
        return cli.run(*line, environ=environ, own_ledger=line[0] != "demo")
    return cli.run_here(*line, environ=environ)


def prepare(cli: Cli, store: Path) -> None:
    """Make what the examples take for granted: two users, some files, one operation on record."""
    (cli.home / "password").write_text(PASSWORD + "\n")
    (cli.home / "deployed.token").write_text(DEPLOYED_TOKEN + "\n")
    (cli.home / "typed.token").write_text(OPERATOR_TOKEN + "\n")
    write_engine(cli.home / "lost" / "engine")
    client = cli.home / "influx"
    client.write_text(f"#!{sys.executable}\n{CLIENT}")
    client.chmod(0o700)
    edit(store, add_legacy)
    change(store, RenameUser(user=UserChoice(name="testuser", user_id=None), new_name="admin"))
    change(
        store,
        CreateUser(
            name="grafana",
            password=Secret(PASSWORD),
            organization="myorg",
            has_role=True,
            is_owner=False,
            is_ensured=False,
            clock=FixedClock(CHANGED_AT),
            rng=SeededRng(3),
        ),
    )
    write_backup_folder(cli.home / "backup", store)
    done = cli.run_here(
        *("user", "update", "--username", "admin", "--yes"),
        *("--password-file", cli.home / "password", "--bolt-path", store),
    )
    assert done.code == 0, done.stderr


def add_legacy(tx: MetaTx) -> None:
    """Add a 1.x-compatible authorization with the user name "old-grafana"."""
    (template, *_) = tx.authorizations.walk([])
    document = template.rewritten({"token": "old-grafana", "hashedToken": None})
    tx.legacy_authorizations.insert(decode_authorization(document))


def placed(words: list[str], home: Path, store: Path) -> list[str]:
    """Put the files of an example where a test may write."""
    moved = []
    for word in words:
        if word == STORE:
            moved.append(str(store))
        elif word == NEW_STORE:
            moved.append(str(home / "new.bolt"))
        elif word == BACKUP_FOLDER:
            moved.append(str(home / "backup"))
        elif word == ENGINE:
            moved.append(str(home / "lost" / "engine"))
        else:
            moved.append(re.sub(r"^/(root|tmp)/", f"{home}/", word))
    return moved


def completed(words: list[str], home: Path, number: int) -> list[str]:
    """Add what a person would answer at the terminal."""
    arguments = vars(PARSER.parse_args(words))
    added = []
    is_change = arguments["words"] != "store backups" or "prune" in words
    if is_change and arguments.get("yes") is arguments.get("dry_run") is False:
        added.append("--yes")
    if arguments.get("password_file", "") is None:
        added += ["--password-file", str(home / "password")]
    if arguments["words"] == "auth verify" and arguments["token_file"] is None:
        added += ["--token-file", str(home / "typed.token")]
    asks_for_a_place = "token_file" in arguments and "token_stdout" in arguments
    is_placed = any(arguments.get(name) for name in ("token_file", "token_value_file", "dry_run"))
    if asks_for_a_place and not is_placed:
        added += ["--token-file", str(home / f"token{number}")]
    return added
