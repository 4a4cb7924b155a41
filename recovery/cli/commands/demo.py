"""The demonstration: the whole job, on a store of our own.

Lives here: `demo`. Must not live here: another way of doing the job. Each step is the real command,
run as it is shown.

Invariants: nothing outside of one temporary folder is written, and that is removed at the end. The
environment of the caller cannot lead a step to another store or ledger.
"""

import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from recovery.cli.context import Context
from recovery.cli.main import main
from recovery.cli.options import Command, Options
from recovery.cli.usage import UsageError
from recovery.cli.vocabulary import PROGRAM
from recovery.discovery.configuration import BOLT_PATH_VARIABLE
from recovery.errors import ExitCode
from recovery.ports import SystemClock, SystemRng
from recovery.services.stores.sample import SampleStore, make_sample_store


def _demo(options: Options, context: Context) -> ExitCode:
    out_of_place = {
        "--bolt-path": options.bolt_path,
        "--ledger": options.ledger,
        "--json": options.json,
    }
    for name, value in out_of_place.items():
        if value:
            raise UsageError(
                problem=f"demo makes a store of its own and takes no {name}",
                hint=f"type {PROGRAM} demo",
            )
    with tempfile.TemporaryDirectory(prefix=f"{PROGRAM}-demo-") as folder:
        sample = make_sample_store(
            Path(folder) / "influxd.bolt", clock=SystemClock(), rng=SystemRng()
        )
        code = _do_the_job(sample, Path(folder), context)
    context.output.line()
    context.output.prose(f"The folder {folder} is removed; nothing else was touched.")
    return code


DEMO: Final = Command(
    description="Make a small store of its own in a temporary folder and do the whole job on it: "
    "list who can get in, find that there is no operator token, make one. Shows each command as it "
    "would be typed and what it really prints, and removes the folder at the end. It touches no "
    "other store and needs no InfluxDB.",
    example="demo",
    options=Options,
    run=_demo,
)


def _do_the_job(sample: SampleStore, folder: Path, context: Context) -> ExitCode:
    """Run one command after the other, as long as each of them succeeds."""
    output = context.output
    variable = BOLT_PATH_VARIABLE
    output.prose(
        "This is the whole job, on a sample store that InfluxDB 2.8 might have left. On a real "
        "server you would stop influxd first. All commands below are real, and so is what they "
        "print."
    )
    output.line()
    output.line(f"$ export {variable}={shlex.quote(str(sample.path))}")
    # Each step gets an environment that leads it nowhere else.
    others = {k: v for k, v in context.environ.items() if not k.startswith("INFLUXD_")}
    environ = {**others, variable: str(sample.path)}
    for text, argv in _steps(sample, folder):
        output.line()
        output.prose(text)
        output.line()
        output.line(f"$ {shlex.join([PROGRAM, *argv])}")
        output.close()
        code = main(argv, environ=environ, stdout=context.stdout, stderr=context.stdout)
        if code != ExitCode.DONE:
            return ExitCode(code)
    return ExitCode.DONE


def _steps(sample: SampleStore, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """List what is typed, and why."""
    create = ["auth", "create-operator"]
    create += ["--org", sample.organization, "--username", sample.usernames[0]]
    ledger = str(folder / "ledger.sqlite")
    yield "Who is there?", ["user", "list"]
    yield "Who can get in?", ["auth", "list"]
    yield (
        "Nobody has an operator token. What would be done to make one?",
        [*create, "--dry-run"],
    )
    yield (
        "Now do it, as a script would. A person would be asked, and see the token on the terminal.",
        [*create, "--yes", "--token-stdout", "--ledger", ledger],
    )
    yield "Who can get in now?", ["auth", "list", "--operators"]
