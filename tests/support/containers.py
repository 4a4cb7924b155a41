"""As much of docker, podman and kubectl as the recipes call, in namespaces of the kernel.

Lives here: a program that is put on PATH under each of these names, and does what it is told with
the folders of one container: the layout of the official image, which are programs and libraries of
this machine that cannot be written, its data folder, and /work and /token. Must not live here: what
is expected of a recipe.

In the environment, CONTAINERS names a folder with `data`, which is /var/lib/influxdb2 inside, and
`log`, to which each call adds a line. A call that the recipes should not make ends in an error.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NoReturn

INSIDE: Final = r"""
set -eu
root=$1 user=$2; shift 2
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir -p "$root"/{bin,lib,lib64,usr,proc}
for place in bin lib lib64 usr; do mount --bind "/$place" "$root/$place"; done
mount -t proc proc "$root/proc"
while [ "$1" != -- ]; do
    mkdir -p "$(dirname "$root/$2")"
    if [ -d "$1" ]; then mkdir -p "$root/$2"; else : >"$root/$2"; fi
    mount --bind "$1" "$root/$2"
    shift 2
done
shift
mount -o remount,ro "$root"
exec env -i PATH=/usr/bin:/bin HOME=/ "$(command -v chroot)" "--userspec=$user" "$root" "$@"
"""


def run_inside(folder: Path, user: str, binds: list[tuple[str, str]], words: list[str]) -> int:
    """Run a command in the container, without a network.

    Args:
        folder: That of CONTAINERS.
        user: Number and group, "1000:1000".
        binds: What else is there: outside and inside.
        words: The command.

    Returns:
        How it ended.
    """
    root = folder / "root"
    root.mkdir(exist_ok=True)
    all_binds = [(str(folder / "data"), "/var/lib/influxdb2"), *binds]
    return subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--fork", "bash", "-c", INSIDE, "bash", root, user,
         *(part for bind in all_binds for part in bind), "--", *words],
        check=False,
    ).returncode  # fmt: skip


def engine(words: list[str], folder: Path) -> int:
    """Be docker or podman."""
    stopped = folder / "stopped"
    match words:
        case ["container", "inspect", "--format", "{{.Image}}", "influxdb"]:
            print("sha256:1234")
        case ["container", "inspect", "--format", "{{.HostConfig.AutoRemove}}", "influxdb"]:
            print("true" if (folder / "is-removed").exists() else "false")
        case ["stop", "influxdb"]:
            stopped.touch()
        case ["start", "influxdb"]:
            stopped.unlink()
        case ["run", *rest]:
            parser = argparse.ArgumentParser()
            parser.add_argument("--rm", action="store_true", required=True)
            parser.add_argument("--network", choices=["none"], required=True)
            parser.add_argument("--volumes-from", choices=["influxdb"])
            parser.add_argument("--security-opt")
            for name in ("--user", "--entrypoint"):
                parser.add_argument(name, required=True)
            parser.add_argument("--mount", action="append", type=mounted)
            parser.add_argument("image", choices=["sha256:1234"])
            parser.add_argument("words", nargs=argparse.REMAINDER)
            found = parser.parse_args(rest)
            assert stopped.exists() == (found.volumes_from is not None)
            if (folder / "hangs").exists() and found.volumes_from:
                folder.joinpath("hangs").rename(folder / "hanging")
                time.sleep(60)
            binds = [bind for bind in found.mount if Path(bind[0]).exists()]
            if len(binds) < len(found.mount):
                return 125
            return run_inside(folder, found.user, binds, [found.entrypoint, *found.words])
        case _:
            unknown(words)
    return 0


def mounted(text: str) -> tuple[str, str]:
    """Understand what is mounted where."""
    facts = dict(one.partition("=")[::2] for one in text.split(","))
    assert facts["type"] == "bind"
    return facts["source"], facts["target"]


def cluster(words: list[str], folder: Path) -> int:
    """Be kubectl."""
    assert words[:2] == ["--namespace", "default"]
    work = folder / "work"
    match words[2:]:
        case ["scale", "--replicas=0" | "--replicas=1", "statefulset/influxdb"]:
            pass
        case ["get", *what]:
            print(known(what, is_there=work.is_dir()))
        case ["apply", "--filename", path]:
            assert Path(path).is_file()
            work.mkdir()
            os.chown(work, 1000, 1000)
        case ["wait", "--for=condition=Ready", "--timeout=5m", "pod", _]:
            return 0 if work.is_dir() else 1
        case ["exec", "--stdin", "job/influx-recovery", "--", *rest]:
            return run_inside(folder, "1000:1000", [(str(work), "/work")], rest)
        case ["exec", "job/influx-recovery", "--", *rest]:
            return run_inside(folder, "1000:1000", [(str(work), "/work")], rest)
        case ["create", "secret", "generic", "influx-recovery-token", _, *manner]:
            return kept(sys.stdin.buffer.read(), folder / "secret", manner)
        case ["delete", "--ignore-not-found", "--wait=true", "job/influx-recovery"]:
            subprocess.run(["rm", "-r", work], check=True)
        case _:
            unknown(words)
    return 0


def known(what: list[str], *, is_there: bool) -> str:
    """Say what the cluster has; nobody uses the claim any more, and the pod is there or not yet."""
    match what:
        case ["pods", "--selector=job-name=influx-recovery", "--output=name"] if is_there:
            return "pod/influx-recovery-x7"
        case ["pods", "--output", template]:
            assert template.startswith("go-template={{range .items}}")
        case _:
            assert what == ["statefulset/influxdb", "persistentvolumeclaim/influxdb"]
    return ""


def kept(content: bytes, secret: Path, manner: list[str]) -> int:
    """Keep a Secret, or say only whether it could be."""
    assert manner in ([], ["--dry-run=server"])
    if secret.exists():
        return 1
    if not manner:
        secret.write_bytes(content)
    return 0


def unknown(words: list[str]) -> NoReturn:
    """Refuse a call."""
    sys.exit(f"not in a recipe: {words}")


if __name__ == "__main__":
    place = Path(os.environ["CONTAINERS"])
    name = Path(sys.argv[0]).name
    with place.joinpath("log").open("a") as log:
        log.write(" ".join([name, *sys.argv[1:]]).replace("\n", " ") + "\n")
    sys.exit((cluster if name == "kubectl" else engine)(sys.argv[1:], place))
