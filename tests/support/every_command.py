"""One way to run each command, for tests that run them all.

Lives here: a command line for every command of the program. A new command needs an entry, or
tests/cli/test_canaries.py fails.

Invariants: each line is for a fresh store of `tests.support.stores.make_store` at level 21 in which
alice has a password. `{home}` stands for a folder with the files "operator" (alice's token) and
"password", the folder "engine" and a backup of the store in "backup"; other words in braces are
attributes of `MadeStore`. Each line ends with exit code 0 and asks nothing. None asks for a secret
to be shown, but `{home}/token` may get a new one, and `{home}/tokens.jsonl` all of them.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tests.support.stores import MadeStore

_TOKEN: Final = ("--token-file", "{home}/token")

EVERY_COMMAND: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "auth list": ((), ("--operators",), ("--user", "alice"), ("--org", "acme")),
    "auth create-operator": (
        ("--org", "acme", "--username", "alice", "--dry-run"),
        ("--org", "acme", "--username", "alice", "--yes", *_TOKEN),
    ),
    "auth create": (
        ("--org", "acme", "--user", "bob", "--read-buckets", "--dry-run"),
        ("--org", "acme", "--user", "bob", "--read-buckets", "--yes", *_TOKEN),
    ),
    "auth verify": (("--token-file", "{home}/operator"),),
    "auth show": (("{operator}",), ("{hashed}",)),
    "auth set-active": (("{reader}", "--yes"),),
    "auth set-inactive": (("{reader}", "--yes"), ("{reader}", "{hashed}", "--yes")),
    "auth update": (("{reader}", "--description", "read by day", "--yes"),),
    "auth delete": (("{reader}", "--yes"), ("--all-but", "{operator}", "--yes")),
    "auth undelete": ((), ("{reader}", "--yes")),
    "auth rotate": (
        ("--all", "--except", "{operator}", "--dry-run"),
        ("{operator}", "{hashed}", "--yes", *_TOKEN),
    ),
    "auth complete": (("{old_operator}", "--yes"),),
    "auth hash": (("{operator}", "--yes"), ("--all", "--yes")),
    "auth export": (("{home}/plain.jsonl",), ("{home}/tokens.jsonl", "--with-tokens")),
    "auth import": (("{home}/tokens.jsonl", "--ensure", "--yes"),),
    "v1-auth list": ((),),
    "v1-auth create": (
        (
            "telegraf",
            "--username",
            "alice",
            "--org",
            "acme",
            "--write-bucket",
            "sensors",
            "--password-file",
            "{home}/password",
            "--yes",
        ),
    ),
    "v1-auth set-password": (("grafana", "--password-file", "{home}/password", "--yes"),),
    "v1-auth set-active": (("grafana", "--yes"),),
    "v1-auth set-inactive": (("grafana", "--yes"),),
    "v1-auth delete": (("grafana", "--yes"),),
    "v1-auth undelete": ((), ("grafana", "--yes")),
    "user list": ((),),
    "user show": (("--username", "alice"),),
    "user create": (
        ("--username", "carol", "--password-file", "{home}/password", "--no-org", "--yes"),
        ("--username", "dave", "--no-password", "--owner-of", "acme", "--yes"),
        ("--username", "dan", "--no-password", "--no-org", "--id", "00000000000000da", "--yes"),
    ),
    "user update": (("--username", "alice", "--password-file", "{home}/password", "--yes"),),
    "user rename": (("--username", "bob", "--new-name", "robert", "--yes"),),
    "user activate": (("--username", "bob", "--yes"),),
    "user deactivate": (("--username", "bob", "--yes"),),
    "user delete": (("--username", "bob", "--with-tokens", "--yes"),),
    "user undelete": ((), ("--username", "bob", "--with-tokens", "--yes")),
    "user verify-password": (("--username", "alice", "--password-file", "{home}/password"),),
    "org list": ((),),
    "org create": (("--org", "new", "--owner", "alice", "--yes"),),
    "org rename": (("--org", "acme", "--new-name", "emca", "--yes"),),
    "org update": (("--org", "acme", "--description", "makers of everything", "--yes"),),
    "org delete": (("--org", "other", "--dry-run"),),
    "org add-owner": (("--org", "acme", "--username", "bob", "--yes"),),
    "org add-member": (("--org", "other", "--username", "bob", "--yes"),),
    "org remove-member": (("--org", "acme", "--username", "bob", "--yes"),),
    "bucket list": ((), ("--org", "acme")),
    "bucket create": (("--org", "acme", "--name", "new", "--retention", "30d", "--yes"),),
    "bucket rename": (("--org", "acme", "--name", "sensors", "--new-name", "atad", "--dry-run"),),
    "bucket update": (("--org", "acme", "--name", "sensors", "--retention", "90d", "--dry-run"),),
    "bucket delete": (("--org", "acme", "--name", "sensors", "--dry-run"),),
    "instance add-owner": (("--username", "alice", "--yes"),),
    "setup": (
        (
            *("--username", "admin", "--org", "new", "--bucket", "data"),
            *("--password-file", "{home}/password", *_TOKEN),
        ),
    ),
    "completion": (("bash",), ("user", "--bolt-path", "{store}")),
    "demo": ((),),
    "schema": ((),),
    "store check": ((), ("--json",)),
    "store repair": (("--dry-run",), ("--yes",)),
    "store backup": ((), ("{home}/copy.bolt",), ("{home}/copy.bolt.gz", "--gzip")),
    "store diff": (("{store}", "{store}"),),
    "store backups": ((), ("prune", "--keep", "9", "--yes")),
    "store prepare-restore": (("{home}/backup",), ("--after", "--dry-run")),
    "store undo": (("--dry-run",), ("--yes",)),
    "store compact": (("{home}/compact.bolt",),),
    "store salvage": (("{home}/salvaged.bolt",),),
    "store rebuild": (
        ("{home}/rebuilt.bolt", "--engine-path", "{home}/engine", "--dry-run"),
        (
            *("{home}/rebuilt.bolt", "--engine-path", "{home}/engine", "--yes"),
            *("--names", "{store}", "--org", "acme"),
            *("--password-file", "{home}/password", *_TOKEN),
        ),
    ),
    "store export": (("{home}/inventory.sqlite",),),
    "store report": (("{home}/report.html",),),
    "store find": ((),),
    "store info": ((),),
    "serve": (),  # it ends when it is told to: see tests/daemon
    "recipe list": ((),),
    "recipe show": (("docker",), ("systemd", "--set", "unit=influxd.service")),
    "recipe write": (("backup", "{home}/recipe"),),
    "ledger list": ((),),
    "ledger show": (("1",),),
}


NEEDS_NO_STORE: Final = {"completion", "demo", "schema", "store diff", "store rebuild"}
MAKES_A_STORE: Final = {"setup"}
NEEDS_A_CHANGE: Final = {"ledger list", "ledger show", "store undo"}
_A_CHANGE: Final = ("auth", "set-inactive", "{reader}", "--yes")
NEEDS_A_DELETION: Final = {
    "auth undelete": ("auth", "delete", "{reader}", "--yes"),
    "user undelete": ("user", "delete", "--username", "bob", "--with-tokens", "--yes"),
    "v1-auth undelete": ("v1-auth", "delete", "grafana", "--yes"),
}
NEEDS_AN_EXPORT: Final = {"auth import"}
_AN_EXPORT: Final = ("auth", "export", "{home}/tokens.jsonl", "--with-tokens")


def command_lines(made: MadeStore, home: Path) -> dict[str, list[list[str]]]:
    """Fill in the words of all commands.

    Args:
        made: The store to run them on.
        home: That folder.

    Returns:
        The arguments after the program's name, with the store, by command.
    """
    names = {"home": str(home), "store": str(made.path)} | {
        name: getattr(made, name) for name in ("operator", "old_operator", "reader", "hashed")
    }
    return {
        words: [
            [*(part.format_map(names) for part in line), *_store(words, made, home)]
            for line in _lines(words, lines)
        ]
        for words, lines in EVERY_COMMAND.items()
    }


def _lines(words: str, lines: Iterable[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    if words in NEEDS_A_CHANGE:
        yield _A_CHANGE
    if words in NEEDS_A_DELETION:
        yield NEEDS_A_DELETION[words]
    if words in NEEDS_AN_EXPORT:
        yield _AN_EXPORT
    for line in lines:
        yield (*words.split(), *line)


def _store(words: str, made: MadeStore, home: Path) -> list[str]:
    if words in NEEDS_NO_STORE:
        return []
    return ["--bolt-path", str(home / "new.bolt" if words in MAKES_A_STORE else made.path)]
