"""Whether a server can decode a stored document, field by field.

Lives here: the shapes of those records that a server decodes while it starts. Must not live here:
what a record means (its own module), and what follows when it cannot be decoded.

Decoding with the other modules of `recovery.model` answers another question: whether the record is
of use. A document without an ID is of none, and a server decodes it all the same; a task whose
`offset` is null is of use, and a server does not start on it.

Source: Go encoding/json decode.go (literalStore, indirect: null leaves a value alone, but is given
to an UnmarshalJSON method); InfluxDB v2.9.1 kit/platform/id.go (UnmarshalText), duration.go
(Duration.UnmarshalJSON), time.Time; the structs that each shape names.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import msgspec

from recovery.model.gojson import (
    UndecodableError,
    all_members,
    decode_fields,
    fold,
    id_field,
    integer_field,
    is_time,
    mended,
    patched,
    text_field,
)
from recovery.model.ids import Id, parse_id

Check: TypeAlias = Callable[[bytes], bool]
"""Tells of the JSON of one value whether Go decodes it."""
Shape: TypeAlias = Mapping[str, Check]
"""The fields of a struct by folded name. Others are skipped by Go."""

_NULL: Final = b"null"
_SPARE: Final = frozenset({
    "id", "description", "createdat", "updatedat", "rp", "latestcompleted", "latestscheduled",
    "latestsuccess", "latestfailure", "lastrunstatus", "lastrunerror",
})  # fmt: skip
"""Folded names of fields whose loss changes nothing: the ID is known from the key of a record."""
_BOOLEANS: Final = frozenset({b"true", b"false", _NULL})
_TEXT: Final = msgspec.json.Decoder(str)
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_DURATION: Final = re.compile(
    r"[-+]?(?:0|(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)\Z"
)
"""What Go's time.ParseDuration reads."""
_FLUX_DURATION: Final = re.compile(r"(?:[0-9]{1,18}[^\W\d_]+)*\Z")
"""A duration of Flux as notifications read it: with any unit, or without anything."""


def can_decode(document: bytes, shape: Shape) -> bool:
    """Tell whether a server decodes a value into a struct, whatever the record is worth then."""
    if document.strip(b" \t\r\n") == _NULL:
        return True  # which leaves the struct as it was
    try:
        members = all_members(document)
    except UndecodableError:
        return False
    return all(name not in shape or shape[name](value.strip()) for name, value in members)


def readable(document: bytes, shape: Shape, record_id: Id) -> bytes | None:
    """Make a record that a server decodes of one that it cannot, or that has lost its ID.

    Returns:
        The record with that ID, without those texts and times that cannot be decoded and that
        nothing depends on; None where more is wrong with it, another ID too, or nothing is left.
    """
    try:
        fields = decode_fields(document)
        bad = {name for name in fields if name in shape and not shape[name](bytes(fields[name]))}
        stored_id = None if "id" in bad else id_field(fields, "id")
    except UndecodableError:
        return None
    if not bad <= _SPARE or stored_id not in {None, record_id} or not fields.keys() - bad - {"id"}:
        return None
    fixed = patched(document, {**dict.fromkeys(bad), "id": record_id}, order=("id",))
    return fixed if fixed != document and can_decode(fixed, shape) else None


def require_decodable(document: bytes, shape: Shape) -> None:
    """Refuse, by `UndecodableError`, what a server cannot decode into a struct."""
    if not can_decode(document, shape):
        raise UndecodableError(problem="a field of it is not as the server expects")


def _text(raw: bytes) -> str | None:
    """Return the text that a value is, or None."""
    for read in (bytes, mended):  # mending is for few values, and takes longer than the rest
        try:
            return _TEXT.decode(read(raw))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
    return None


def is_text(raw: bytes) -> bool:
    """Tell whether a value decodes into a string."""
    return raw == _NULL or _text(raw) is not None


def is_id(raw: bytes) -> bool:
    """Tell whether a value decodes into an ID."""
    return raw == _NULL or parse_id(_text(raw) or "") is not None


def is_moment(raw: bytes) -> bool:
    """Tell whether a value decodes into a time."""
    return raw == _NULL or is_time(_text(raw) or "")


def is_boolean(raw: bytes) -> bool:
    """Tell whether a value decodes into a bool."""
    return raw in _BOOLEANS


def is_integer(raw: bytes) -> bool:
    """Tell whether a value decodes into a 64-bit integer."""
    try:
        integer_field({"": msgspec.Raw(raw)}, "")
    except UndecodableError:
        return False
    return True


def is_small_integer(raw: bytes) -> bool:
    """Tell whether a value decodes into a 32-bit integer."""
    return is_integer(raw) and -(1 << 31) <= int(raw if raw != _NULL else b"0") < 1 << 31


def is_unsigned(raw: bytes) -> bool:
    """Tell whether a value decodes into an unsigned 64-bit integer."""
    return raw == _NULL or (raw.isdigit() and int(raw[:21]) < 1 << 64)


def is_number(raw: bytes) -> bool:
    """Tell whether a value decodes into a 64-bit float."""
    return raw == _NULL or (raw[:1] in b"-0123456789" and math.isfinite(float(raw)))


def is_operator(raw: bytes) -> bool:
    """Tell whether a value decodes into the operator of a rule for tags, which takes no null.

    Source: InfluxDB v2.9.1 tag.go (Operator.UnmarshalJSON).
    """
    return _text(raw) in {"equal", "notequal", "equalregex", "notequalregex"}


def _is_mapping_type(raw: bytes) -> bool:
    """Tell whether a value decodes into the type of a mapping, which takes no null.

    Source: InfluxDB v2.9.1 user_resource_mapping.go (MappingType.UnmarshalJSON).
    """
    return _text(raw) in {"user", "org"}


def map_of(check: Check) -> Check:
    """Make a check of a map, from one of its values."""

    def is_map(raw: bytes) -> bool:
        if raw == _NULL:
            return True
        try:
            return all(check(value.strip()) for _, value in all_members(raw))
        except UndecodableError:
            return False

    return is_map


def is_duration(raw: bytes) -> bool:
    """Tell whether a value decodes into InfluxDB's Duration, which takes no null."""
    if raw[:1] in b"-0123456789":
        return True
    text = _text(raw) if raw[:1] == b'"' else None
    return text is not None and _DURATION.match(text) is not None


def is_schedule(raw: bytes) -> bool:
    """Tell whether a value is a duration of notifications: what is left without its two ends.

    A number of one digit has no two ends, and ends the request in a panic.
    Source: InfluxDB v2.9.1 notification/duration.go (UnmarshalJSON, parseDuration).
    """
    if raw == _NULL:
        return True
    return len(raw) > 1 and _FLUX_DURATION.match(raw[1:-1].decode("utf-8", "replace")) is not None


def is_object(raw: bytes) -> bool:
    """Tell whether a value decodes into a map of anything."""
    return raw == _NULL or raw[:1] == b"{"


def list_of(check: Check) -> Check:
    """Make a check of a list, from one of its elements."""

    def is_list(raw: bytes) -> bool:
        if raw == _NULL:
            return True
        try:
            return all(check(bytes(element).strip()) for element in _LIST.decode(raw))
        except msgspec.MsgspecError:
            return False

    return is_list


def struct(shape: Shape) -> Check:
    """Make a check of a struct inside of another."""
    return lambda raw: can_decode(raw, shape)


def _shape(**checks: Check) -> Shape:
    return {fold(name): check for name, check in checks.items()}


BUCKET: Final = _shape(
    id=is_id, orgID=is_id, type=is_integer, name=is_text, description=is_text, rp=is_text,
    retentionPeriod=is_integer, shardGroupDuration=is_integer, createdAt=is_moment,
    updatedAt=is_moment,
)  # fmt: skip
"""Type Bucket of bucket.go."""

AUTHORIZATION: Final = _shape(
    id=is_id, token=is_text, hashedToken=is_text, status=is_text, description=is_text,
    orgID=is_id, userID=is_id, createdAt=is_moment, updatedAt=is_moment,
    permissions=list_of(struct(_shape(
        action=is_text,
        resource=struct(_shape(type=is_text, id=is_id, orgID=is_id)),
    ))),
)  # fmt: skip
"""Type Authorization of auth.go, with type Permission of authz.go."""

USER: Final = _shape(id=is_id, name=is_text, oauthID=is_text, status=is_text)
"""Type User of user.go."""

ORGANIZATION: Final = _shape(
    id=is_id, name=is_text, description=is_text, createdAt=is_moment, updatedAt=is_moment
)
"""Type Organization of organization.go."""

MAPPING: Final = _shape(
    userID=is_id, userType=is_text, mappingType=_is_mapping_type, resourceType=is_text,
    resourceID=is_id,
)  # fmt: skip
"""Type UserResourceMapping of user_resource_mapping.go."""

MIGRATION: Final = _shape(id=is_id, name=is_text, started_at=is_moment, finished_at=is_moment)
"""Type Migration of kv/migration/migration.go."""

TASK: Final = _shape(
    id=is_id, type=is_text, orgID=is_id, org=is_text, ownerID=is_id, name=is_text,
    description=is_text, status=is_text, flux=is_text, every=is_text, cron=is_text,
    offset=is_duration, lastRunStatus=is_text, lastRunError=is_text, latestCompleted=is_moment,
    latestScheduled=is_moment, latestSuccess=is_moment, latestFailure=is_moment,
    createdAt=is_moment, updatedAt=is_moment, metadata=is_object,
)  # fmt: skip
"""Types basicKvTask and kvTask of kv/task.go."""

RUN: Final = _shape(
    id=is_id, taskID=is_id, status=is_text, scheduledFor=is_moment, runAt=is_moment, flux=is_text,
    startedAt=is_moment, finishedAt=is_moment, requestedAt=is_moment, traceID=is_text,
    isSampled=is_boolean,
    log=list_of(struct(_shape(runID=is_id, time=is_text, message=is_text))),
)  # fmt: skip
"""Types Run and Log of task/taskmodel/task.go."""


SCRAPER: Final = _shape(
    id=is_id, name=is_text, type=is_text, url=is_text, orgID=is_id, bucketID=is_id,
    allowInsecure=is_boolean,
)  # fmt: skip
"""Type ScraperTarget of scraper.go."""

SOURCE: Final = _shape(
    id=is_id, orgID=is_id, default=is_boolean, name=is_text, type=is_text, url=is_text,
    insecureSkipVerify=is_boolean, telegraf=is_text, token=is_text, username=is_text,
    password=is_text, sharedSecret=is_text, metaUrl=is_text, defaultRP=is_text,
)  # fmt: skip
"""Type Source of source.go."""


def _shapes(check: Check, *names: str) -> Shape:
    return {fold(name): check for line in names for name in line.split()}


_QUERY: Final = _shape(
    text=is_text, editMode=is_text, name=is_text,
    builderConfig=struct(_shape(
        buckets=list_of(is_text), functions=list_of(struct(_shape(name=is_text))),
        tags=list_of(struct(_shape(
            key=is_text, values=list_of(is_text), aggregateFunctionType=is_text,
        ))),
        aggregateWindow=struct(_shape(period=is_text, fillValues=is_boolean)),
    )),
)  # fmt: skip
"""Types DashboardQuery and BuilderConfig of dashboard.go."""

RULE: Final = _shape(
    id=is_id, name=is_text, description=is_text, endpointID=is_id, orgID=is_id, ownerID=is_id,
    taskID=is_id, type=is_text, createdAt=is_moment, updatedAt=is_moment,
    runbookLink=is_text, sleepUntil=is_moment, every=is_schedule, offset=is_schedule,
    tagRules=list_of(struct(_shape(key=is_text, value=is_text, operator=is_operator))),
    statusRules=list_of(struct(_shape(currentLevel=is_text, previousLevel=is_text))),
    limit=is_integer, limitEvery=is_integer, channel=is_text,
    messageTemplate=is_text, parseMode=is_text, disableWebPagePreview=is_boolean,
)  # fmt: skip
"""Type Base of notification/rule/rule.go, and what slack.go, pagerduty.go and telegram.go add."""


def _is_threshold(raw: bytes) -> bool:
    try:
        kind = text_field(decode_fields(raw), "type")
    except UndecodableError:
        return False
    return kind in {"lesser", "greater", "range"} and can_decode(raw, _THRESHOLD)


_THRESHOLD: Final = _shape(
    allValues=is_boolean, level=is_text, value=is_number, min=is_number, max=is_number,
    within=is_boolean,
)  # fmt: skip
"""Type thresholdConfigDecode of notification/check/threshold.go."""

CHECK: Final = _shape(
    id=is_id, name=is_text, description=is_text, orgID=is_id, ownerID=is_id, taskID=is_id,
    type=is_text, statusMessageTemplate=is_text, cron=is_text, every=is_schedule,
    offset=is_schedule, createdAt=is_moment, updatedAt=is_moment, query=struct(_QUERY),
    tags=list_of(struct(_shape(key=is_text, value=is_text))), thresholds=list_of(_is_threshold),
    timeSince=is_schedule, staleTime=is_schedule, reportZero=is_boolean, level=is_text,
)  # fmt: skip
"""Type Base of notification/check/check.go, of which type Custom has the first, and what
threshold.go and deadman.go add."""

ENDPOINT: Final = _shape(
    id=is_id, name=is_text, description=is_text, orgID=is_id, status=is_text, type=is_text,
    url=is_text, clientURL=is_text, authMethod=is_text, method=is_text, contentTemplate=is_text,
    createdAt=is_moment, updatedAt=is_moment, headers=map_of(is_text), token=is_text,
    username=is_text, password=is_text, routingKey=is_text, channel=is_text,
)  # fmt: skip
"""Type Base of notification/endpoint/endpoint.go, and what the files beside it add."""

_STACK_EVENT: Final = _shape(
    eventType=is_unsigned, name=is_text, description=is_text, sources=list_of(is_text),
    urls=list_of(is_text), updatedAt=is_moment,
    resources=list_of(struct(_shape(
        apiVersion=is_text, id=is_text, kind=is_text, name=is_text,
        associations=list_of(struct(_shape(kind=is_text, name=is_text))),
    ))),
)  # fmt: skip
STACK: Final = {
    **_STACK_EVENT,
    **_shape(id=is_text, orgID=is_text, createdAt=is_moment, events=list_of(struct(_STACK_EVENT))),
}
"""Type entStack of pkger/store.go, whose IDs are base64."""

DBRP: Final = _shape(
    id=is_id, database=is_text, retention_policy=is_text, default=is_boolean, virtual=is_boolean,
    orgID=is_id, bucketID=is_id,
)  # fmt: skip
"""Type DBRPMapping of dbrp_mapping.go."""

TELEGRAF: Final = _shape(
    id=is_id, orgID=is_id, name=is_text, description=is_text, config=is_text, metadata=is_object,
)  # fmt: skip
"""Type TelegrafConfig of telegraf.go."""

DASHBOARD: Final = _shape(
    id=is_id, orgID=is_id, name=is_text, description=is_text, owner=is_id,
    cells=list_of(struct(_shape(
        id=is_id, x=is_small_integer, y=is_small_integer, w=is_small_integer, h=is_small_integer,
    ))),
    meta=struct(_shape(createdAt=is_moment, updatedAt=is_moment)),
)  # fmt: skip
"""Types Dashboard, Cell, CellProperty (32-bit integers) and DashboardMeta of dashboard.go."""

_AXIS: Final = _shape(
    label=is_text, prefix=is_text, suffix=is_text, base=is_text, scale=is_text,
    bounds=list_of(is_text),
)  # fmt: skip
_COLOR: Final = _shape(id=is_text, type=is_text, hex=is_text, name=is_text, value=is_number)
_RENAMED: Final = _shape(internalName=is_text, displayName=is_text, visible=is_boolean)
_VIEW: Final = {
    **_shapes(
        is_text,
        "type note geom position timeFormat hoverDimension prefix suffix tickPrefix tickSuffix",
        "xColumn yColumn upperColumn mainColumn lowerColumn xAxisLabel yAxisLabel xPrefix xSuffix",
        "yPrefix ySuffix checkID mapStyle yLabelColumnSeparator",
    ),
    **_shapes(
        is_boolean,
        "showNoteWhenEmpty shadeBelow legendColorizeRows legendHide allowPanAndZoom",
        "detectCoordinateFields",
    ),
    **_shapes(is_integer, "xTotalTicks yTotalTicks legendOrientationThreshold binCount"),
    **_shapes(is_number, "xTickStart xTickStep yTickStart yTickStep legendOpacity zoom"),
    **_shapes(
        list_of(is_text),
        "generateXAxisTicks generateYAxisTicks fillColumns symbolColumns yLabelColumns",
        "ySeriesColumns",
    ),
    **_shape(
        binSize=is_small_integer, xDomain=list_of(is_number), yDomain=list_of(is_number),
        queries=list_of(struct(_QUERY)), axes=map_of(struct(_AXIS)),
        decimalPlaces=struct(_shape(isEnforced=is_boolean, digits=is_small_integer)),
        fieldOptions=list_of(struct(_RENAMED)),
        tableOptions=struct(_shape(
            verticalTimeAxis=is_boolean, sortBy=struct(_RENAMED), wrapping=is_text,
            fixFirstColumn=is_boolean,
        )),
        staticLegend=struct(_shape(
            colorizeRows=is_boolean, heightRatio=is_number, show=is_boolean, opacity=is_number,
            orientationThreshold=is_integer, valueAxis=is_text, widthRatio=is_number,
        )),
    ),
}  # fmt: skip
"""What the types of views in dashboard.go have, which agree where they have the same."""
_PLAIN_COLORS: Final = frozenset({"check", "heatmap", "scatter", "mosaic"})


def _is_view(raw: bytes) -> bool:
    try:
        fields = decode_fields(raw)
        shape, kind = text_field(fields, "shape"), text_field(fields, "type")
    except UndecodableError:
        return False
    if shape == "empty":
        return True
    color = is_text if kind in _PLAIN_COLORS else struct(_COLOR)
    return shape == "chronograf-v2" and can_decode(raw, {**_VIEW, "colors": list_of(color)})


VIEW: Final = _shape(id=is_id, name=is_text, properties=_is_view)
"""Types View and ViewProperties of dashboard.go, of which each is decoded by its shape."""

LABEL: Final = _shape(id=is_id, orgID=is_id, name=is_text, properties=map_of(is_text))
"""Type Label of label.go."""


def _is_string(raw: bytes) -> bool:
    return raw[:1] == b'"' and is_text(raw)


def _is_arguments(raw: bytes) -> bool:
    """Tell whether a value decodes into the values of a variable, whose type says what they are."""
    if raw == _NULL:
        return True
    try:
        fields = decode_fields(raw)
        kind, values = text_field(fields, "type"), bytes(fields.get("values", _NULL)).strip()
        inner = dict(all_members(values)) if values[:1] == b"{" else {}
    except UndecodableError:
        return False
    match kind:
        case "constant":
            return values[:1] == b"[" and list_of(_is_string)(values)
        case "map":
            return values[:1] == b"{" and all(_is_string(one.strip()) for one in inner.values())
        case "query":
            return all(_is_string(inner.get(name, b"").strip()) for name in ("query", "language"))
        case _:
            return False


VARIABLE: Final = _shape(
    id=is_id, orgID=is_id, name=is_text, description=is_text, selected=list_of(is_text),
    arguments=_is_arguments, createdAt=is_moment, updatedAt=is_moment,
)  # fmt: skip
"""Types Variable, and VariableArguments with its own UnmarshalJSON, of variable.go."""


def can_decode_runs(document: bytes) -> bool:
    """Tell whether a server decodes the value under `manualRuns`, and survives it.

    A null in the list is decoded, and then followed as a pointer.
    """
    is_run = struct(RUN)
    return list_of(lambda raw: raw != _NULL and is_run(raw))(document.strip(b" \t\r\n"))
