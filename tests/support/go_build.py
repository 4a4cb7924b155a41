"""Builds the two programs that judge our files, from Debian's packaged sources.

`peer` is tests/peer on bbolt 1.3.6, the version inside influxd; `bolt` is the command line tool of
boltdb 1.3.1, from which bbolt was forked. Neither needs a network.
"""

import os
import shutil
import subprocess
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PEER_SOURCE = PROJECT / "tests" / "peer"
BIN = PEER_SOURCE / "bin"
GOPATH = Path("/usr/share/gocode")
BBOLT_SOURCE = GOPATH / "src" / "go.etcd.io" / "bbolt"
BOLTDB_SOURCE = GOPATH / "src" / "github.com" / "boltdb" / "bolt"
DEBIAN_GO = (Path("/usr/lib/go-1.19/bin/go"), Path("/usr/lib/go/bin/go"), Path("/usr/bin/go"))
"""Where Debian puts Go; another Go may stand in front of it on PATH."""


class OracleAbsentError(Exception):
    """Something that the oracle is built from is not installed."""


def find_go() -> Path:
    """Return Debian's Go, or whichever is on PATH.

    Raises:
        OracleAbsentError: There is none.
    """
    for go in DEBIAN_GO:
        if go.exists():
            return go
    found = shutil.which("go")
    if found is None:
        raise OracleAbsentError("no Go compiler: apt-get install golang-go")
    return Path(found)


def build_peer() -> Path:
    """Build tests/peer, unless it is newer than its sources, and return the program.

    Raises:
        OracleAbsentError: Go or Debian's bbolt is absent.
        CalledProcessError: It does not compile.
    """
    if not BBOLT_SOURCE.is_dir():
        raise OracleAbsentError(
            f"no {BBOLT_SOURCE}: apt-get install golang-github-coreos-bbolt-dev"
        )
    sources = [*PEER_SOURCE.glob("*.go"), *BBOLT_SOURCE.glob("*.go")]
    return _build("peer", "./tests/peer", sources)


def build_bolt_tool() -> Path:
    """Build the tool of boltdb 1.3.1, unless it is newer than its sources, and return it.

    Raises:
        OracleAbsentError: Go or Debian's boltdb is absent.
        CalledProcessError: It does not compile.
    """
    if not BOLTDB_SOURCE.is_dir():
        raise OracleAbsentError(
            f"no {BOLTDB_SOURCE}: apt-get install golang-github-boltdb-bolt-dev"
        )
    sources = BOLTDB_SOURCE.rglob("*.go")
    return _build("bolt", "github.com/boltdb/bolt/cmd/bolt", list(sources))


def _build(name: str, package: str, sources: list[Path]) -> Path:
    go = find_go()
    program = BIN / name
    newest = max(source.stat().st_mtime for source in sources)
    if program.exists() and program.stat().st_mtime > newest:
        return program
    BIN.mkdir(exist_ok=True)
    # Built under another name first: a second test run may be using the old one right now.
    fresh = BIN / f"{name}.{os.getpid()}"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "GO111MODULE": "off",
        "GOPATH": str(GOPATH),
        "GOCACHE": str(PROJECT / ".gocache"),
        "GOFLAGS": "",
        "GOTOOLCHAIN": "local",
    }
    command = [str(go), "build", "-o", str(fresh), package]
    subprocess.run(command, cwd=PROJECT, env=environment, check=True)
    fresh.replace(program)
    return program
