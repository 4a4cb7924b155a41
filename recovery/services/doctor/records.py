"""What records of several kinds have in common: how they are read, named, and protected.

Lives here: the walk over records that are under their ID, and the rules and mends that more than
one kind has. Must not live here: what only one kind can have.
"""

from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Final, TypeVar

from msgspec.structs import replace

from recovery.metastore.table import Identified
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import Authorization
from recovery.model.gojson import (
    UndecodableError,
    decode_fields,
    id_field,
    patched,
)
from recovery.model.goshape import Shape, can_decode, readable
from recovery.model.ids import ID_LENGTH, Id, parse_id
from recovery.model.organization import Organization
from recovery.model.password import is_password_hash
from recovery.model.user import User
from recovery.services.doctor.chart import Chart, Population, text_of
from recovery.services.doctor.finding import (
    SPARED,
    Finding,
    Rule,
    Severity,
    deleting,
    moving,
    putting,
    spared,
)
from recovery.services.doctor.indexes import Adoption

NO_SHAPE: Final[Shape] = {}
FIELDS: Final = ("id", "orgID")
OTHER_ORG: Final = "repair puts the organization back that its index names"
READABLE: Final = (
    "repair puts its ID back, which its key says, and takes those texts and times out that cannot "
    "be read and that nothing depends on"
)
TAKES_KEY: Final = "repair gives it the ID that its key says, as the index does"
TAKES_ID: Final = "repair puts it under its ID, as the index does"
CAPITALS: Final = "is a password under an ID in capitals"
LISTS_FAIL: Final = "each list of its kind that would show it ends with 400"
BY_ITS_ID: Final = "give it another name, with its ID in the place of the first NAME"


RecordT = TypeVar("RecordT", bound=Identified)
NamedT = TypeVar("NamedT", bound=Authorization | Organization | User)


def undecodable(number: str, what: str, effect: str, severity: Severity = Severity.HIGH) -> Rule:
    """Write down the rule that a server can decode a record; `what` is it with its article."""
    return Rule(
        number=number,
        severity=severity,
        problem=f"is {what} that cannot be understood",
        effect=effect,
        remedy="repair cannot know what it was: restore a backup of the store",
    )


def wrong_key(
    number: str,
    what: str,
    severity: Severity = Severity.HIGH,
    effect: str = "listed, and not found by its ID",
) -> Rule:
    """Write down the rule that a record is under its ID; `what` is it with its article."""
    return Rule(
        number=number,
        severity=severity,
        problem=f"is {what} whose key is not its ID",
        effect=effect,
        remedy="repair cannot know which of the two is right",
    )


def hard_name(number: str, what: str, operation: str, remedy: str) -> Rule:
    """Write down the rule that a name can be read; `what` is what has it, with its article."""
    return Rule(
        number=number,
        severity=Severity.LOW,
        problem=f"is {what} whose name has characters that cannot be seen",
        effect="it is not found by the name that one reads and types",
        remedy=remedy,
        operations=(operation,),
        is_advice=True,
    )


def unreadable(rule: Rule, table: str, key: bytes, document: bytes, shape: Shape) -> Finding:
    """Give the finding that a server cannot decode a record, with a mend where little is wrong."""
    record_id = parse_id(key)
    fixed = None if record_id is None else readable(document, shape, record_id)
    if fixed is None:
        return rule.broken(table, key)
    mend = putting(table, key, fixed)
    kind = replace(rule, is_on_request=False, operations=())
    return kind.broken(table, key, mend=mend, remedy=READABLE)


def well_kept(
    table: str,
    chart: Chart,
    population: Population,
    decode: Callable[[bytes], RecordT],
    rules: tuple[Rule, Rule],
    shape: Shape,
    is_named: Callable[[RecordT, bytes], bool] | None = None,
) -> Iterator[tuple[bytes, RecordT] | Finding]:
    """Walk the records of a bolt bucket.

    Args:
        population: Learns which there are.
        rules: That a record can be decoded, and that it is under its ID.
        shape: What a server decodes it into.
        is_named: Tells of a record and an ID whether the index has the record by that ID.

    Yields:
        Key and record of each that is, and a finding for each that is not.
    """
    population.is_there = chart.has_records(table)
    for key, document in chart.tx.table(table).items():
        try:
            record = decode(document)
        except UndecodableError:
            population.opaque.add(text_of(key))
            finding = unreadable(rules[0], table, key, document, shape)
            # Go takes it for one whose ID is zero.
            is_bare = shape is not NO_SHAPE and can_decode(document, shape)
            yield replace(finding, effect=LISTS_FAIL) if is_bare else finding
            continue
        if key != record.id.encode():
            population.opaque.update((text_of(key), record.id))
            named = partial(is_named, record) if is_named is not None else _never
            yield misplaced(rules[1], chart.tx, table, key, record.id, named)
            continue
        population.known.add(record.id)
        yield key, record


def _never(_key: bytes) -> bool:
    return False


def misplaced(
    rule: Rule,
    tx: MetaTx,
    table: str,
    key: bytes,
    record_id: Id,
    is_named: Callable[[bytes], bool],
) -> Finding:
    """Give the finding that a record is not under its ID; an index tells which is right.

    Args:
        is_named: Tells of an ID whether the index has the record by it.
    """
    own, records = record_id.encode(), tx.table(table)
    if is_named(own) and not is_named(key) and not records.has(own):
        mend = moving(table, key, own)
        return rule.broken(table, key, mend=mend, remedy=TAKES_ID)
    if is_named(key) and not is_named(own) and parse_id(key) is not None:
        fixed = patched(records.get(key) or b"", {"id": text_of(key)}, order=FIELDS)
        return rule.broken(table, key, mend=putting(table, key, fixed), remedy=TAKES_KEY)
    return rule.broken(table, key)


def ids_of(document: bytes, *names: str) -> list[Id | None]:
    """Read IDs of a record, which has none of them where it cannot be decoded."""
    try:
        fields = decode_fields(document)
        return [id_field(fields, name) for name in names]
    except UndecodableError:
        return [None] * len(names)


def naming(
    table: str,
    chart: Chart,
    decode: Callable[[bytes], NamedT],
    has_name: Callable[[NamedT], bool],
    remedies: tuple[str, str],
    *,
    field: str = "name",
) -> Callable[[bytes, bytes], Adoption | None]:
    """Make what gives a record the name by which its index finds it, as `IndexAudit` takes it.

    Args:
        has_name: Tells of a record whether it has another one, which is replaced on request only.
        remedies: What is done where it has none, and where it has one.
    """

    def adopt(key: bytes, entry: bytes) -> Adoption | None:
        try:
            name = entry.decode()
        except UnicodeDecodeError:
            return None

        def rename(tx: MetaTx) -> None:
            now = decode(tx.table(table).get(key) or b"")
            tx.table(table).put(key, now.rewritten({field: name}))

        is_other = has_name(decode(chart.tx.table(table).get(key) or b""))
        return Adoption(mend=rename, remedy=remedies[is_other], is_on_request=is_other)

    return adopt


def taking_org(
    table: str,
    chart: Chart,
    org_of: Callable[[bytes], str | None],
    *,
    encode: Callable[[str], str] = str,
) -> Callable[[bytes, bytes], Adoption | None]:
    """Make what gives a record of no organization the one of its entry, as `IndexAudit` takes it.

    Args:
        encode: Writes the ID of an organization as a record has it.
    """

    def adopt(key: bytes, entry: bytes) -> Adoption | None:
        org_id = text_of(entry[:ID_LENGTH])
        if chart.orgs.has(org_of(chart.tx.table(table).get(key) or b"")):
            return None
        if org_id not in chart.orgs.known:
            return None

        def put_back(tx: MetaTx) -> None:
            document = tx.table(table).get(key) or b""
            tx.table(table).put(key, patched(document, {"orgID": encode(org_id)}, order=FIELDS))

        return Adoption(mend=put_back, remedy=OTHER_ORG, is_on_request=False)

    return adopt


def password_rules(number: str, whose: str, effect: str, operation: str) -> tuple[Rule, Rule]:
    """Write down the rules that passwords have an owner, and are hashes, which `operation` sets."""
    return (
        Rule(
            number=number,
            severity=Severity.LOW,
            problem=f"is a password of {whose} that does not exist",
            effect="nothing",
            remedy=SPARED,
        ),
        Rule(
            number=number,
            severity=Severity.HIGH,
            problem="is a password hash that cannot be one",
            effect=effect,
            remedy="set a new one",
            operations=(operation,),
        ),
    )


def passwords(
    table: str,
    chart: Chart,
    owners: Population,
    rules: tuple[Rule, Rule],
    lost: Collection[str] = (),
) -> Iterator[Finding]:
    """Look at passwords of users or 1.x authorizations; what is left of the lost is spared."""
    for key, stored in chart.tx.table(table).items():
        own = key.lower()
        if own != key and owners.has(text_of(own)) and not chart.tx.table(table).has(own):
            mend = moving(table, key, own)
            finding = rules[0].broken(table, key, mend=mend, problem=CAPITALS, remedy=TAKES_ID)
            finding = replace(finding, severity=rules[1].severity, effect=rules[1].effect)
            yield replace(finding, is_advice=False, is_on_request=False)
        elif not owners.has(text_of(key)):
            finding = rules[0].broken(table, key, mend=deleting((table, key)))
            is_debris = finding.is_advice and finding.id not in lost
            yield finding if is_debris else spared(finding)
        elif not is_password_hash(stored):
            yield rules[1].broken(table, key)
