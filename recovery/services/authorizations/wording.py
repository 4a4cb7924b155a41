"""Permissions in the words of the user interface.

Lives here: `permitted`. Must not live here: what a permission means to the server
(`recovery.model.permission`).

Invariants: names come out as they are stored, to be escaped by whoever shows them; a long one is
cut. What has no name is called by its ID.
"""

from collections.abc import Sequence
from typing import Final

from recovery.metastore.transaction import MetaTx
from recovery.model.ids import Id
from recovery.model.permission import Permission
from recovery.model.resource_types import ACTIONS, WORDS
from recovery.services.tenancy.choosing import cut_name

PHRASES_SHOWN: Final = 8


def permitted(store: MetaTx, permissions: Sequence[Permission]) -> str:
    """Say what permissions allow.

    Returns:
        Such as "read bucket sensors of organization acme, read and write all tasks of
        organization acme", the first of them, and how many more there are.
    """
    actions: dict[tuple[str, Id | None, Id | None], list[str]] = {}
    for one in permissions:
        actions.setdefault((one.type, one.id, one.org_id), []).append(one.action)
    phrases = [
        f"{' and '.join(sorted(set(found), key=_rank))} {_what(store, *resource)}"
        for resource, found in actions.items()
    ]
    rest = len(phrases) - PHRASES_SHOWN
    return ", ".join(phrases[:PHRASES_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _rank(action: str) -> int:
    return ACTIONS.index(action) if action in ACTIONS else len(ACTIONS)


def _what(store: MetaTx, kind: str, record_id: Id | None, org_id: Id | None) -> str:
    where = " of the server" if org_id is None else f" of {_organization(store, org_id)}"
    if record_id is None:
        return f"all {WORDS.get(kind, kind)}{where}"
    if kind == "buckets":
        bucket = store.buckets.get(record_id)
        return f"bucket {record_id if bucket is None else cut_name(bucket.name)}{where}"
    if kind == "orgs":
        return _organization(store, record_id)
    return f"the one of {WORDS.get(kind, kind)} with ID {record_id}{where}"


def _organization(store: MetaTx, org_id: Id) -> str:
    organization = store.organizations.get(org_id)
    return f"organization {org_id if organization is None else cut_name(organization.name)}"
