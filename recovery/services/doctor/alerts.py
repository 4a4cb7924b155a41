"""Checks, notification rules and scrapers: what they name, and what their scripts are made of.

Lives here: those rules of I32. Must not live here: whether a record can be decoded and is in its
index (`others`), tasks as such (`tasks`).

Source: spec influxdb-metadata section 4.11; InfluxDB v2.9.1 checks/service.go,
notification/rule/service/service.go. What each fault does was seen with a real 2.9.1.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from msgspec.structs import replace

from recovery.model.gojson import (
    Fields,
    UndecodableError,
    decode_fields,
    fold,
    id_field,
    patched,
    text_field,
)
from recovery.services.doctor.chart import Chart
from recovery.services.doctor.finding import Finding, Rule, Severity, putting
from recovery.services.doctor.records import ids_of

CHECKS: Final = "checksv1"
ENDPOINTS: Final = "notificationEndpointv1"
RULES: Final = "notificationRulev1"
TASKS: Final = "tasksv1"
ENDPOINT_TYPES: Final = frozenset({"slack", "pagerduty", "http", "telegram"})
TYPES: Final = {
    RULES: ENDPOINT_TYPES,
    ENDPOINTS: ENDPOINT_TYPES,
    CHECKS: frozenset({"deadman", "threshold", "custom"}),
}
"""Source: InfluxDB v2.9.1 typeToRule, typeToEndpoint, typeToCheck of `notification`."""

UNSCRIPTED: Final = Rule(
    number="I32",
    severity=Severity.MEDIUM,
    problem="lacks a part of what its script is made of",
    effect="asking for its script ends with 500, and so does a change; its task runs as before",
    remedy="repair cannot know what it was: write all of it again, or delete it",
)
RULELESS: Final = Rule(
    number="I32",
    severity=Severity.MEDIUM,
    problem="is a task of a check or a notification rule that is lost",
    effect="it runs as before, and nothing leads to it",
    remedy="repair cannot make the other one again: restore a backup of the store, or delete the "
    "task by its ID",
)
ODD_TYPE: Final = Rule(
    number="I27",
    severity=Severity.MEDIUM,
    problem="is a task of a type that is none",
    effect="it runs, and the list of tasks is without it",
    remedy="repair makes it a task of its own, as no check and no notification rule names it",
)
OWN_TYPES: Final = frozenset({"", "system"})
"""Types of tasks that belong to no check and no rule. Source: InfluxDB v2.9.1 kv/task.go."""
DURATIONS: Final = ("every", "offset", "timeSince", "staleTime")
NEEDED: Final = {"threshold": {"every"}, "deadman": {"timeSince", "staleTime"}, RULES: {"every"}}
"""Durations without which a kind of check, or a rule, has no script."""
STRINGS: Final = re.compile(r'"(?:\\.|[^"\\])*"')
PAIRS: Final = ("()", "[]", "{}")


class _Reference(NamedTuple):
    """A field that names another record.

    Attributes:
        dangling: How bad it is when it is not there; None where influxd itself leaves that.
        elsewhere: How bad it is when that is of another organization; None where an index tells.
    """

    table: str
    field: str
    target: str
    dangling: Rule | None
    elsewhere: Rule | None


def _dangles(what: str, other: str, effect: str) -> Rule:
    return Rule(
        number="I32",
        severity=Severity.MEDIUM,
        problem=f"is a {what} whose {other} does not exist",
        effect=effect,
        remedy=f"repair cannot make it again: delete the {what}, and make it anew",
    )


def _is_elsewhere(what: str, other: str) -> Rule:
    return Rule(
        number="I32",
        severity=Severity.MEDIUM,
        problem=f"is a {what} of another organization than its {other}",
        effect="the lists of its organization are without it",
        remedy=f"repair gives it the organization of its {other}; asked for by this number, where "
        "the other one exists too",
    )


NEVER_RUNS: Final = "it is left out of lists, and never runs"
RULE_NAME: Final = "notification rule"
REFERENCES: Final = (
    _Reference(CHECKS, "taskID", TASKS, _dangles("check", "task", NEVER_RUNS), None),
    _Reference(
        RULES, "taskID", TASKS, _dangles(RULE_NAME, "task", NEVER_RUNS),
        _is_elsewhere(RULE_NAME, "task"),
    ),
    _Reference(
        RULES, "endpointID", ENDPOINTS, _dangles(RULE_NAME, "endpoint", "it notifies nobody"), None
    ),
    _Reference("scraperv2", "bucketID", "bucketsv1", None, _is_elsewhere("scraper", "bucket")),
)  # fmt: skip


def examine_alerts(chart: Chart) -> Iterator[Finding]:
    """Look at what checks, rules and scrapers name and need, after the organizations."""
    for reference in REFERENCES:
        yield from _dangling(chart, reference)
    yield from _unscripted(chart)
    yield from _ruleless(chart)


def _dangling(chart: Chart, reference: _Reference) -> Iterator[Finding]:
    """Look for records that name another one which is not there, or is of another organization."""
    name, field, target, dangling, elsewhere = reference
    if not chart.has_records(target):
        return  # that all of them are gone is a finding of its own
    for key, document in chart.tx.table(name).items():
        named, org_id = ids_of(document, field, "orgID")
        stored = None if named is None else chart.tx.table(target).get(named.encode())
        # A server that deletes an organization leaves all of them, and nobody sees them.
        is_seen = org_id is None or chart.orgs.has(org_id)
        home = None if stored is None else ids_of(stored, "orgID")[0]
        if is_seen and stored is None and org_id is not None and dangling is not None:
            is_left = target == ENDPOINTS and named is not None  # influxd deletes them unasked
            yield replace(dangling, is_advice=is_left).broken(name, key)
        if is_seen and dangling is None:
            continue  # influxd takes a bucket of any organization
        if elsewhere is not None and home in chart.orgs.known and org_id not in {None, home}:
            fixed = patched(document, {"orgID": home}, order=())
            finding = elsewhere.broken(name, key, mend=putting(name, key, fixed))
            yield replace(finding, is_on_request=is_seen)


def _unscripted(chart: Chart) -> Iterator[Finding]:
    """Look for checks and rules that lack what their script is made of."""
    endpoints = chart.tx.table(ENDPOINTS)
    for name in (CHECKS, RULES):
        for key, document in chart.tx.table(name).items():
            try:
                fields = decode_fields(document)
                kind = text_field(fields, "type")
                endpoint_id = id_field(fields, "endpointID")
                endpoint = endpoints.get((endpoint_id or "").encode())
                is_made = name == CHECKS or endpoint is None or kind == _type_of(endpoint)
                is_made = is_made and _has_parts(fields, kind if name == CHECKS else RULES)
            except UndecodableError:
                continue
            if kind in TYPES[name] and not is_made:
                yield UNSCRIPTED.broken(name, key)


def _ruleless(chart: Chart) -> Iterator[Finding]:
    """Look for tasks of checks and rules that are not there, which influxd deletes with them.

    A task of no known type is listed nowhere.
    """
    if not all(chart.has_records(name) for name in (CHECKS, RULES)):
        return
    types = TYPES[CHECKS] | TYPES[RULES]
    named: set[str | None] = set()
    for name in (CHECKS, RULES):
        named.update(ids_of(document, "taskID")[0] for _, document in chart.tx.table(name).items())
    if None in named:
        return  # what cannot be understood may name any of them
    for key, document in chart.tx.table(TASKS).items():
        task_id, org_id = ids_of(document, "id", "orgID")
        if task_id in named or org_id not in chart.orgs.known:
            continue
        kind = text_field(decode_fields(document), "type")
        if kind in types:
            yield RULELESS.broken(TASKS, key)
        elif kind not in OWN_TYPES:
            mend = putting(TASKS, key, patched(document, {"type": "system"}, order=()))
            yield ODD_TYPE.broken(TASKS, key, mend=mend)


def _type_of(document: bytes) -> str:
    return text_field(decode_fields(document), "type")


def _has_parts(fields: Fields, kind: str) -> bool:
    """Tell whether a check has its durations, and a query that ends.

    Source: InfluxDB v2.9.1 notification/check/threshold.go, deadman.go (GenerateFluxAST).
    """
    missing = {name for name in DURATIONS if bytes(fields.get(fold(name), b"null")) == b"null"}
    empty = {name for name in DURATIONS if bytes(fields.get(fold(name), b"")) == b'""'}
    if empty or missing & NEEDED.get(kind, set()):
        return False
    if kind not in {"threshold", "deadman"}:
        return True
    query = fields.get(fold("query"))
    text = "" if query is None else text_field(decode_fields(bytes(query)), "text")
    if kind == "threshold" and "_field" not in text:
        return False
    rest = STRINGS.sub("", text)
    is_plain = "/" not in rest  # neither a comment nor a regular expression
    is_paired = '"' not in rest and all(rest.count(one[0]) == rest.count(one[1]) for one in PAIRS)
    return is_paired or not is_plain
