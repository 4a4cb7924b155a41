"""Real clients of InfluxDB, and what they print.

Lives here: `CLIENTS`, each as the command that runs it, `played`, which runs one on a server, and
`made_store`. Must not live here: what each one does (`tests/clients`), and what came of it on
a real server (`tests/data/api/clients.json.xz`).

The clients come from their registries: `.ci/run clients` brings them. Where one is missing, that is
said (`AbsentError`).
"""

import base64
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.ids import Id
from recovery.services.changes.plan import Planner
from recovery.services.tenancy.bucket_changes import CreateBucket
from recovery.services.tenancy.organization_records import AddOrganization
from recovery.services.tenancy.user_records import AddUser
from tests.support.contract import PATTERNS
from tests.support.ports import FixedClock
from tests.support.real_stores import unpack_real_store
from tests.support.run_cli import PATIENCE_S, PROJECT
from tests.support.stores import SeededRng

FOLDER: Final = PROJECT / "tests" / "clients"
EXPECTED: Final = PROJECT / "tests" / "data" / "api" / "clients.json.xz"
TOKEN: Final = base64.b64encode(
    b"operator-token-of-the-golden-pairs-not-a-secret-at-all-012345678"
).decode()
PASSWORD: Final = "golden-pass-1"
ODD_NAMES: Final = (
    "Zoë", "日本語", "a/b", "a?b=c&d", "a+b c%20d", "<script>&\"'", " blank ", "semi;colon", "#x",
    "%2f", "back\\slash", "tab\there", "\u2028line", "e\u0301", "x" * 200, "-t", "00000000000000ff",
    "🙂", "ADMIN", "null",
)  # fmt: skip
"""Names that break a client or a server that is careless with them."""


class AbsentError(Exception):
    """A client is not installed here."""


def _python() -> list[str]:
    try:
        import influxdb_client  # noqa: F401, PLC0415 # heavy
    except ImportError:
        raise AbsentError("no influxdb-client: pip install -e '.[dev]'") from None
    return [sys.executable, str(FOLDER / "python_client.py")]


def _javascript() -> list[str]:
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules").is_dir():
        raise AbsentError("no JavaScript client: .ci/run clients")
    return [node, str(FOLDER / "javascript_client.cjs")]


def _go() -> list[str]:
    if not (FOLDER / "bin" / "go_client").is_file():
        raise AbsentError("no Go client: .ci/run clients")
    return [str(FOLDER / "bin" / "go_client")]


def _curl() -> list[str]:
    for program in ("bash", "curl", "jq"):
        if shutil.which(program) is None:
            raise AbsentError(f"no {program}: apt-get install {program}")
    return ["bash", str(FOLDER / "curl_client.sh")]


def _influx() -> list[str]:
    for program in ("bash", "influx", "jq"):  # no registry has the influx CLI
        if shutil.which(program) is None:
            raise AbsentError(f"no {program} on PATH")
    return ["bash", str(FOLDER / "influx_client.sh")]


CLIENTS: Final[dict[str, Callable[[], list[str]]]] = {
    "python": _python,
    "javascript": _javascript,
    "go": _go,
    "curl": _curl,
    "influx": _influx,
}
KINDS: Final = ("fresh", "odd")
"""A store as a first set-up leaves it, and one that is full of odd names."""


def expected() -> dict[str, list[str]]:
    """Give what each client printed on a real server, by client and kind of store."""
    found: dict[str, list[str]] = json.loads(lzma.decompress(EXPECTED.read_bytes()))
    return found


def made_store(kind: str, path: Path) -> Path:
    """Make a store; IDs of records with odd names are the same each time."""
    unpack_real_store("influxd-2.9.1-setup", path)
    if kind == "odd":
        with MetaStore.open(path, write=True) as store:
            for number, name in enumerate(ODD_NAMES):
                _apply(store, number, name)
    return path


def _apply(store: MetaStore, number: int, name: str) -> None:
    clock = FixedClock(datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=number))
    rng = SeededRng(number)

    def planners(tx: MetaTx) -> list[Planner]:
        owner = next(one.id for one in tx.users.walk([]) if one.name == "admin")
        org = next(one.id for one in tx.organizations.walk([]) if one.name == "main")
        return [
            AddUser(name=name, clock=clock, rng=rng),
            AddOrganization(name=name, description=name, owner_id=owner, clock=clock, rng=rng),
            CreateBucket(
                org_id=Id(org), name=name.replace('"', ""), description=name, clock=clock, rng=rng
            ),
        ]

    with store.view() as tx:
        wanted = planners(tx)
    for planner in wanted:
        with store.update() as tx:
            planner.plan(tx).apply(tx)


def played(client: str, kind: str, host: str, token: str = TOKEN) -> list[str]:
    """Run a client on a server.

    Args:
        client: Which of `CLIENTS`.
        kind: Which store the server has, one of `KINDS`.
        host: The address of the server.
        token: An operator token.

    Returns:
        What it printed, with names in the place of what differs from run to run.

    Raises:
        AbsentError: It is not installed here.
    """
    done = subprocess.run(
        [*CLIENTS[client](), kind],
        env={
            "PATH": os.environ["PATH"],
            "CLIENT_HOST": host,
            "CLIENT_TOKEN": token,
            "CLIENT_PASSWORD": PASSWORD,
            "NO_PROXY": "*",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    text = re.sub(r"\d{4}-\d\d-\d\dT[0-9:.+]+Z?", "<time>", done.stdout)
    for pattern, word in PATTERNS:
        text = pattern.sub(word, text)
    return [*text.splitlines(), *(["stderr", done.stderr] if done.returncode else [])]
