"""Who owns or belongs to what, and the index by user.

Lives here: the rules I19 to I22. Must not live here: what a mapping permits.

Source: spec influxdb-metadata sections 4.5, 13.2.
"""

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from recovery.model.gojson import UndecodableError
from recovery.model.ids import ID_LENGTH
from recovery.model.mapping import (
    INSTANCE,
    INSTANCE_ID,
    ORGS,
    OWNER,
    RESOURCE_TABLES,
    Mapping,
    by_user_key,
    decode_mapping,
    is_passed_over,
    mapping_key,
)
from recovery.model.permission import ALL_TYPES
from recovery.services.doctor.chart import Chart, Population, text_of
from recovery.services.doctor.finding import SPARED, Finding, Rule, Severity, deleting, spared
from recovery.services.doctor.indexes import IndexAudit, index_rules

TABLE: Final = "userresourcemappingsv1"
INDEX: Final = "userresourcemappingsbyuserindexv1"
KNOWN_TYPES: Final = frozenset({*ALL_TYPES, INSTANCE})

UNDECODABLE: Final = Rule(
    number="I19",
    severity=Severity.HIGH,
    problem="is a membership that cannot be understood",
    effect="every session of that user fails",
    remedy="repair leaves it alone, because it cannot know which role it was: ask for its removal "
    "by this number, and make it again",
    operations=("org add-member", "org add-owner"),
    is_on_request=True,
)
WRONG_KEY: Final = Rule(
    number="I19",
    severity=Severity.MEDIUM,
    problem="is a membership whose key is not made of its IDs",
    effect="it cannot be removed, and may have no effect",
    remedy="repair cannot know which of the two is right",
)
ODD_RESOURCE: Final = Rule(
    number="I19",
    severity=Severity.LOW,
    problem="is a membership in a type of resource that is not known",
    effect="nothing",
    remedy="repair leaves it alone: a newer server may know the type",
)
NO_USER: Final = Rule(
    number="I19",
    severity=Severity.LOW,
    problem="is a membership of a user that does not exist",
    effect="listing the members of that resource fails with 404",
    remedy=SPARED,
)
NO_RESOURCE: Final = Rule(
    number="I20",
    severity=Severity.LOW,
    problem="is a membership in something that does not exist",
    effect="nothing",
    remedy=SPARED,
)
BY_USER: Final = index_rules(
    "I21",
    missing=(Severity.HIGH, "the user lacks the rights of that membership"),
    extra=(Severity.LOW, "influxd ignores the entry"),
)
IGNORED: Final = "influxd passes it over, and nobody has that role"
LOST: Final = "names a membership whose record is lost"
LOST_REMEDY: Final = (
    "repair leaves it alone, because nothing else tells of that membership, and it cannot know "
    "which role it was: make it again"
)
NO_OWNER: Final = Rule(
    number="I22",
    severity=Severity.HIGH,
    problem="is an organization without an owner who is active",
    effect="nobody can administer it in the user interface",
    remedy="name one",
    operations=("org add-owner",),
    is_advice=True,
)
NO_INSTANCE_OWNER: Final = Rule(
    number="I22",
    severity=Severity.HIGH,
    problem="has no owner of the instance",
    effect="nobody can administer all organizations in the user interface of 2.4 and later; stores "
    "set up by older servers are so",
    remedy="name one",
    operations=("instance add-owner",),
    is_advice=True,
)


def examine_mappings(chart: Chart) -> Iterator[Finding]:
    """Look at memberships and their index, after users, organizations and buckets."""
    table = chart.tx.table(TABLE)
    known = Population(is_there=chart.has_records(TABLE))

    def orphan(key: bytes, finding: Finding) -> Finding:
        return _lost(spared(finding)) if _is_wanted(chart, key) else spared(finding)

    audit = IndexAudit(chart.tx.table(INDEX), TABLE, BY_USER, orphan=orphan)
    for key, document in table.items():
        try:
            mapping = decode_mapping(document)
        except UndecodableError:
            known.opaque.add(text_of(key))
            entry = key[ID_LENGTH:] + b"/" + key
            mend = deleting((TABLE, key), (INDEX, entry))
            finding = UNDECODABLE.broken(TABLE, key[ID_LENGTH:], mend=mend)
            is_ignored = is_passed_over(document)
            yield replace(finding, effect=IGNORED) if is_ignored else finding
            continue
        own_key = mapping_key(mapping.resource_id, mapping.user_id)
        if key != own_key:
            known.opaque.update((text_of(key), text_of(own_key)))
            yield WRONG_KEY.broken(TABLE, mapping.user_id)
            continue
        known.known.add(text_of(key))
        audit.want(by_user_key(mapping.resource_id, mapping.user_id), key)
        yield from _mapping(chart, mapping)
    yield from audit.findings(known)
    yield from _owners(chart)


def _is_wanted(chart: Chart, key: bytes) -> bool:
    """Tell whether a lost membership was one of a user in something that are both there.

    A server that removes a membership, a user or an organization removes its entry as well.
    """
    resource_id, user_id = text_of(key[:ID_LENGTH]), text_of(key[ID_LENGTH:])
    is_there = chart.orgs.has(resource_id) or chart.buckets.has(resource_id)
    return chart.users.has(user_id) and (is_there or resource_id == INSTANCE_ID)


def _lost(finding: Finding) -> Finding:
    return replace(
        finding,
        severity=Severity.HIGH,
        problem=LOST,
        effect=BY_USER.missing.effect,
        remedy=LOST_REMEDY,
        operations=UNDECODABLE.operations,
    )


def _mapping(chart: Chart, mapping: Mapping) -> Iterator[Finding]:
    key = mapping_key(mapping.resource_id, mapping.user_id)
    entry = by_user_key(mapping.resource_id, mapping.user_id)
    mend = deleting((TABLE, key), (INDEX, entry))
    if mapping.resource_type not in KNOWN_TYPES:
        yield ODD_RESOURCE.broken(TABLE, mapping.user_id)
    if not chart.users.has(mapping.user_id):
        yield spared(NO_USER.broken(TABLE, mapping.user_id, mend=mend))
    elif not _resource_exists(chart, mapping):
        yield spared(NO_RESOURCE.broken(TABLE, mapping.user_id, mend=mend))
    elif mapping.user_type == OWNER and mapping.user_id not in chart.inactive_users:
        if mapping.resource_type == ORGS:
            chart.owners.add(mapping.resource_id)
        elif mapping.resource_type == INSTANCE and mapping.resource_id == INSTANCE_ID:
            chart.has_instance_owner = True


def _resource_exists(chart: Chart, mapping: Mapping) -> bool:
    populations = {ORGS: chart.orgs, "buckets": chart.buckets, "users": chart.users}
    population = populations.get(mapping.resource_type)
    if population is not None:
        return population.has(mapping.resource_id)
    name = RESOURCE_TABLES.get(mapping.resource_type)
    if name is None:
        return True
    return not chart.has_records(name) or chart.tx.table(name).has(mapping.resource_id.encode())


def _owners(chart: Chart) -> Iterator[Finding]:
    for org_id in sorted(chart.orgs.known - chart.owners):
        yield NO_OWNER.broken("organizationsv1", org_id)
    if chart.knows_instance and chart.users.known and not chart.has_instance_owner:
        yield NO_INSTANCE_OWNER.broken(TABLE)
