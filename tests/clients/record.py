"""Records what the clients print on a real server: python -m tests.clients.record INFLUXD."""

import json
import lzma
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from tests.support.clients import CLIENTS, EXPECTED, KINDS, made_store, played
from tests.support.served import free_port


def recorded(influxd: str, client: str, kind: str) -> list[str]:
    """Run a client on a server of its own."""
    with tempfile.TemporaryDirectory() as place:
        store = made_store(kind, Path(place) / "influxd.bolt")
        host = f"127.0.0.1:{free_port()}"
        server = subprocess.Popen(
            [
                influxd, f"--bolt-path={store}", f"--engine-path={place}/engine",
                f"--sqlite-path={place}/influxd.sqlite", f"--http-bind-address={host}",
                "--reporting-disabled",
            ],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            while True:
                try:
                    with urllib.request.urlopen(f"http://{host}/health"):  # ours
                        break
                except OSError:
                    time.sleep(0.1)
            return played(client, kind, f"http://{host}")
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()


if __name__ == "__main__":
    found = {
        f"{client} {kind}": recorded(sys.argv[1], client, kind)
        for client in CLIENTS
        for kind in KINDS
    }
    text = json.dumps(found, ensure_ascii=False, indent=0)
    EXPECTED.write_bytes(lzma.compress(text.encode(), preset=9))
