"""The command that says what --json prints.

Lives here: `schema`. Must not live here: the schema (`recovery.cli.schema`).
"""

from importlib.resources import files
from typing import Final

from recovery.cli.context import Context
from recovery.cli.options import Command, Options
from recovery.errors import ExitCode

SCHEMA_FILE: Final = files("recovery") / "schema.json"


def _schema(_: Options, context: Context) -> ExitCode:
    context.output.line(SCHEMA_FILE.read_text(encoding="utf-8").rstrip())
    return ExitCode.DONE


SCHEMA: Final = Command(
    description="Print the JSON Schema of what all commands print with --json, with that of each "
    'command in "commands" by its words. Version 1 is frozen: fields may be added to it, and none '
    "is taken away, renamed or given another type. It opens no store.",
    example="schema",
    options=Options,
    run=_schema,
)
