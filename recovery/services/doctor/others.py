"""Secrets, dashboards, labels, variables, checks, endpoints, Telegraf configurations, stacks.

Lives here: the rules I30 to I32. Must not live here: tasks.

Source: spec influxdb-metadata sections 4.8, 4.11, 13.2.
"""

import base64
import binascii
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import msgspec
from msgspec.structs import replace

from recovery.model.gojson import (
    Fields,
    UndecodableError,
    decode_fields,
    fold,
    id_field,
    required_id_field,
    text_field,
)
from recovery.model.goshape import (
    CHECK,
    DASHBOARD,
    ENDPOINT,
    LABEL,
    RULE,
    SCRAPER,
    SOURCE,
    STACK,
    TELEGRAF,
    VARIABLE,
    VIEW,
    Shape,
    can_decode,
    require_decodable,
)
from recovery.model.ids import ID_LENGTH, Id, parse_id
from recovery.services.doctor.alerts import CHECKS, ENDPOINTS, RULES, TYPES
from recovery.services.doctor.chart import Chart, Population, as_id, text_of
from recovery.services.doctor.finding import (
    DEBRIS,
    SPARED,
    Finding,
    Rule,
    Severity,
    deleting,
    moving,
    spared,
)
from recovery.services.doctor.indexes import IndexAudit, IndexRules, index_rules
from recovery.services.doctor.records import ids_of, taking_org, undecodable, well_kept, wrong_key

SECRETS: Final = "secretsv1"
DASHBOARDS: Final = "dashboardsv2"
DASHBOARDS_BY_ORG: Final = "orgsdashboardsv1"
VARIABLES_BY_ORG: Final = "variableorgsv1"
VIEWS: Final = "dashboardcellviewsv1"
LABELS: Final = "labelsv1"
LABEL_MAPPINGS: Final = "labelmappingsv1"
DOTTED_CAPITAL_I: Final = "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}"

NO_ORG_OF_SECRET: Final = Rule(
    number="I30",
    severity=Severity.LOW,
    problem="is a secret of an organization that does not exist",
    effect="nobody can use it",
    remedy="repair leaves it alone: the organization may come back with a backup",
    is_advice=True,
)
BAD_SECRET: Final = Rule(
    number="I30",
    severity=Severity.MEDIUM,
    problem="is a secret that is no base64",
    effect="whoever uses it gets an error",
    remedy="repair cannot know what it was: set it again with influx secret update",
)
NO_VIEW: Final = Rule(
    number="I31",
    severity=Severity.MEDIUM,
    problem="is a dashboard with a cell that has no view",
    effect="the cell is shown empty, with an error",
    remedy="repair cannot know what it showed: delete the cell",
)
NO_CELL: Final = Rule(
    number="I31",
    severity=Severity.LOW,
    problem="is a view of a dashboard that does not exist",
    effect="nothing",
    remedy=SPARED,
    is_on_request=True,
)
LEFT_VIEW: Final = Rule(
    number="I31",
    severity=Severity.LOW,
    problem="is a view of a cell that its dashboard does not have",
    effect="nobody sees it; influxd leaves it where the cells of a dashboard are replaced",
    remedy="repair leaves it alone: where cells are missing, restore a backup of the store",
    is_advice=True,
)
BAD_MAPPING: Final = Rule(
    number="I32",
    severity=Severity.MEDIUM,
    problem="is a label of something whose key is not made of its two IDs",
    effect="what it is a label of is without it, or lists are without that, and asking for it "
    "ends with 400",
    remedy="repair puts it where its IDs say; asked for by this number, it removes what has none",
)
BAD_VIEW: Final = undecodable(
    "I31", "a view of a cell", "its dashboard ends with an error", Severity.MEDIUM
)
UNLABELLED: Final = Rule(
    number="I32",
    severity=Severity.LOW,
    problem="is labelled with a label that does not exist",
    effect="nothing",
    remedy=DEBRIS,
    is_advice=True,
    is_on_request=True,
)


class _Named(msgspec.Struct, frozen=True):
    """What every kind of record here has."""

    id: Id
    org_id: Id
    name: str


class _Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of record, and its index.

    Attributes:
        key: Makes the key in the index.
        value: Makes the value there.
        rules: How bad it is when the index is wrong.
        encode: Writes the ID of an organization as the records have it.
    """

    number: str
    table: str
    index: str
    key: Callable[[_Named], str]
    value: Callable[[_Named], bytes]
    read: Callable[[Fields], _Named]
    rules: IndexRules
    encode: Callable[[str], str] = str


def lowered(name: str) -> str:
    """Make a name lower-case as Go does, one letter for each letter."""
    letters = name.replace(DOTTED_CAPITAL_I, "i")
    return "".join(letter.lower() for letter in letters)


def _read(fields: Fields) -> _Named:
    org_id = id_field(fields, "orgID")
    if org_id is None:
        raise UndecodableError(problem="it has no orgID")
    return _Named(required_id_field(fields, "id"), org_id, text_field(fields, "name"))


def _read_stack(fields: Fields) -> _Named:
    """Read a stack, whose IDs are the base64 of their digits."""
    ids = []
    for name in ("id", "orgID"):
        try:
            digits = base64.b64decode(text_field(fields, name), validate=True)
        except (binascii.Error, ValueError):
            digits = b""
        found = parse_id(digits)
        if found is None:
            raise UndecodableError(problem=f"{name} is no ID")
        ids.append(found)
    return _Named(ids[0], ids[1], "")


def _in_base64(digits: str) -> str:
    return base64.b64encode(digits.encode()).decode()


def _id(record: _Named) -> bytes:
    return record.id.encode()


def _nothing(_: _Named) -> bytes:
    return b""


def _rules(number: str, what: str, *, is_by_name: bool = False) -> IndexRules:
    lost = f"the {what} is not in the list of its organization"
    if is_by_name:
        lost = f"another {what} can be given the name of this one"
    return index_rules(
        number,
        missing=(Severity.MEDIUM, lost),
        extra=(Severity.MEDIUM, f"no new {what} can take that entry, or listing them fails"),
    )


def _kind(
    table: str,
    index: str,
    what: str,
    key: Callable[[_Named], str],
    value: Callable[[_Named], bytes] = _id,
) -> _Kind:
    return _Kind(
        number="I32",
        table=table,
        index=index,
        key=key,
        value=value,
        read=_read,
        rules=_rules("I32", what, is_by_name=key not in {_by_id, _by_slash_id}),
    )


def _by_lower_name(record: _Named) -> str:
    return f"{record.org_id}{lowered(record.name)}"


def _by_label_name(record: _Named) -> str:
    """Make the key of a label.

    The server puts the name in lower case into room for the name as it is: what is longer is cut,
    and what is shorter is followed by zero bytes.
    Source: InfluxDB v2.9.1 label/storage_label.go (labelIndexKey).
    """
    size_bytes = len(record.name.encode("utf-8", "surrogateescape"))
    name = lowered(record.name).encode("utf-8", "surrogateescape")
    name = name[:size_bytes].ljust(size_bytes, b"\0")
    return f"{record.org_id}{name.decode('utf-8', 'surrogateescape')}"


def _by_name(record: _Named) -> str:
    return f"{record.org_id}{record.name}"


def _by_id(record: _Named) -> str:
    return f"{record.org_id}{record.id}"


def _by_slash_id(record: _Named) -> str:
    return f"{record.org_id}/{record.id}"


KINDS: Final = (
    _Kind(
        number="I31",
        table=DASHBOARDS,
        index=DASHBOARDS_BY_ORG,
        key=_by_id,
        value=_nothing,
        read=_read,
        rules=_rules("I31", "dashboard"),
    ),
    _kind(LABELS, "labelindexv1", "label", _by_label_name),
    _kind("variablesv1", "variablesindexv1", "variable", _by_lower_name),
    _kind("variablesv1", VARIABLES_BY_ORG, "variable", _by_id, value=_nothing),
    _kind(CHECKS, "checkindexv1", "check", _by_name),
    _kind(ENDPOINTS, "notificationEndpointIndexv1", "notification endpoint", _by_name),
    _kind("telegrafv1", "telegrafbyorgindexv1", "Telegraf configuration", _by_slash_id),
    _Kind(
        number="I32",
        table="v1_pkger_stacks",
        index="v1_pkger_stacks_index",
        key=_by_id,
        value=_id,
        read=_read_stack,
        encode=_in_base64,
        rules=_rules("I32", "stack"),
    ),
)


SHAPES: Final[dict[str, Shape]] = {
    DASHBOARDS: DASHBOARD,
    LABELS: LABEL,
    "telegrafv1": TELEGRAF,
    "variablesv1": VARIABLE,
    CHECKS: CHECK,
    ENDPOINTS: ENDPOINT,
    RULES: RULE,
    "scraperv2": SCRAPER,
    "sourcesv1": SOURCE,
    "v1_pkger_stacks": STACK,
}
"""What a server wants to decode, where listing fails otherwise."""

PLAIN: Final = ((RULES, "notification rule"), ("scraperv2", "scraper"), ("sourcesv1", "source"))
"""Records without an index."""


def examine_others(chart: Chart) -> Iterator[Finding]:
    """Look at all else that has an index or names another record, after the organizations."""
    yield from _secrets(chart)
    populations: dict[str, Population] = {}
    for kind in KINDS:
        yield from _indexed(chart, kind, populations)
    yield from _plain(chart)
    yield from _views(chart, populations[DASHBOARDS])
    yield from _label_mappings(chart, populations[LABELS])


def _plain(chart: Chart) -> Iterator[Finding]:
    """Look at the kinds of records that have no index."""
    for name, what in PLAIN:
        effect = f"listing each {what} ends with an error"
        rules = (
            undecodable("I32", f"a {what}", effect, Severity.MEDIUM),
            wrong_key("I32", f"a {what}", Severity.MEDIUM),
        )
        decode = partial(_decode, name, _read)
        for one in well_kept(name, chart, Population(), decode, rules, SHAPES[name]):
            if isinstance(one, Finding):
                yield one


def _decode(table: str, read: Callable[[Fields], _Named], document: bytes) -> _Named:
    if table in SHAPES:
        require_decodable(document, SHAPES[table])
    fields = decode_fields(document)
    if table in TYPES and text_field(fields, "type") not in TYPES[table]:
        raise UndecodableError(problem="its type is not known")
    return read(fields)


def _secrets(chart: Chart) -> Iterator[Finding]:
    for key, value in chart.tx.table(SECRETS).items():
        org_id = key[:ID_LENGTH]
        if not chart.orgs.has(text_of(org_id)):
            yield NO_ORG_OF_SECRET.broken(SECRETS, org_id)
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            yield BAD_SECRET.broken(SECRETS, org_id)


def _indexed(chart: Chart, kind: _Kind, populations: dict[str, Population]) -> Iterator[Finding]:
    """Compare one kind of record with one of its indexes."""
    is_new = kind.table not in populations
    population = populations[kind.table] = Population()
    # The server writes no value there and reads none.
    # Source: InfluxDB v2.9.1 dashboards/service.go, kv/variable.go (putVariableOrgsIndex).
    target = _last_id if kind.index in {DASHBOARDS_BY_ORG, VARIABLES_BY_ORG} else None
    index = chart.tx.table(kind.index)

    def org_of(document: bytes) -> Id:
        return kind.read(decode_fields(document)).org_id

    adopt = taking_org(kind.table, chart, org_of, encode=kind.encode)
    audit = IndexAudit(index, kind.table, kind.rules, target=target, adopt=adopt)
    effect = "it is left out of lists, or listing fails"
    rules = (
        undecodable(kind.number, "a record", effect, Severity.MEDIUM),
        wrong_key(kind.number, "a record", Severity.MEDIUM),
    )
    decode = partial(_decode, kind.table, kind.read)
    shape = SHAPES[kind.table]

    def is_named(record: _Named, record_id: bytes) -> bool:
        wanted = _Named(as_id(text_of(record_id)), record.org_id, record.name)
        entry = kind.key(wanted).encode("utf-8", "surrogateescape")
        return index.has(entry) and kind.value(wanted) in {b"", index.get(entry)}

    for one in well_kept(kind.table, chart, population, decode, rules, shape, is_named):
        if not isinstance(one, Finding):
            record = one[1]
            entry, value = kind.key(record).encode("utf-8", "surrogateescape"), kind.value(record)
            if chart.orgs.has(record.org_id) or index.stored(entry) in {b"", value}:
                audit.want(entry, value)
        elif is_new:
            yield one
    yield from audit.findings(population)


def _last_id(key: bytes, _value: bytes) -> bytes:
    return key[-ID_LENGTH:]


def _views(chart: Chart, dashboards: Population) -> Iterator[Finding]:
    if not dashboards.is_there:
        return
    views = chart.tx.table(VIEWS)
    shown: set[bytes] = set()
    for key, document in chart.tx.table(DASHBOARDS).items():
        places = [key + (cell or "").encode() for cell in _cells(document)]
        shown.update(places)
        if text_of(key) in dashboards.known and not all(map(views.has, places)):
            yield NO_VIEW.broken(DASHBOARDS, key)
    for key, document in views.items():
        dashboard_id = text_of(key[:ID_LENGTH])
        if not dashboards.has(dashboard_id):
            yield spared(NO_CELL.broken(VIEWS, dashboard_id, mend=deleting((VIEWS, key))))
        elif not can_decode(document, VIEW):
            yield BAD_VIEW.broken(VIEWS, dashboard_id)
        elif dashboard_id in dashboards.known and key not in shown:
            yield LEFT_VIEW.broken(VIEWS, dashboard_id)


def _cells(document: bytes) -> list[Id | None]:
    """Read the IDs of the cells of a dashboard; what is no list of cells has none."""
    try:
        stored = decode_fields(document).get(fold("cells"))
        cells = msgspec.json.decode(bytes(stored or b"null"), type=list[msgspec.Raw] | None)
        return [id_field(decode_fields(bytes(cell)), "id") for cell in cells or ()]
    except (msgspec.MsgspecError, UndecodableError):
        return []


def _label_mappings(chart: Chart, labels: Population) -> Iterator[Finding]:
    named = {value for _, value in chart.tx.table("labelindexv1").items()}
    for key, document in chart.tx.table(LABEL_MAPPINGS).items():
        own = ids_of(document, "resourceID", "labelID")
        is_elsewhere = None not in own and key != f"{own[0]}{own[1]}".encode()
        parts = (key[:ID_LENGTH], key[ID_LENGTH:])
        if is_elsewhere or any(parse_id(part) is None for part in parts):
            yield _misplaced_mapping(key, document)
        elif not labels.has(text_of(key[ID_LENGTH:])):
            mend = deleting((LABEL_MAPPINGS, key))
            finding = UNLABELLED.broken(LABEL_MAPPINGS, key[:ID_LENGTH], mend=mend)
            yield spared(finding) if key[ID_LENGTH:] in named else finding


def _misplaced_mapping(key: bytes, document: bytes) -> Finding:
    resource_id, label_id = ids_of(document, "resourceID", "labelID")
    if resource_id is None or label_id is None:
        finding = BAD_MAPPING.broken(LABEL_MAPPINGS, mend=deleting((LABEL_MAPPINGS, key)))
        return replace(finding, is_on_request=True)
    mend = moving(LABEL_MAPPINGS, key, f"{resource_id}{label_id}".encode())
    return BAD_MAPPING.broken(LABEL_MAPPINGS, mend=mend)
