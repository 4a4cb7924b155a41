"""Recipes, as the programs that they are for see them, and run as far as a kernel goes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
import yaml

from recovery.discovery.host import Host
from recovery.services.recipes import fill, recipes, write
from tests.support import containers
from tests.support.bundled import require_bundle
from tests.support.fake_system import FakeSystem
from tests.support.run_cli import PATIENCE_S
from tests.support.stores import make_store

KUBERNETES: Final = ("1.27", "1.34")
WHO: Final = ("--username", "alice", "--org", "acme")

pytestmark = pytest.mark.slow  # they need what only .ci/run distribution installs


def tool(module: str) -> ModuleType:
    """Import what only the extra "distribution" installs."""
    try:
        return import_module(module)
    except ModuleNotFoundError:
        pytest.skip(f"{module} is not installed: pip install -e '.[distribution]'")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return FakeSystem(tmp_path / "system").host()


def written(name: str, host: Host, folder: Path, **given: str) -> dict[str, Path]:
    made = write(fill(name, host, bolt_path=None, given=given), folder)
    return {path.name: path for path in made}


@pytest.mark.parametrize("name", [recipe.name for recipe in recipes()])
def test_shellcheck_finds_nothing(name: str, host: Host, tmp_path: Path) -> None:
    checker = Path(sys.executable).with_name("shellcheck")
    if not checker.exists():
        pytest.skip("shellcheck is not installed: pip install -e '.[distribution]'")
    scripts = [path for path in written(name, host, tmp_path).values() if path.suffix == ".sh"]
    if scripts:
        done = subprocess.run([checker, *scripts], capture_output=True, text=True, check=False)
        assert done.stdout == ""


@pytest.mark.parametrize("name", ["systemd", "backup"])
def test_systemd_finds_nothing_wrong(name: str, host: Host, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    units = written(name, host, tmp_path, program=sys.executable)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units.values()],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if "influx-recovery" in line]
    assert (done.returncode, said) == (0, [])


def stateful_set(patch: dict[str, Any]) -> dict[str, Any]:
    """Give a StatefulSet of InfluxDB with a patch in it, as kubectl merges it."""
    pod: dict[str, Any] = {
        "containers": [{"name": "influxdb", "image": "influxdb:2.7"}],
        **patch["spec"]["template"]["spec"],
    }
    labels = {"app": "influxdb"}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "influxdb"},
        "spec": {
            "serviceName": "influxdb",
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_takes_the_manifests(version: str, host: Host, tmp_path: Path) -> None:
    validate = tool("kubernetes_validate").validate
    job = written("kubernetes", host, tmp_path)["job.yaml"]
    validate(yaml.safe_load(job.read_text()), version, strict=True)
    patch = written("kubernetes-init", host, tmp_path / "init")["init-container.yaml"]
    validate(stateful_set(yaml.safe_load(patch.read_text())), version, strict=True)


def test_compose_takes_the_override(host: Host, tmp_path: Path) -> None:
    specification = tool("compose_spec").ComposeSpecification
    override = written("compose", host, tmp_path)["compose.recovery.yaml"]
    specification.model_validate(yaml.safe_load(override.read_text()))


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder with docker, podman and kubectl in `bin`, and a store in `data`."""
    if os.geteuid() != 0:
        pytest.skip("namespaces of one's own need root")
    folder = tmp_path / "machine"
    programs = folder / "bin"
    programs.mkdir(parents=True)
    for name in ("docker", "podman", "kubectl"):
        text = Path(containers.__file__).read_text()
        programs.joinpath(name).write_text(f"#!{sys.executable}\n{text}")
        programs.joinpath(name).chmod(0o755)
    data = folder / "data"
    data.mkdir(mode=0o700)
    make_store(data / "influxd.bolt", level=21)
    for path in (data, data / "influxd.bolt"):
        os.chown(path, 1000, 1000)
    return folder


def start_recipe(machine: Path, script: Path, *words: str) -> subprocess.Popen[str]:
    """Start a script of a recipe, in a group of its own."""
    return subprocess.Popen(
        ["sh", script, *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=machine,
        start_new_session=True,
        env={"PATH": f"{machine / 'bin'}:/usr/bin:/bin:/usr/sbin:/sbin", "CONTAINERS": str(machine),
             "TMPDIR": str(machine)},
    )  # fmt: skip


def run_recipe(machine: Path, script: Path, *words: str, code: int = 0) -> list[str]:
    """Run a script of a recipe to its end, and say what it called."""
    process = start_recipe(machine, script, *words)
    said = process.communicate(timeout=PATIENCE_S)[0]
    assert process.returncode == code, said
    log = (machine / "log").read_text().splitlines() if (machine / "log").exists() else []
    return [line for line in log if " --format" not in line]


def verified(machine: Path, token: Path) -> bool:
    """Say whether a token is one of an operator, by the one file."""
    done = subprocess.run(
        [require_bundle(), "auth", "verify", "--token-file", token, "--bolt-path",
         machine / "data" / "influxd.bolt", "--json"],
        capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode == 0


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_one_shot_in_the_image_of_a_container(
    engine: str, host: Host, machine: Path, tmp_path: Path
) -> None:
    scripts = written(engine, host, tmp_path / "recipe", program=str(require_bundle()))
    calls = run_recipe(machine, scripts[f"recover-{engine}.sh"], *WHO)
    assert [call.split()[1] for call in calls] == ["run", "stop", "run", "start"]
    (token,) = machine.glob("tmp.*/operator")
    assert (token.stat().st_mode & 0o777, token.stat().st_uid) == (0o600, 1000)
    assert verified(machine, token)
    assert (machine / "data" / "influxd.bolt").stat().st_uid == 1000


@pytest.mark.parametrize("obstacle", ["no such file", "another program", "--rm"])
def test_what_cannot_end_well_is_said_before_the_container_is_stopped(
    obstacle: str, host: Host, machine: Path, tmp_path: Path
) -> None:
    program = {"no such file": tmp_path / "none", "another program": sys.executable}
    if obstacle == "--rm":
        (machine / "is-removed").touch()
    given = str(program.get(obstacle, require_bundle()))
    scripts = written("docker", host, tmp_path / "recipe", program=given)
    calls = run_recipe(machine, scripts["recover-docker.sh"], *WHO, code=1)
    assert not [call for call in calls if call.split()[1] != "run"]
    assert not list(machine.glob("tmp.*"))


def test_control_c_in_the_middle_starts_the_container_again(
    host: Host, machine: Path, tmp_path: Path
) -> None:
    scripts = written("docker", host, tmp_path / "recipe", program=str(require_bundle()))
    (machine / "hangs").touch()
    process = start_recipe(machine, scripts["recover-docker.sh"], *WHO)
    until = time.monotonic() + PATIENCE_S
    while not (machine / "hanging").exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, (machine / "stopped").exists()) == (130, False)
    assert not list(machine.glob("tmp.*"))


def test_a_job_on_the_claim_and_a_secret(host: Host, machine: Path, tmp_path: Path) -> None:
    scripts = written("kubernetes", host, tmp_path / "recipe", program=str(require_bundle()))
    calls = run_recipe(machine, scripts["recover-kubernetes.sh"], *WHO)
    verbs = [call.split()[3] for call in calls]
    assert verbs == [
        *("get", "create", "scale", "get", "apply", "get", "wait", "exec", "exec", "exec"),
        *("create", "delete", "scale"),
    ]
    assert verified(machine, machine / "secret")
    (machine / "log").unlink()
    calls = run_recipe(machine, scripts["recover-kubernetes.sh"], *WHO, code=1)
    assert [call.split()[3] for call in calls] == ["get", "create"]  # the Secret is there


def test_the_entry_point_of_the_chart_ensures_the_token_at_each_start(
    host: Host, machine: Path, tmp_path: Path
) -> None:
    script = written("helm", host, tmp_path / "recipe")["ensure-token.sh"]
    bundle = require_bundle()
    token = machine / "token"
    token.write_text("a-token-of-the-secret-0123456789\n")
    token.chmod(0o444)
    entry = machine / "entrypoint.sh"
    entry.write_text('#!/bin/sh\necho "started $*"\n')
    entry.chmod(0o755)
    writable = machine / "tmp"
    writable.mkdir()
    os.chown(writable, 1000, 1000)
    text = script.read_text().replace("--ensure --yes", f"--ensure --yes {' '.join(WHO)}")
    script.write_text(text)
    binds = [
        (str(bundle), "/influx-recovery"), (str(script), "/ensure-token.sh"),
        (str(entry), "/entrypoint.sh"), (str(token), "/operator/token"), (str(writable), "/tmp"),  # noqa: S108 # inside
    ]  # fmt: skip
    stores = []
    for _ in range(2):
        command = ["/ensure-token.sh", "influxd"]
        assert containers.run_inside(machine, "1000:1000", binds, command) == 0
        stores.append((machine / "data" / "influxd.bolt").read_bytes())
    assert stores[0] == stores[1]
    assert verified(machine, token)


def test_a_disk_in_a_rescue_system(host: Host, machine: Path, tmp_path: Path) -> None:
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("mkfs.ext4 is not installed")
    tree = tmp_path / "tree" / "srv" / "metrics"
    tree.mkdir(parents=True)
    make_store(tree / "influxd.bolt", level=21)
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-d", tmp_path / "tree", disk], check=True)
    script = written("rescue", host, tmp_path / "recipe", program=str(require_bundle()))[
        "rescue.sh"
    ]
    tried = subprocess.run(["mount", disk, tmp_path / "tree"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("no loop device here")
    subprocess.run(["umount", tmp_path / "tree"], check=True)
    run_recipe(machine, script, str(disk), *WHO)
    assert (machine / "operator-token").stat().st_mode & 0o777 == 0o600
    assert not list(machine.glob("tmp.*"))
