"""Mappings of 1.x databases and retention policies to buckets, with their indexes.

Lives here: the rules of I28. Must not live here: 1.x-compatible authorizations (`legacy`).

Source: spec influxdb-metadata sections 4.10, 13.2.
"""

from collections.abc import Iterator
from functools import partial
from typing import Final

import msgspec
from msgspec.structs import replace

from recovery.metastore.table import Table
from recovery.model.gojson import (
    Fields,
    decode_fields,
    fold,
    id_field,
    required_id_field,
    text_field,
)
from recovery.model.goshape import DBRP, require_decodable
from recovery.model.ids import Id
from recovery.services.doctor.chart import Chart, Population, text_of
from recovery.services.doctor.finding import (
    SPARED,
    Finding,
    Rule,
    Severity,
    deleting,
    putting,
    spared,
)
from recovery.services.doctor.indexes import IndexAudit, index_rules
from recovery.services.doctor.records import taking_org, well_kept, wrong_key

TABLE: Final = "dbrpv1"
BY_DATABASE: Final = "dbrpbyorganddbindexv1"
BY_ORG: Final = "dbrpbyorgv1"
DEFAULTS: Final = "dbrpdefaultv1"
LEVEL_BY_ORG: Final = 14
"""From this level on the second index is there and complete."""

UNDECODABLE: Final = Rule(
    number="I28",
    severity=Severity.MEDIUM,
    problem="is a DBRP mapping that cannot be understood",
    effect="listing DBRP mappings fails",
    remedy="repair cannot know what it was: make it again with influx v1 dbrp create",
)
WRONG_KEY: Final = wrong_key("I28", "a DBRP mapping", Severity.MEDIUM)
RULES: Final = UNDECODABLE, WRONG_KEY
NO_ORG: Final = Rule(
    number="I28",
    severity=Severity.MEDIUM,
    problem="is a DBRP mapping of an organization that does not exist",
    effect="nobody can use it",
    remedy="repair leaves it alone: the organization may come back with a backup",
)
NO_BUCKET: Final = Rule(
    number="I28",
    severity=Severity.MEDIUM,
    problem="is a DBRP mapping to a bucket that does not exist",
    effect="1.x requests for its database fail",
    remedy="repair cannot know which bucket is meant: influx v1 dbrp update or delete",
)
NO_NAME: Final = Rule(
    number="I28",
    severity=Severity.MEDIUM,
    problem="is a DBRP mapping without a database or a retention policy",
    effect="1.x requests for it fail",
    remedy="repair cannot know which was meant: influx v1 dbrp delete, and create it again",
)
INDEX: Final = index_rules(
    "I28",
    missing=(Severity.MEDIUM, "the DBRP mapping is not found by its database"),
    extra=(Severity.MEDIUM, "listing the DBRP mappings of that database may fail"),
)
NO_DEFAULT: Final = Rule(
    number="I28",
    severity=Severity.MEDIUM,
    problem="is a DBRP mapping of a database without a default",
    effect="the request dies of a null pointer on every listing that meets it, and on 1.x queries "
    "that name its database",
    remedy="repair makes one of them the default",
)
BAD_DEFAULT: Final = Rule(
    number="I28",
    severity=Severity.MEDIUM,
    problem="is the default of a database that has other DBRP mappings",
    effect="1.x requests for that database fail",
    remedy="repair makes one of them the default",
)
USELESS_DEFAULT: Final = Rule(
    number="I28",
    severity=Severity.LOW,
    problem="is the default of a database that has no DBRP mapping",
    effect="nothing",
    remedy=SPARED,
)


class _Dbrp(msgspec.Struct, frozen=True):
    id: Id
    org_id: Id | None
    bucket_id: Id | None
    database: str
    policy: str
    is_default: bool
    is_virtual: bool
    """A bucket's own mapping, stored by a PATCH of it, which makes no entry in the indexes."""

    @property
    def database_key(self) -> bytes:
        return f"{self.org_id}{self.database}".encode("utf-8", "surrogateescape")

    def entry(self, key: bytes) -> bytes:
        """Give the entry by database of a mapping with this ID."""
        return self.database_key + b"/" + key


def examine_dbrp(chart: Chart) -> Iterator[Finding]:
    """Look at DBRP mappings, their indexes and defaults, after organizations and buckets."""
    population = Population()
    adopt = taking_org(TABLE, chart, lambda document: _decode(document).org_id)
    by_database = IndexAudit(chart.tx.table(BY_DATABASE), TABLE, INDEX, adopt=adopt)
    by_org = IndexAudit(chart.tx.table(BY_ORG), TABLE, INDEX, adopt=adopt)
    databases: dict[bytes, list[_Dbrp]] = {}
    homeless: set[str] = set()
    named = partial(_is_named, chart.tx.table(BY_DATABASE))
    for found in well_kept(TABLE, chart, population, _decode, RULES, DBRP, named):
        if isinstance(found, Finding):
            yield found
            continue
        key, dbrp = found
        has_org = chart.orgs.has(dbrp.org_id)
        is_indexed = named(dbrp, key)
        if has_org:
            databases.setdefault(dbrp.database_key, []).append(dbrp)
        else:
            homeless.add(dbrp.id)
        if not dbrp.is_virtual:
            in_org = f"{dbrp.org_id}/{dbrp.id}".encode()
            if has_org or is_indexed:
                by_database.want(dbrp.entry(key), key)
            if has_org or chart.tx.table(BY_ORG).get(in_org) == key:
                by_org.want(in_org, key)
        yield from _record(chart, dbrp, has_org=has_org, is_indexed=is_indexed)
    yield from by_database.findings(population)
    if chart.level >= LEVEL_BY_ORG:
        yield from by_org.findings(population)
    yield from _defaults(chart, databases, population, homeless)


def _record(chart: Chart, dbrp: _Dbrp, *, has_org: bool, is_indexed: bool) -> Iterator[Finding]:
    if not (dbrp.database and dbrp.policy):
        yield NO_NAME.broken(TABLE, dbrp.id)
    if not has_org:
        # influxd leaves it where it deletes the organization and not the bucket.
        yield replace(NO_ORG, is_advice=is_indexed).broken(TABLE, dbrp.id)
    elif not chart.buckets.has(dbrp.bucket_id):
        # influxd leaves a bucket's own mapping where it deletes the bucket.
        yield replace(NO_BUCKET, is_advice=dbrp.is_virtual).broken(TABLE, dbrp.id)


def _is_named(by_database: Table, dbrp: _Dbrp, key: bytes) -> bool:
    return by_database.get(dbrp.entry(key)) == key


def _defaults(
    chart: Chart,
    databases: dict[bytes, list[_Dbrp]],
    population: Population,
    homeless: set[str],
) -> Iterator[Finding]:
    table = chart.tx.table(DEFAULTS)
    if not table.is_there or not population.is_there:
        return
    for key, value in table.items():
        mappings = databases.pop(key, [])
        if text_of(value) in population.opaque or text_of(value) in homeless:
            continue
        if not mappings:
            yield spared(USELESS_DEFAULT.broken(DEFAULTS, value, mend=deleting((DEFAULTS, key))))
        elif value not in {one.id.encode() for one in mappings}:
            chosen, remedy = _chosen(mappings)
            mend = putting(DEFAULTS, key, chosen.id.encode())
            yield BAD_DEFAULT.broken(DEFAULTS, value, mend=mend, remedy=remedy)
    for key, mappings in databases.items():
        chosen, remedy = _chosen(mappings)
        mend = putting(DEFAULTS, key, chosen.id.encode())
        yield NO_DEFAULT.broken(TABLE, chosen.id, mend=mend, remedy=remedy)


def _chosen(mappings: list[_Dbrp]) -> tuple[_Dbrp, str]:
    """Choose the default of a database, and say why this one.

    influxd marks a mapping that is made as default, and never takes the mark away from the one that
    was it before; where the default goes, the first in the index follows it.
    Source: InfluxDB v2.9.1 dbrp/service.go (Create, Update, getFirstBut).
    """
    marked = [one for one in mappings if one.is_default]
    if not marked:
        chosen = min(mappings, key=lambda one: one.id)
        return chosen, "repair makes the oldest of them the default, as influxd would"
    chosen = max(marked, key=lambda one: one.id)
    if len(marked) == 1:
        return chosen, "repair makes the mapping that is marked as default the default"
    return chosen, (
        f"repair makes {chosen.id} the default, the newest of {len(marked)} that are marked as "
        "default; if another one is meant, influx v1 dbrp update --default"
    )


def _decode(document: bytes) -> _Dbrp:
    require_decodable(document, DBRP)
    fields = decode_fields(document)
    return _Dbrp(
        id=required_id_field(fields, "id"),
        org_id=id_field(fields, "orgID") or id_field(fields, "organization_id"),
        bucket_id=_bucket_id(fields),
        database=text_field(fields, "database"),
        policy=text_field(fields, "retention_policy"),
        is_default=_is_true(fields, "default"),
        is_virtual=_is_true(fields, "virtual") and _bucket_id(fields) == id_field(fields, "id"),
    )


def _bucket_id(fields: Fields) -> Id | None:
    return id_field(fields, "bucketID") or id_field(fields, "bucket_id")


def _is_true(fields: Fields, name: str) -> bool:
    stored = fields.get(fold(name))
    return stored is not None and bytes(stored) == b"true"
