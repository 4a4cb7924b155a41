"""Buckets.

Lives here: /api/v2/buckets. Must not live here: their members (`recovery.daemon.api.members`).

Source: InfluxDB v2.9.1 tenant/http_server_bucket.go, tenant/middleware_bucket_auth.go,
tenant/service_bucket.go, tenant/storage_bucket.go (ListBuckets, listBucketsByOrg), paging.go
(NewPagingLinks); spec admin-daemon 1.11.
"""

import json
from typing import Final
from urllib.parse import quote_plus

from recovery.daemon.answer import Answer, ApiError, json_answer
from recovery.daemon.api.organizations import organization_by_name
from recovery.daemon.api.paging import Page
from recovery.daemon.api.records import bucket_record
from recovery.daemon.call import Call
from recovery.model.bucket import TYPE_SYSTEM, Bucket
from recovery.model.ids import Id

NOT_FOUND: Final = ApiError("not found", "bucket not found")
LIST: Final = "/api/v2/buckets"


def list_all(call: Call) -> Answer:
    """List buckets: one page, cut before it is looked at which may be read."""
    page = Page.of(call.request)
    found = _found(call, page)
    readable = [one for one in found if _may_read(call, one)]
    return json_answer(
        {
            "links": _links(call, page, len(readable)),
            "buckets": [bucket_record(one) for one in readable],
        }
    )


def _found(call: Call, page: Page) -> list[Bucket]:
    request = call.request
    org_id = request.asked_id("orgID")
    org, name, bucket_id = request.asked("org"), request.asked("name"), request.asked_id("id")
    if bucket_id is not None:
        return [_present(call.tx.buckets.get(bucket_id))]
    if org_id is None and org is not None:
        org_id = organization_by_name(call, org).id
    if org_id is None:
        keyed = list(call.tx.buckets.walk_keyed([]))
        ordered = page.ordered(keyed)[max(page.offset, 0) :]
        return [one for one in ordered if name is None or one.name == name][: page.limit]
    if name is None:
        return _of_organization(call, org_id, page)
    found = call.tx.buckets.indexed_id(org_id, name)
    if found is None:
        raise ApiError("not found", f"bucket {json.dumps(name, ensure_ascii=False)} not found")
    return [_present(call.tx.buckets.get(found))]


def _of_organization(call: Call, org_id: Id, page: Page) -> list[Bucket]:
    """List the buckets of an organization by their names; `after` is looked for behind `offset`."""
    ids = call.tx.buckets.indexed_of(org_id)
    if page.is_descending:
        ids.reverse()
    ids = ids[max(page.offset, 0) :]
    if page.after is not None:
        ids = ids[ids.index(page.after) + 1 :] if page.after in ids else []
    return [_present(call.tx.buckets.get(one)) for one in ids[: page.limit]]


def _links(call: Call, page: Page, count: int) -> dict[str, str]:
    """Lead to this page, the one before and the one behind."""
    asked = call.request
    wanted: dict[str, str] = {
        "after": page.after or "",
        "bucket": asked.asked("name") or "",
        "descending": "true" if page.is_descending else "false",
        "limit": str(page.limit),
        "org": asked.asked("org") or "",
        "orgID": (asked.asked("orgID") or "").lower(),
        "id": "",
    }
    if asked.asked("id"):
        wanted["id"] = (asked.asked("id") or "").lower()

    def link(offset: int) -> str:
        values = {**wanted, "offset": str(offset)}
        return f"{LIST}?" + "&".join(
            f"{name}={quote_plus(value.encode('utf-8', 'surrogateescape'), safe='~')}"
            for name, value in sorted(values.items())
            if value
        )

    links: dict[str, str] = {}
    if page.offset > 0:
        links["prev"] = link(max(page.offset - page.limit, 0))
    links["self"] = link(page.offset)
    if count >= page.limit:
        links["next"] = link(page.offset + page.limit)
    return links


def show(call: Call) -> Answer:
    """Show one bucket."""
    return json_answer(bucket_record(readable_bucket(call)))


def labels(call: Call) -> Answer:
    """List its labels: none, as labels are not served."""
    readable_bucket(call)
    return json_answer({"links": {"self": "/api/v2/labels"}, "labels": []})


def readable_bucket(call: Call, *, prefix: str = "") -> Bucket:
    """Give the bucket of the path, if it exists and may be read.

    Raises:
        ApiError: 404 or 401.
    """
    bucket = _present(call.tx.buckets.get(call.id(prefix=prefix)))
    if bucket.type == TYPE_SYSTEM:
        call.rights.require("read organization", one=bucket.org_id)
    else:
        call.rights.require("read bucket", one=bucket.id, org=bucket.org_id)
    return bucket


def _may_read(call: Call, bucket: Bucket) -> bool:
    if bucket.type == TYPE_SYSTEM:
        return call.rights.may("read organization", one=bucket.org_id)
    return call.rights.may("read bucket", one=bucket.id, org=bucket.org_id)


def _present(bucket: Bucket | None) -> Bucket:
    if bucket is None:
        raise NOT_FOUND
    return bucket
