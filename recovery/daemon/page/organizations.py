"""Organizations, their members and their buckets.

Lives here: the screens and forms of both. Must not live here: any of these changes themselves
(`recovery.services.tenancy`).

Source: spec admin-daemon 1.10, 1.11 and 4.10.
"""

import re
from collections import Counter
from collections.abc import Callable
from typing import Final

from recovery.daemon.answer import Answer, ApiError
from recovery.daemon.page.form import FieldError
from recovery.daemon.page.user_acts import change_role
from recovery.daemon.page.visit import Visit
from recovery.errors import RecoveryError
from recovery.model.bucket import TYPE_SYSTEM, Bucket, shard_group_duration_ns
from recovery.model.ids import Id
from recovery.model.organization import Organization
from recovery.services.tenancy.bucket_changes import CreateBucket, DeleteBucket, EditBucket
from recovery.services.tenancy.organization_changes import CreateOrganization
from recovery.services.tenancy.organization_listing import list_organizations
from recovery.services.tenancy.organization_records import (
    DeleteOrganization,
    EditOrganization,
    shard_group_counts,
)

PEOPLE_SHOWN: Final = 50
NO_ORGANIZATION: Final = ApiError("not found", "there is no such organization")
NO_BUCKET: Final = ApiError("not found", "there is no such bucket")
BAD_TIME: Final = "write the retention as 0 for ever, or as 1h, 7d or 4w"
_TIME: Final = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>m|h|d|w)?\Z")
_SECOND_NS: Final = 1_000_000_000
_UNITS_S: Final = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def retention_text(retention_ns: int) -> str:
    """Write how long data stay, as a person types it: "for ever" is 0."""
    if not retention_ns:
        return "0"
    seconds = retention_ns // _SECOND_NS
    for unit in ("w", "d", "h", "m"):
        if seconds % _UNITS_S[unit] == 0:
            return f"{seconds // _UNITS_S[unit]}{unit}"
    return f"{seconds}s"


def _retention_ns(text: str) -> int:
    """Read how long data are to stay; raise `ApiError` for what is no time."""
    found = _TIME.match(text.strip())
    if found is None or (found["unit"] is None and int(found["number"])):
        raise FieldError("retention", BAD_TIME)
    return int(found["number"]) * _UNITS_S[found["unit"] or "m"] * _SECOND_NS


def list_all(visit: Visit) -> Answer:
    """Show all organizations."""
    buckets = Counter(one.org_id for one in visit.tx.buckets.walk([]))
    tokens = Counter(row.organization_id for row in visit.page.book.tokens().rows.values())
    rows = [
        (row, buckets[Id(row.id)], tokens[row.id])
        for row in list_organizations(visit.tx).rows
        if visit.may("read organization", one=Id(row.id))
    ]
    rows.sort(key=lambda one: (one[0].name.casefold(), one[0].id))
    return visit.screen(
        "organizations.html",
        cut=visit.cut(rows),
        may_make=visit.may("create organization"),
    )


def new(visit: Visit) -> Answer:
    """Show the form for a new organization."""
    visit.rights.require("create organization")
    users = [(one.id, one.name) for one in visit.tx.users.walk([])]
    return visit.screen("new_organization.html", users=users)


def make(visit: Visit) -> Answer:
    """Make an organization with its owner and its system buckets."""
    visit.rights.require("create organization")
    made = visit.change(
        CreateOrganization(
            name=visit.form.line("name"),
            description=visit.form.line("description"),
            owner=visit.user_of(visit.form, "owner") or visit.form.get("owner") or None,
            is_ensured=False,
            clock=visit.page.desk.clock,
            rng=visit.page.desk.rng,
        )
    )
    return visit.led(made, f"/organizations/{made.record_ids[0]}")


def _of_path(visit: Visit) -> Organization:
    org_id = visit.id()
    visit.rights.require("read organization", one=org_id)
    return NO_ORGANIZATION.unless(visit.tx.organizations.get(org_id))


def show(visit: Visit) -> Answer:
    """Show one organization with its people and its buckets."""
    found = _of_path(visit)
    row = next(one for one in list_organizations(visit.tx).rows if one.id == found.id)
    find = visit.asked.line("find").strip()
    word = find.casefold()
    buckets = [
        one
        for one in visit.tx.buckets.walk([])
        if one.org_id == found.id
        and (word in one.name.casefold() or word == one.id)
        and visit.may("read bucket", one=one.id, org=found.id)
    ]
    buckets.sort(key=lambda one: (one.type == TYPE_SYSTEM, one.name.casefold(), one.id))
    have = {one.user_id for one in (*row.owners, *row.members)}
    return visit.screen(
        "organization.html",
        organization=row,
        find=find,
        people=visit.cut(
            [
                (role, one)
                for role, people in (("owner", row.owners), ("member", row.members))
                for one in people
                if word in (one.user or "").casefold() or word == one.user_id
            ],
            PEOPLE_SHOWN,
            "people",
        ),
        cut=visit.cut(buckets, name="buckets"),
        shard_groups=_shard_groups(visit),
        retention=retention_text,
        system=TYPE_SYSTEM,
        others=[(one.id, one.name) for one in visit.tx.users.walk([]) if one.id not in have],
        may_write=visit.may("write organization", one=found.id),
        may_change_members=visit.may("change member", one=found.id, org=found.id),
        may_make_bucket=visit.may("create bucket", org=found.id),
    )


def _shard_groups(visit: Visit) -> Callable[[str], str]:
    """Return a function that says how many shard groups a bucket has."""
    try:
        counts = shard_group_counts(visit.tx)
    except RecoveryError:
        return lambda _: "unknown"
    return lambda bucket_id: f"{counts.get(bucket_id, 0):,}"


def edit(visit: Visit) -> Answer:
    """Give another name or description."""
    found = _of_path(visit)
    visit.rights.require("write organization", one=found.id)
    visit.require_seen(found.updated_at)
    planner = EditOrganization(
        org_id=found.id,
        name=visit.form.line("name"),
        description=visit.form.line("description"),
        clock=visit.page.desk.clock,
    )
    return visit.changed(planner, f"/organizations/{found.id}")


def set_member(visit: Visit) -> Answer:
    """Make somebody owner or member."""
    found = _of_path(visit)
    return _change_role(visit, found)


def remove_member(visit: Visit) -> Answer:
    """Take somebody's role away."""
    found = _of_path(visit)
    return _change_role(visit, found)


def _change_role(visit: Visit, found: Organization) -> Answer:
    user_id = visit.user_of(visit.form, "user")
    if user_id is None:
        raise FieldError("user", "choose a user")
    then = visit.back_to(f"/organizations/{found.id}")
    return change_role(visit, user_id, found.id, then)


def ask_delete(visit: Visit) -> Answer:
    """Ask whether to delete an organization without data."""
    found = _of_path(visit)
    visit.rights.require("write organization", one=found.id)
    return visit.ask(
        DeleteOrganization(org_id=found.id),
        title="Delete this organization?",
        sentence="Its buckets, roles and tasks go with it; its tokens stay and are worth nothing.",
        button="Delete",
        back=f"/organizations/{found.id}",
        name=found.name,
        is_danger=True,
    )


def delete(visit: Visit) -> Answer:
    """Delete an organization."""
    found = _of_path(visit)
    visit.rights.require("write organization", one=found.id)
    return visit.changed(DeleteOrganization(org_id=found.id), "/organizations")


def make_bucket(visit: Visit) -> Answer:
    """Make a bucket."""
    found = _of_path(visit)
    visit.rights.require("create bucket", org=found.id)
    planner = CreateBucket(
        org_id=found.id,
        name=visit.form.line("name"),
        retention_ns=_retention_ns(visit.form.get("retention", "0")),
        clock=visit.page.desk.clock,
        rng=visit.page.desk.rng,
    )
    return visit.changed(planner, f"/organizations/{found.id}")


def _bucket_of_path(visit: Visit) -> Bucket:
    found = NO_BUCKET.unless(visit.tx.buckets.get(visit.id()))
    visit.require("read bucket", one=found.id, org=found.org_id)
    return found


def show_bucket(visit: Visit) -> Answer:
    """Show one bucket."""
    found = _bucket_of_path(visit)
    organization = None if found.org_id is None else visit.tx.organizations.get(found.org_id)
    return visit.screen(
        "bucket.html",
        bucket=found,
        organization=organization,
        retention=retention_text(found.retention_ns),
        is_system=found.type == TYPE_SYSTEM,
        shard_groups=_shard_groups(visit)(found.id),
        may_write=visit.may("write bucket", one=found.id, org=found.org_id),
    )


def edit_bucket(visit: Visit) -> Answer:
    """Give another name or retention."""
    found = _bucket_of_path(visit)
    visit.require("write bucket", one=found.id, org=found.org_id)
    visit.require_seen(found.updated_at)
    retention_ns = _retention_ns(visit.form.get("retention", "0"))
    is_other = retention_ns != found.retention_ns  # else shard groups keep the span that they have
    planner = EditBucket(
        bucket_id=found.id,
        name=visit.form.line("name") if visit.form.has("name") else None,
        retention_ns=retention_ns if is_other else None,
        shard_group_ns=shard_group_duration_ns(retention_ns) if is_other else None,
        clock=visit.page.desk.clock,
    )
    return visit.changed(planner, f"/buckets/{found.id}")


def ask_delete_bucket(visit: Visit) -> Answer:
    """Ask whether to delete a bucket without data."""
    found = _bucket_of_path(visit)
    visit.require("write bucket", one=found.id, org=found.org_id)
    return visit.ask(
        DeleteBucket(bucket_id=found.id),
        title="Delete this bucket?",
        button="Delete",
        back=f"/buckets/{found.id}",
        name=found.name,
        is_danger=True,
    )


def delete_bucket(visit: Visit) -> Answer:
    """Delete a bucket."""
    found = _bucket_of_path(visit)
    visit.require("write bucket", one=found.id, org=found.org_id)
    then = "/organizations" if found.org_id is None else f"/organizations/{found.org_id}"
    return visit.changed(DeleteBucket(bucket_id=found.id), then)
