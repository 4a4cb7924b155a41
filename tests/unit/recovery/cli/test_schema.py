"""The JSON Schema: made from the types, and version 1 of it frozen."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from recovery.cli.commands.schema import SCHEMA_FILE
from recovery.cli.schema import ERROR, document_of, text
from recovery.cli.vocabulary import COMMANDS, load
from tests.support.documents import PUBLISHED, check_document

FROZEN = Path(__file__).parents[3] / "data" / "schema-version-1.json"
"""Version 1 as it was published first; never written again."""
SILENT = {"completion", "demo", "schema", "serve"}
"""Commands that have no document: names and scripts for shells, a show for people, the schema,
which is JSON anyway, and a server."""


def missing(old: object, new: object, place: str = "") -> list[str]:
    """List what a schema has lost, or says otherwise; what is added to it is no matter."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = [f"{place}/{key} is gone" for key in old if key not in new]
        for key in old.keys() & new.keys():
            if key != "description":
                found += missing(old[key], new[key], f"{place}/{key}")
        return found
    if isinstance(old, list) and isinstance(new, list):
        return [f"{place} has lost {one}" for one in old if one not in new]
    return [] if old == new else [f"{place} is {new} and was {old}"]


def test_the_file_in_the_package_is_made_from_the_types() -> None:
    assert SCHEMA_FILE.read_text() == text(), "run python -m recovery.cli.schema"


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(PUBLISHED)


def test_version_1_is_frozen() -> None:
    assert missing(json.loads(FROZEN.read_bytes()), PUBLISHED) == []


@pytest.mark.parametrize(
    "change",
    [
        {"properties": {"a": {"type": "string"}}, "required": []},
        {"properties": {}, "required": []},
        {"properties": {"a": {"type": "integer"}}, "required": []},
    ],
)
def test_a_change_of_a_frozen_version_is_noticed(change: dict[str, Any]) -> None:
    old = {"properties": {"a": {"type": "integer"}}, "required": ["a"]}
    assert missing(old, change)
    assert not missing(old, {**old, "properties": {**old["properties"], "b": {}}})  # type: ignore[dict-item] # a dict


def test_every_command_has_a_document() -> None:
    assert {words for words in COMMANDS if document_of(load(words)) is None} == SILENT
    assert set(PUBLISHED["commands"]) == {*COMMANDS, ERROR} - SILENT


def test_every_document_says_whether_anything_was_changed() -> None:
    for reference in PUBLISHED["commands"].values():
        fields = PUBLISHED["$defs"][reference["$ref"].rpartition("/")[2]]["properties"]
        assert {"version", "is_changed"} <= fields.keys()


def test_a_document_that_breaks_the_schema_is_refused() -> None:
    with pytest.raises(ValidationError):
        check_document(["ledger", "list", "--json"], '{"version": 1, "ledger_path": 7}')
