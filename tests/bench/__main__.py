"""All measurements of speed in one run, as ratios.

    python -m tests.bench [--count 100000] [--million] [--influxd PATH] [--folder FOLDER]

The options are those of `main_job` and `bulk`; `engine` has none. It takes some minutes, on a quiet
machine with Go installed.
"""

import subprocess
import sys
from typing import Final

BENCHES: Final = ("main_job", "bulk", "engine")


def main(options: list[str]) -> None:
    for name in BENCHES:
        words = [one for one in options if one != "--million" or name == "bulk"]
        print(f"\n== {name}", flush=True)
        module = [sys.executable, "-m", f"tests.bench.{name}"]
        subprocess.run([*module, *(words if name != "engine" else [])], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
