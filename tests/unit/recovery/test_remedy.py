"""Remedies in words that name nothing that is typed."""

import pytest

from recovery.remedy import Give, Input, Omit, Remedy, Restore, Run, advice


@pytest.mark.parametrize(
    ("remedy", "expected"),
    [
        ("stop influxd first", "stop influxd first"),
        (Give(Input.STORE, "name the store"), "name the store"),
        (Give(Input.STORE, "name the other one", "/a"), "name the other one: /a"),
        (Omit((Input.PAGE_SIZE, Input.ROOT_PAGE)), "leave the page size and root page out"),
        (Run("auth list", "to see the IDs"), "use auth list to see the IDs"),
        (Restore("/b", "/a"), "put the backup /b back into the place of /a"),
        (("make space", Give(Input.OUTPUT, "make a copy")), "make space, or make a copy"),
    ],
)
def test_each_way_has_words_for_any_front_end(remedy: Remedy, expected: str) -> None:
    assert advice(remedy) == expected
