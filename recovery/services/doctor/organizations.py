"""Organizations, and the index of their names.

Lives here: the rules I14, I17 and I18. Must not live here: buckets (`buckets`), members
(`mappings`).

Source: spec influxdb-metadata sections 4.3, 4.4, 4.8, 13.2.
"""

from collections.abc import Iterator
from functools import partial
from typing import Final

from msgspec.structs import replace

from recovery.metastore.table import Table
from recovery.metastore.transaction import MetaTx
from recovery.model.bucket import SYSTEM_BUCKETS, TYPE_SYSTEM, SystemBucket
from recovery.model.display import is_typeable
from recovery.model.gojson import format_time
from recovery.model.goshape import ORGANIZATION
from recovery.model.ids import ID_LENGTH, parse_id
from recovery.model.organization import (
    Organization,
    decode_organization,
    encode_organization,
    index_name,
)
from recovery.services.doctor.chart import Chart, as_id, text_of
from recovery.services.doctor.finding import (
    DEBRIS,
    Finding,
    Mend,
    Rule,
    Severity,
    putting,
    spared,
)
from recovery.services.doctor.indexes import Adoption, IndexAudit, index_rules
from recovery.services.doctor.records import (
    BY_ITS_ID,
    hard_name,
    naming,
    undecodable,
    well_kept,
    wrong_key,
)
from recovery.services.doctor.servers import FROM_2_5
from recovery.services.doctor.startup import TASKS_BUCKET
from recovery.services.tenancy.writing import BucketWish, write_bucket

TABLE: Final = "organizationsv1"
INDEX: Final = "organizationindexv1"

UNDECODABLE: Final = undecodable(
    "I14", "an organization", "left out of lists, and an error when asked for"
)
WRONG_KEY: Final = wrong_key("I14", "an organization")
NO_NAME: Final = Rule(
    number="I14",
    severity=Severity.HIGH,
    problem="is an organization without a name",
    effect="not found by name",
    remedy="repair takes it from the index, where just one entry leads to it; else give it one",
    operations=("org rename",),
)
HARD_NAME: Final = hard_name("I14", "an organization", "org rename", BY_ITS_ID)
NAMES: Final = index_rules(
    "I14",
    missing=(Severity.HIGH, "not found by name, also by clients that write with org="),
    extra=(Severity.HIGH, "no new organization can have that name, and asking for it gives 404"),
    is_used=True,
)
TAKES_NAME: Final = "repair gives the organization the name of that entry, by which it is found"
TAKES_OTHER_NAME: Final = (
    "repair leaves it alone, because the organization is found by that name: asked for "
    "it, repair gives it that name"
)
MAKES_AGAIN: Final = (
    "repair makes the organization again, with its ID and the name that the index has; its "
    "description is not there any more"
)
REPLACES: Final = (
    "repair makes the organization again, with its ID and the name that the index has; what its "
    "record had, the description too, is then in the backup only"
)
NO_SYSTEM_BUCKET: Final = Rule(
    number="I17",
    severity=Severity.MEDIUM,
    problem="is an organization without a system bucket",
    effect="runs of tasks, or statuses of checks, cannot be recorded",
    remedy="repair makes the bucket, with its entry in the engine's catalogue",
)
NO_CATALOGUE: Final = "repair cannot do it without the engine's catalogue"
NAME_TAKEN: Final = (
    "repair leaves it alone: that name leads to another bucket, which may be found by nothing "
    "else; see to that one first, which has a finding of its own"
)
OPEN_SETUP: Final = Rule(
    number="I18",
    severity=Severity.HIGH,
    problem="holds data, and no user and no organization that can be understood",
    effect="influxd takes it for new: anybody on the network can set it up and own it",
    remedy="repair cannot know who owned it: a user and an organization close it",
    operations=("user create", "org create"),
)
DATA_TABLES: Final = (
    "usersv1", "organizationsv1", "bucketsv1", "authorizationsv1", "tasksv1", "dashboardsv2",
)  # fmt: skip


def examine_organizations(chart: Chart) -> Iterator[Finding]:
    """Look at organizations and their names, which the chart learns."""
    remedies = TAKES_NAME, TAKES_OTHER_NAME
    adopt = naming(TABLE, chart, decode_organization, _has_name, remedies)
    with_buckets = {key[:ID_LENGTH] for key, _ in chart.tx.table("bucketindexv1").items()}

    def revive(org_id: bytes, entry: bytes) -> Adoption | None:
        # A server that deletes an organization takes its buckets along, and leaves its entry where
        # the name begins or ends with blanks.
        if org_id not in with_buckets or chart.tx.table(TABLE).has(org_id):
            return None
        made = _made_of(chart, org_id, entry)
        if made is not None:
            chart.orgs.opaque.add(text_of(org_id))
        return made

    def orphan(org_id: bytes, finding: Finding) -> Finding:
        if org_id in with_buckets:
            return spared(finding)
        return replace(finding, is_advice=True, is_on_request=True, remedy=DEBRIS)

    index = chart.tx.table(INDEX)
    audit = IndexAudit(index, TABLE, NAMES, adopt=adopt, orphan=orphan, revive=revive)
    rules, named = (UNDECODABLE, WRONG_KEY), partial(_is_named, index)

    for found in well_kept(
        TABLE, chart, chart.orgs, decode_organization, rules, ORGANIZATION, named
    ):
        if isinstance(found, Finding):
            yield _remaking(chart, found)
            continue
        key, org = found
        name = _name_key(org)
        if name:
            audit.want(name, key)
        else:
            yield NO_NAME.broken(TABLE, key)
        if not is_typeable(org.name):
            yield HARD_NAME.broken(TABLE, key)
    yield from audit.findings(chart.orgs)
    yield from _open_setup(chart)


def examine_system_buckets(chart: Chart) -> Iterator[Finding]:
    """Look whether each organization has its two system buckets, after all buckets."""
    if not chart.buckets.is_there:
        return
    for org_id in sorted(chart.orgs.known):
        for system in SYSTEM_BUCKETS:
            if org_id in chart.system_buckets.get(system.name, ()):
                continue
            entry = chart.tx.table("bucketindexv1").get(f"{org_id}{system.name}".encode())
            is_taken = entry is not None and text_of(entry) in chart.buckets.known
            can_mend = chart.can_extend_catalogue and not is_taken
            remedy = NAME_TAKEN if is_taken else None if can_mend else NO_CATALOGUE
            finding = NO_SYSTEM_BUCKET.broken(
                TABLE,
                org_id,
                mend=_making(chart, org_id, system) if can_mend else None,
                problem=f"is an organization without the system bucket {system.name}",
                remedy=remedy,
            )
            is_stuck = system.name == TASKS_BUCKET and chart.explain_stuck(org_id)
            yield chart.stopping(finding, FROM_2_5) if is_stuck else finding


def _made_of(chart: Chart, key: bytes, entry: bytes) -> Adoption | None:
    """Make an organization again, of its ID and its name in the index."""
    org_id, name = parse_id(key), entry.decode("utf-8", "surrogateescape")
    if org_id is None or not is_typeable(name) or not chart.tx.table(TABLE).is_there:
        return None
    now = format_time(chart.repairer.clock.now())
    document = encode_organization(org_id=org_id, name=name, description="", now=now)
    return Adoption(mend=putting(TABLE, key, document), remedy=MAKES_AGAIN, is_on_request=False)


def _remaking(chart: Chart, finding: Finding) -> Finding:
    """Make an organization that cannot be decoded again, if one entry leads to it."""
    if finding.mend is not None or finding.problem != UNDECODABLE.problem or finding.id is None:
        return finding
    key = finding.id.encode()
    entries = [entry for entry, value in chart.tx.table(INDEX).items() if value == key]
    made = _made_of(chart, key, entries[0]) if len(entries) == 1 else None
    return finding if made is None else replace(finding, mend=made.mend, remedy=REPLACES)


def _has_name(org: Organization) -> bool:
    return bool(index_name(org.name))


def _is_named(index: Table, org: Organization, org_id: bytes) -> bool:
    return index.get(_name_key(org)) == org_id


def _name_key(org: Organization) -> bytes:
    return index_name(org.name).encode("utf-8", "surrogateescape")


def _open_setup(chart: Chart) -> Iterator[Finding]:
    if chart.users.known or chart.orgs.known:
        return
    if any(not chart.tx.table(name).is_empty for name in DATA_TABLES):
        yield OPEN_SETUP.broken(TABLE)


def _making(chart: Chart, org_id: str, system: SystemBucket) -> Mend:
    wish = BucketWish(
        name=system.name,
        description=system.description,
        kind=TYPE_SYSTEM,
        retention_ns=system.retention_ns,
    )

    def make(tx: MetaTx) -> None:
        now = format_time(chart.repairer.clock.now())
        write_bucket(tx, wish, org_id=as_id(org_id), ids=chart.repairer.ids, now=now)

    return make
