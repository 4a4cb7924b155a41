"""Permissions: the matching rule and the classification, against the specification's own words."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from recovery.model.gojson import encode
from recovery.model.ids import Id
from recovery.model.permission import (
    ACTIONS,
    ADMINISTRATION,
    BASE_TYPES,
    INSTANCE,
    LEVEL_INSTANCE,
    OperatorLevel,
    Permission,
    classify,
    decode_permissions,
    operator_permissions,
    types_of_level,
)

IDS = st.sampled_from([Id("a4400ee87566e12a"), Id("dd7cd2292f6e974a"), Id("0000000000000001")])
LEVELS = st.integers(11, 21)
PERMISSIONS = st.builds(
    Permission,
    action=st.sampled_from(ACTIONS),
    type=st.sampled_from(["buckets", "orgs", "users", "authorizations", INSTANCE]),
    id=st.none() | IDS,
    org_id=st.none() | IDS,
)
HELD_LISTS = st.lists(PERMISSIONS, max_size=8)


def _grants(held: Permission, wanted: Permission, level: int) -> bool:
    """Section 8.2, sentence by sentence."""
    rules = (
        held.id is None and held.org_id is None,
        held.org_id is not None and held.id is None and wanted.org_id == held.org_id,
        held.id is not None and wanted.id == held.id,
    )
    is_instance = held.type == INSTANCE and level >= LEVEL_INSTANCE
    return held.action == wanted.action and (
        is_instance or (held.type == wanted.type and any(rules))
    )


def _does_all(held: Sequence[Permission], kinds: Sequence[str], level: int) -> bool:
    return all(
        any(_grants(one, Permission(action=action, type=kind), level) for one in held)
        for action in ACTIONS
        for kind in kinds
    )


@given(
    extra=HELD_LISTS,
    level=LEVELS,
    made_at=LEVELS,
    removed=st.sets(st.integers(0, 43), max_size=3),
    order=st.randoms(use_true_random=False),
)
def test_an_operator_is_one_that_grants_every_type(
    extra: list[Permission], level: int, made_at: int, removed: set[int], order: object
) -> None:
    held = [p for n, p in enumerate(operator_permissions(made_at)) if n not in removed] + extra
    order.shuffle(held)  # type: ignore[attr-defined] # hypothesis gives a random.Random
    if _does_all(held, types_of_level(level), level):
        expected = OperatorLevel.FULL
    elif _does_all(held, BASE_TYPES, level):
        expected = OperatorLevel.PARTIAL
    elif _does_all(held, ADMINISTRATION, level):
        expected = OperatorLevel.ADMINISTRATOR
    else:
        expected = OperatorLevel.NONE
    assert classify(held, level=level).level is expected


@given(held=HELD_LISTS, level=LEVELS)
def test_what_is_lacking_makes_a_full_operator_when_added(
    held: list[Permission], level: int
) -> None:
    status = classify(held, level=level)
    if status.level in {OperatorLevel.PARTIAL, OperatorLevel.ADMINISTRATOR}:
        added = [Permission(action=action, type=kind) for action, kind in status.lacks]
        assert classify([*held, *added], level=level).level is OperatorLevel.FULL


@given(HELD_LISTS)
def test_a_list_is_read_back_as_it_was_written(held: list[Permission]) -> None:
    assert decode_permissions(encode([permission.to_json() for permission in held])) == held


@given(HELD_LISTS)
def test_the_slow_way_reads_the_same(held: list[Permission]) -> None:
    """An unknown field makes the fast decoder give up."""
    written = [{"new": 1, **permission.to_json()} for permission in held]
    assert decode_permissions(encode(written)) == held
