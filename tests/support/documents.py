"""What --json prints, held against the schema in the package.

Lives here: `check_document`, through which every document goes that a test sees. Must not live
here: how the schema is made (`recovery.cli.schema`).
"""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from recovery.cli.commands.schema import SCHEMA_FILE
from recovery.cli.parser import typed_words

PUBLISHED: Final[dict[str, Any]] = json.loads(SCHEMA_FILE.read_bytes())


def check_document(words: Sequence[str], stdout: str) -> None:
    """Hold what a command printed with --json against its schema.

    Args:
        words: The command line.
        stdout: What it printed: one document, or nothing.
    """
    if not stdout:
        return
    document = json.loads(stdout)
    command = "error" if "error" in document else typed_words(words)
    if command in PUBLISHED["commands"]:  # the schema itself is no document
        _validate(command, document)


def _validate(command: str, document: object) -> None:
    try:
        import jsonschema  # noqa: F401, PLC0415 # an environment without it runs all other tests
    except ImportError:
        return
    validator(command).validate(document)


@cache
def validator(command: str) -> Any:  # noqa: ANN401 # typeshed knows no class for it
    """Make a validator for the documents of one command.

    Args:
        command: Its words, or "error".
    """
    from jsonschema import Draft202012Validator  # noqa: PLC0415 # as above

    return Draft202012Validator({**PUBLISHED["commands"][command], "$defs": PUBLISHED["$defs"]})
