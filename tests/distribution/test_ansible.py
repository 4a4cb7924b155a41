"""The collection, with real ansible-core over twenty hosts: sound, damaged, absent and in use."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from recovery.services.recipes import fill, write
from tests.support.fake_system import FakeSystem
from tests.support.stores import make_store

BIN: Final = Path(sys.executable).parent
SOUND: Final = 14
DAMAGED: Final = range(14, 16)
EMPTY: Final = 16
MISSING: Final = 17
IN_USE: Final = range(18, 20)
MODULES: Final = (
    *("operator_token", "user", "organization", "token"),
    *("store_info", "store_check"),
)
SECRETS: Final = {
    "vault_token": "canary-of-the-vault-0123456789",
    "client_token": "canary-of-a-client-0123456789",
    "password": "canary-pw-1",
}
ENSURE: Final = """
- hosts: all
  gather_facts: false
  module_defaults:
    influx_recovery.admin.user: &all
      bolt_path: "{{ bolt_path }}"
      program: "{{ influx_recovery }}"
      ledger: "{{ ledger }}"
      reason: "--yes it's $odd"
    influx_recovery.admin.organization: *all
    influx_recovery.admin.operator_token: *all
    influx_recovery.admin.token: *all
  tasks:
    - influx_recovery.admin.user: {username: dora, password: "{{ password }}", member_of: acme}
    - influx_recovery.admin.organization: {org: fleet, owner: alice}
    - influx_recovery.admin.operator_token:
        username: alice
        org: acme
        token_value: "{{ vault_token }}"
    - influx_recovery.admin.token:
        username: alice
        org: acme
        read_buckets: [sensors]
        token_value: "{{ client_token }}"
"""

GIVEN: Final = """
- hosts: all
  gather_facts: false
  tasks:
    - influx_recovery.admin.operator_token:
        bolt_path: "{{ bolt_path }}"
        program: "{{ influx_recovery }}"
        ledger: "{{ ledger }}"
        username: alice
        org: acme
        token_file: "{{ bolt_path | dirname }}/given"
"""

pytestmark = [
    pytest.mark.slow,  # two hundred tasks, and packages that only .ci/run distribution installs
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("ansible"),
]


@pytest.fixture(scope="module")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of collections with ours."""
    if not (BIN / "ansible-playbook").exists():
        pytest.skip("ansible-core is not installed: pip install -e '.[distribution]'")
    folder = tmp_path_factory.mktemp("collections")
    host = FakeSystem(tmp_path_factory.mktemp("system")).host()
    place = folder / "ansible_collections" / "influx_recovery" / "admin"
    write(fill("ansible", host, bolt_path=None, given={}), place)
    return folder


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with twenty stores and the inventory of their hosts."""
    folder = tmp_path_factory.mktemp("fleet")
    lines = []
    holders = []
    for number in range(20):
        home = folder / f"host{number:02}"
        home.mkdir()
        store = home / "influxd.bolt"
        if number == EMPTY:
            store.touch()
        elif number != MISSING:
            make_store(store, level=21)
        if number in DAMAGED:
            content = bytearray(store.read_bytes())
            content[8192:] = bytes(len(content) - 8192)
            store.write_bytes(content)
        if number in IN_USE:
            holders.append(subprocess.Popen(["flock", "--exclusive", store, "sleep", "infinity"],
                                            start_new_session=True))  # fmt: skip
        lines.append(
            f"{home.name} ansible_connection=local ansible_python_interpreter={sys.executable} "
            f"bolt_path={store} ledger={home / 'ledger'} influx_recovery={BIN / 'influx-recovery'}"
        )
    (folder / "hosts").write_text("\n".join(lines) + "\n")
    yield folder
    for holder in holders:
        os.killpg(holder.pid, 9)
        holder.wait()


def play(collections: Path, fleet: Path, book: str, *options: str) -> tuple[str, dict[str, str]]:
    """Run a playbook, and give what it printed and the line of each host in its recapitulation."""
    done = subprocess.run(
        [BIN / "ansible-playbook", "-i", fleet / "hosts", "--forks", "4", book, *options],
        capture_output=True, text=True, check=False, cwd=fleet,
        env={"PATH": f"{BIN}:/usr/bin:/bin:/usr/sbin", "HOME": str(fleet), "PWD": str(fleet),
             "LC_ALL": "C.UTF-8",
             "ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_NOCOLOR": "1",
             "ANSIBLE_LOCALHOST_WARNING": "false"},
    )  # fmt: skip
    printed = done.stdout + done.stderr
    recap = dict(re.findall(r"^(\S+) +: (ok=.*)$", printed, re.MULTILINE))
    assert recap, printed
    return printed, recap


def test_the_second_run_changes_nothing_and_no_run_shows_a_secret(
    collections: Path, fleet: Path
) -> None:
    (fleet / "ensure.yml").write_text(ENSURE)
    (fleet / "vault.json").write_text(json.dumps(SECRETS))
    stores = {path: path.read_bytes() for path in fleet.glob("host*/influxd.bolt")}
    runs = [
        play(collections, fleet, "ensure.yml", "-vv", "--diff", "-e", "@vault.json", *manner)
        for manner in (["--check"], [], [])
    ]
    for printed, _ in runs:
        assert not [secret for secret in SECRETS.values() if secret in printed]
    for number in range(20):
        name = f"host{number:02}"
        counts = ["changed=4", "changed=4", "changed=0"] if number < SOUND else ["failed=1"] * 3
        for (printed, recap), count in zip(runs, counts, strict=True):
            assert count in recap[name], printed[-3000:]
        store = fleet / name / "influxd.bolt"
        if number >= SOUND and number != MISSING:
            assert store.read_bytes() == stores[store]
    assert not (fleet / f"host{MISSING}" / "influxd.bolt").exists()


def test_a_survey_tells_of_every_host_in_one_file(collections: Path, fleet: Path) -> None:
    _, recap = play(collections, fleet, "influx_recovery.admin.survey")
    assert all("changed=0" in line for line in recap.values())
    with closing(sqlite3.connect(fleet / "survey.sqlite")) as database:
        found = database.execute(
            "select host, level, usable_operator_tokens, is_sound, verdict from hosts"
        )
        rows = {row[0]: row[1:] for row in found}
    assert len(rows) == 20
    for number in (*range(SOUND), *IN_USE):
        level, operators, is_sound, verdict = rows[f"host{number:02}"]
        assert (level, is_sound) == (21, 1)
        assert operators >= 1  # a rotation may have come first
        assert "will start" in verdict
    for number in (*DAMAGED, EMPTY, MISSING):
        assert rows[f"host{number:02}"][2] in {0, None}


def test_rotation_brings_one_new_token_home_and_ends_the_older_ones(
    collections: Path, fleet: Path
) -> None:
    play(
        collections, fleet, "influx_recovery.admin.rotate", "--limit", "host00",
        "-e", json.dumps({"influxdb_service": "", "influx_user": "alice", "influx_org": "acme",
                          "token_path": str(fleet / "host00" / "new-token")}),
    )  # fmt: skip
    token = fleet / "tokens" / "host00"
    store = fleet / "host00" / "influxd.bolt"
    listed = subprocess.run(
        [BIN / "influx-recovery", "auth", "list", "--operators", "--json", "--bolt-path", store],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert listed.stdout.count('"status":"active"') == 1
    subprocess.run(
        [BIN / "influx-recovery", "auth", "verify", "--token-file", token, "--bolt-path", store],
        capture_output=True, check=True,
    )  # fmt: skip


def test_a_token_file_counts_only_if_its_token_may_do_everything(
    collections: Path, fleet: Path
) -> None:
    home = fleet / "host01"
    store, given = home / "influxd.bolt", home / "given"
    subprocess.run(
        [BIN / "influx-recovery", "auth", "create", "--username", "alice", "--org", "acme",
         "--read-bucket", "sensors", "--token-file", given, "--yes", "--bolt-path", store,
         "--ledger", home / "ledger"],
        capture_output=True, check=True,
    )  # fmt: skip
    (fleet / "given.yml").write_text(GIVEN)
    for count in ("failed=1", "changed=1", "changed=0"):
        _, recap = play(collections, fleet, "given.yml", "--limit", "host01")
        assert count in recap["host01"]
        if count == "failed=1":
            given.unlink()


def test_a_backup_is_made_while_a_server_runs(collections: Path, fleet: Path) -> None:
    where = json.dumps({"backup_folder": str(fleet / "copies")})
    _, recap = play(
        collections, fleet, "influx_recovery.admin.backup", "--limit", "host18", "-e", where
    )
    assert "failed=0" in recap["host18"]
    assert len(list((fleet / "copies").glob("*.bolt.gz"))) == 1


@pytest.mark.parametrize("module", MODULES)
def test_ansible_doc_shows_a_module(collections: Path, module: str) -> None:
    done = subprocess.run(
        [BIN / "ansible-doc", "--json", f"influx_recovery.admin.{module}"],
        capture_output=True, text=True, check=True,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections)},
    )  # fmt: skip
    (shown,) = json.loads(done.stdout).values()
    assert {"bolt_path", "program", "ledger"} <= shown["doc"]["options"].keys()
    assert shown["return"]
    assert shown["examples"]


def test_the_collection_is_built_and_linted(collections: Path, tmp_path: Path) -> None:
    place = collections / "ansible_collections" / "influx_recovery" / "admin"
    subprocess.run(
        [BIN / "ansible-galaxy", "collection", "build", "--output-path", tmp_path, place],
        capture_output=True, check=True,
    )  # fmt: skip
    assert len(list(tmp_path.glob("influx_recovery-admin-*.tar.gz"))) == 1
    copy = shutil.copytree(place, tmp_path / "copy")
    subprocess.run(["git", "init", "-q", copy], check=True)
    done = subprocess.run(
        [BIN / "ansible-lint", "--offline", "--profile", "production",
         "-x", "galaxy[no-repository]"],  # it is not published
        capture_output=True, text=True, check=False, cwd=copy,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}",
             "ANSIBLE_COLLECTIONS_PATH": str(collections)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
