"""The JSON Schema of what --json prints.

Lives here: `schema`, which makes it from the documents of all commands. Must not live here: the
documents, and how it is printed, which imports none of them (`recovery.cli.commands.schema`).

Invariants: `python -m recovery.cli.schema` writes the file again. A test compares it with the
types, and with a copy of version 1 from which nothing may be missing.
"""

import inspect
import json
from pathlib import Path, PurePath
from typing import Any, Final

import msgspec

from recovery.cli.commands.schema import SCHEMA_FILE
from recovery.cli.documents import Document, ErrorDocument
from recovery.cli.options import Change, Command
from recovery.cli.vocabulary import COMMANDS, load

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ERROR: Final = "error"
"""Beside the words of the commands, the name of what every command prints when it fails."""


def document_of(command: Command[Any]) -> type[Document] | None:
    """Give the type of what a command prints with --json; None where that is nothing."""
    if command.document is not None or not issubclass(command.options, Change):
        return command.document
    from recovery.cli.outcome import ChangeDocument  # noqa: PLC0415 # only changes need it

    return ChangeDocument


def schema() -> dict[str, Any]:
    """Make the schema of any document; those of each command are in "commands" by its words."""
    found = {words: document_of(load(words)) for words in COMMANDS}
    types: dict[str, type[Document]] = {
        words: document for words, document in found.items() if document is not None
    }
    types[ERROR] = ErrorDocument
    references, components = msgspec.json.schema_components(
        types.values(), schema_hook=_schema_of, ref_template="#/$defs/{name}"
    )
    for component in components.values():  # since 3.13 Python cuts the indentation off itself
        if "description" in component:
            component["description"] = inspect.cleandoc(component["description"])
    commands = dict(zip(types, references, strict=True))
    return {
        "$schema": DIALECT,
        "title": "What influx-recovery prints with --json, version 1",
        "anyOf": [{"$ref": one} for one in dict.fromkeys(one["$ref"] for one in references)],
        "commands": commands,
        "$defs": components,
    }


def _schema_of(found: type) -> dict[str, Any]:
    """Describe a path, which is a text; msgspec knows all other types that documents have."""
    if not issubclass(found, PurePath):
        raise NotImplementedError(found.__name__)
    return {"type": "string"}


def text() -> str:
    """Write the schema out, as it is in the package."""
    return f"{json.dumps(schema(), indent=1)}\n"


if __name__ == "__main__":
    Path(str(SCHEMA_FILE)).write_text(text())
