"""Names that are not there: the one that was probably meant comes first."""

import pytest

from recovery.services.tenancy.choosing import NAMES_SHOWN_MAX, shown_names

MANY = [f"sensor {number:04}" for number in range(100)]


@pytest.mark.parametrize(
    ("typed", "names", "first"),
    [
        ("myorgs", [*MANY, "myorg"], "myorg"),
        ("MYORG", [*MANY, "myorg"], "myorg"),
        ("sensor 0O99", MANY, "sensor 0099"),
        ("something else", MANY, "sensor 0000"),
        ("myorgs", ["myorg"] * 2, "myorg"),
        ("myorgs", [*(f"sensor {number:04}" for number in range(6000)), "myorg"], "sensor 0000"),
    ],
)
def test_the_nearest_name_is_shown_first(typed: str, names: list[str], first: str) -> None:
    """Also where it is not among the first that are shown; of very many none is looked for."""
    shown = shown_names(names, like=typed)
    assert first == shown[0]
    assert len(shown) <= NAMES_SHOWN_MAX + 1
    assert len(names) <= NAMES_SHOWN_MAX or shown[-1] == f"and {len(names) - NAMES_SHOWN_MAX} more"
