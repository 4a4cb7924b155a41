"""Buckets.

Lives here: /api/v2/buckets. Must not live here: their members (`recovery.daemon.api.members`).

Source: InfluxDB v2.9.1 tenant/http_server_bucket.go, tenant/middleware_bucket_auth.go,
tenant/service_bucket.go, tenant/storage_bucket.go (ListBuckets, listBucketsByOrg), paging.go
(NewPagingLinks); Go strconv/quote.go; spec admin-daemon 1.11.
"""

from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import quote_plus

from recovery.daemon.answer import NO_CONTENT, Answer, ApiError, json_answer
from recovery.daemon.api.labels import labels_of
from recovery.daemon.api.organizations import NOT_FOUND as ORGANIZATION_NOT_FOUND
from recovery.daemon.api.organizations import UNREADABLE, organization_by_name
from recovery.daemon.api.paging import Page
from recovery.daemon.api.records import bucket_record
from recovery.daemon.bodies import Body
from recovery.daemon.call import Call
from recovery.model.bucket import HOUR_NS, TYPE_SYSTEM, Bucket, shard_group_duration_ns
from recovery.model.ids import Id
from recovery.services.tenancy.bucket_changes import (
    CreateBucket,
    DeleteBucket,
    EditBucket,
    times_after,
)
from recovery.services.tenancy.organization_records import count_with_data

NOT_FOUND: Final = ApiError("not found", "bucket not found")
NO_PAGE: Final = ApiError("not found", "404 page not found")
CORRUPT: Final = "corrupt ID provided: "
LIST: Final = "/api/v2/buckets"
SHORT_RETENTION: Final = ApiError(
    "internal error", "retention policy duration must be at least 1h0m0s"
)
LONG_SHARDS: Final = ApiError(
    "internal error", "retention policy duration must be greater than the shard duration"
)
OLD_SHARDS: Final = ApiError(
    "unprocessable entity",
    "shard-group duration must also be updated to be smaller than new retention duration",
)
_SECOND_NS: Final = 1_000_000_000
_ESCAPES: Final = dict(zip('"\\\a\b\f\n\r\t\v', (rf"\{one}" for one in '"\\abfnrtv'), strict=True))
_SHORT_MAX: Final = 0xFFFF


def list_all(call: Call) -> Answer:
    """List buckets: one page, cut before it is looked at which may be read."""
    page = Page.of(call.request)
    found = _found(call, page)
    readable = [one for one in found if _may_read(call, one)]
    return json_answer(
        {
            "links": _links(call, page, len(readable)),
            "buckets": [_shown(call, one) for one in readable],
        }
    )


def _found(call: Call, page: Page) -> list[Bucket]:
    request = call.request
    org_id = request.asked_id("orgID")
    org, name, bucket_id = request.asked("org"), request.asked("name"), request.asked_id("id")
    if bucket_id is not None:
        return [NOT_FOUND.unless(call.tx.buckets.get(bucket_id))]
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
        raise ApiError("not found", f'bucket "{"".join(map(_quoted, name))}" not found')
    return [NOT_FOUND.unless(call.tx.buckets.get(found))]


def _quoted(character: str) -> str:
    """Write a character as Go's %q does."""
    if character in _ESCAPES or character.isprintable():
        return _ESCAPES.get(character, character)
    encoded, number = character.encode("utf-8", "surrogateescape"), ord(character)
    if len(encoded) == 1:  # of ASCII, or no text
        return f"\\x{encoded.hex()}"
    return f"\\u{number:04x}" if number <= _SHORT_MAX else f"\\U{number:08x}"


def _of_organization(call: Call, org_id: Id, page: Page) -> list[Bucket]:
    """List the buckets of an organization by their names; `after` is looked for behind `offset`."""
    ids = call.tx.buckets.indexed_of(org_id)
    if page.is_descending:
        ids.reverse()
    ids = ids[max(page.offset, 0) :]
    if page.after is not None:
        ids = ids[ids.index(page.after) + 1 :] if page.after in ids else []
    return [NOT_FOUND.unless(call.tx.buckets.get(one)) for one in ids[: page.limit]]


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
        "sortBy": asked.asked("sortBy") or "",
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
    return json_answer(_shown(call, _readable(call)))


def _shown(call: Call, bucket: Bucket) -> dict[str, object]:
    return {**bucket_record(bucket), "labels": labels_of(call, bucket)}


def labels(call: Call) -> Answer:
    """List its labels."""
    bucket = bucket_with_parts(call)
    call.rights.require("read bucket", one=bucket.id, org=bucket.org_id)
    found = labels_of(call, bucket)
    return json_answer({"links": {"self": "/api/v2/labels"}, "labels": found})


def refuse_method_of_labels(call: Call) -> None:
    """Refuse it in words, as no other part does: `ApiError` 405, or as `bucket_with_parts`."""
    bucket_with_parts(call)
    raise ApiError("method not allowed", "allow: ")


def create(call: Call) -> Answer:
    """Make a bucket of a user."""

    def read(body: Body) -> tuple[Id | None, list[str], list[_Rule]]:
        rules = body.bodies("retentionRules", _rule)
        texts = [body.text(field) or "" for field in ("name", "description", "rp")]
        return body.id("orgID"), texts, rules

    org_id, texts, rules = call.body(read, "invalid", prefix=UNREADABLE)
    name, description, policy_name = texts
    if org_id is None:
        raise ApiError("invalid", "organization id must be provided")
    _require_one_rule(rules)
    call.rights.require("create bucket", org=org_id)
    require_bucket_name(name)
    if call.tx.organizations.get(org_id) is None:
        raise ORGANIZATION_NOT_FOUND
    if call.tx.buckets.indexed_id(org_id, name) is not None:
        raise ApiError("conflict", f"bucket with name {name} already exists")
    rule = rules[0] if rules else _Rule(0, 0)
    retention_ns, shard_group_ns = to_ns(rule.every_s or 0), to_ns(rule.shard_group_s or 0)
    require_times(retention_ns, shard_group_duration_ns(retention_ns, wanted_ns=shard_group_ns))
    made = call.change(
        CreateBucket(
            org_id=org_id,
            name=name,
            description=description,
            retention_ns=retention_ns,
            shard_group_ns=shard_group_ns,
            policy_name=policy_name,
            may_be_nameless=True,
            clock=call.desk.clock,
            rng=call.desk.rng,
        )
    )
    bucket = NOT_FOUND.unless(call.tx.buckets.get(Id(made.record_ids[0])))
    return json_answer(bucket_record(bucket), status=HTTPStatus.CREATED)


def update(call: Call) -> Answer:
    """Change name, description and retention."""
    bucket_id = call.id()

    def read(body: Body) -> tuple[str | None, str | None, list[_Rule]]:
        rules = body.bodies("retentionRules", lambda one: _rule(one, is_pointer=True))
        name, description = (body.text(field, is_pointer=True) for field in ("name", "description"))
        return name, description, rules

    name, description, rules = call.body(read, "invalid", prefix=UNREADABLE)
    _require_one_rule(rules)
    bucket = NOT_FOUND.unless(call.tx.buckets.get(bucket_id))
    if name is not None:
        _readable(call)
    call.rights.require("write bucket", one=bucket_id, org=bucket.org_id)
    rule = rules[0] if rules else _Rule(None, None)
    retention_ns = None if rule.every_s is None else to_ns(rule.every_s)
    shard_group_ns = None if rule.shard_group_s is None else to_ns(rule.shard_group_s)
    if rules:
        times = times_after(call.tx, bucket, retention_ns, shard_group_ns)
        require_times(*times, otherwise=OLD_SHARDS)
    _require_renamable(call, bucket, name)  # the engine is asked first
    call.change(
        EditBucket(
            bucket_id=bucket_id,
            name=name,
            description=description,
            retention_ns=retention_ns,
            shard_group_ns=shard_group_ns,
            is_touched=True,
            may_be_nameless=True,
            clock=call.desk.clock,
        )
    )
    return json_answer(bucket_record(NOT_FOUND.unless(call.tx.buckets.get(bucket_id))))


def delete(call: Call) -> Answer:
    """Delete a bucket that has no data."""
    bucket_id = call.id()
    bucket = NOT_FOUND.unless(call.tx.buckets.get(bucket_id))
    call.rights.require("write bucket", one=bucket_id, org=bucket.org_id)
    if bucket.type == TYPE_SYSTEM:
        raise ApiError("invalid", "system buckets cannot be deleted")
    if count_with_data(call.tx, {bucket_id}):
        raise ApiError("conflict", f"bucket {bucket_id} has data: delete it when influxd runs")
    call.change(DeleteBucket(bucket_id=bucket_id))
    return NO_CONTENT


class _Rule(NamedTuple):
    """A retention rule, in seconds; None where nothing is said."""

    every_s: int | None
    shard_group_s: int | None


def _rule(body: Body, *, is_pointer: bool = False) -> _Rule:
    body.text("type")
    fields = ("everySeconds", "shardGroupDurationSeconds")
    return _Rule(*(body.integer(field, is_pointer=is_pointer) for field in fields))


def _require_one_rule(rules: list[_Rule]) -> None:
    if len(rules) > 1:
        raise ApiError(
            "unprocessable entity", "buckets cannot have more than one retention rule at this time"
        )
    for rule in rules:
        if rule.every_s is not None and rule.every_s < 0:
            raise ApiError("unprocessable entity", "expiration seconds cannot be negative")
        if rule.shard_group_s is not None and rule.shard_group_s < 0:
            raise ApiError(
                "unprocessable entity", "shard-group duration seconds cannot be negative"
            )


def to_ns(seconds: int) -> int:
    """Turn seconds into nanoseconds in Go's 64 bits; too many wrap around, even below 0."""
    return (seconds * _SECOND_NS + (1 << 63)) % (1 << 64) - (1 << 63)


def require_times(
    retention_ns: int, shard_group_ns: int, *, otherwise: ApiError = LONG_SHARDS
) -> None:
    """Refuse times that the engine does not take, in its words.

    Args:
        retention_ns: How long data stay, in nanoseconds; 0 forever.
        shard_group_ns: Span of a shard group, in nanoseconds.
        otherwise: What is said of a span that is too long.

    Raises:
        ApiError: Mostly 500, as the engine's errors have no code.
    """
    if retention_ns and retention_ns < HOUR_NS:
        raise SHORT_RETENTION
    if retention_ns and retention_ns < shard_group_ns:
        raise otherwise


def require_bucket_name(name: str) -> None:
    """Refuse what a server takes for no name of a user's bucket, by `ApiError` 400."""
    problem = None
    if name.startswith("_"):
        problem = "Buckets may not start with underscore"
    elif '"' in name:
        problem = "Bucket names may not include quotation marks"
    if problem is not None:
        raise ApiError("invalid", f"bucket name {name} is invalid. {problem}")


def _require_renamable(call: Call, bucket: Bucket, name: str | None) -> None:
    if name is None or name == bucket.name:
        return
    if bucket.type == TYPE_SYSTEM:
        raise ApiError("invalid", "system buckets cannot be renamed")
    require_bucket_name(name)
    if bucket.org_id is not None and call.tx.buckets.indexed_id(bucket.org_id, name) is not None:
        raise ApiError("conflict", "bucket name is not unique")


def bucket_with_parts(call: Call) -> Bucket:
    """Give the bucket of a path that goes on behind it, if it exists and may be read.

    The server looks for it in front of whether the rest of the path and the method are known.

    Raises:
        ApiError: 404 otherwise, without saying which.
    """
    bucket = call.tx.buckets.get(call.id(prefix=CORRUPT))
    if bucket is None or not _may_read(call, bucket):
        raise NO_PAGE
    return bucket


def _readable(call: Call) -> Bucket:
    """Give the bucket of the path, if it exists and may be read; else `ApiError` 404 or 401."""
    bucket = NOT_FOUND.unless(call.tx.buckets.get(call.id()))
    if bucket.type == TYPE_SYSTEM:
        call.rights.require("read organization", one=bucket.org_id)
    else:
        call.rights.require("read bucket", one=bucket.id, org=bucket.org_id)
    return bucket


def _may_read(call: Call, bucket: Bucket) -> bool:
    if bucket.type == TYPE_SYSTEM:
        return call.rights.may("read organization", one=bucket.org_id)
    return call.rights.may("read bucket", one=bucket.id, org=bucket.org_id)
