"""1.x-compatible authorizations, their names and passwords.

Lives here: the rules of I29. Must not live here: API tokens (`authorizations`).

Source: spec influxdb-metadata sections 4.7, 13.2.
"""

from collections.abc import Iterator
from typing import Final

from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import ACTIVE, INACTIVE, Authorization, decode_authorization
from recovery.model.gojson import UndecodableError
from recovery.model.password import is_password_hash
from recovery.services.doctor.authorizations import key_of
from recovery.services.doctor.chart import Chart, Population, text_of
from recovery.services.doctor.finding import Finding, Rule, Severity, deleting, spared
from recovery.services.doctor.indexes import Adoption, IndexAudit, index_rules

TABLE: Final = "legacy/authorizationsv1"
INDEX: Final = "legacy/authorizationindexv1"
PASSWORDS: Final = "legacy/authorizationPasswordv1"

UNDECODABLE: Final = Rule(
    number="I29",
    severity=Severity.HIGH,
    problem="is a 1.x authorization that cannot be understood",
    effect="listing them fails as a whole",
    remedy="repair cannot know what it was: restore a backup of the store",
)
WRONG_KEY: Final = Rule(
    number="I29",
    severity=Severity.HIGH,
    problem="is a 1.x authorization whose key is not its ID",
    effect="listed, and not found by its ID",
    remedy="repair cannot know which of the two is right",
)
ODD_STATUS: Final = Rule(
    number="I29",
    severity=Severity.MEDIUM,
    problem="is a 1.x authorization with a status that is neither active nor inactive",
    effect="refused, and the record cannot be changed",
    remedy="decide which of the two it is",
    operations=("v1-auth set-active", "v1-auth set-inactive"),
)
NO_USER: Final = Rule(
    number="I29",
    severity=Severity.HIGH,
    problem="is a 1.x authorization of a user that does not exist",
    effect="refused, and the API does not list it",
    remedy="repair leaves it alone: restore the user, or delete it",
    operations=("v1-auth delete",),
)
NO_ORG: Final = Rule(
    number="I29",
    severity=Severity.HIGH,
    problem="is a 1.x authorization of an organization that does not exist",
    effect="the API does not list it",
    remedy="repair leaves it alone: delete it",
    operations=("v1-auth delete",),
)
NO_NAME: Final = Rule(
    number="I29",
    severity=Severity.LOW,
    problem="is a 1.x authorization without a user name",
    effect="nobody can use it",
    remedy="repair takes it from the index, where just one entry leads to it; else delete it",
    operations=("v1-auth delete",),
)
NAMES: Final = index_rules(
    "I29",
    missing=(Severity.HIGH, "the 1.x user cannot log in"),
    extra=(Severity.MEDIUM, "no new 1.x authorization can have that name"),
    foreign=(Severity.HIGH, "that name logs in as another 1.x user"),
    is_used=True,
)
TAKES_NAME: Final = "repair gives it the user name of that entry, by which it logs in"
TAKES_OTHER_NAME: Final = (
    "repair leaves it alone, because that name logs in: asked for it, repair gives it that name"
)
ORPHAN_PASSWORD: Final = Rule(
    number="I29",
    severity=Severity.LOW,
    problem="is a password of a 1.x authorization that does not exist",
    effect="nothing",
    remedy="repair removes it",
)
BAD_PASSWORD: Final = Rule(
    number="I29",
    severity=Severity.HIGH,
    problem="is a password hash that cannot be one",
    effect="the 1.x user cannot log in",
    remedy="set a new one",
    operations=("v1-auth set-password",),
)
NO_PASSWORD: Final = Rule(
    number="I29",
    severity=Severity.MEDIUM,
    problem="is a 1.x authorization without a password",
    effect="the 1.x user cannot log in",
    remedy="set one, unless that is meant",
    operations=("v1-auth set-password",),
    is_advice=True,
)


def examine_legacy(chart: Chart) -> Iterator[Finding]:
    """Look at 1.x-compatible authorizations.

    Args:
        chart: The store, after its users and organizations.
    """
    table = chart.tx.table(TABLE)
    population = Population(is_there=chart.has_records(TABLE))
    index = chart.tx.table(INDEX)
    audit = IndexAudit(index, TABLE, NAMES, adopt=lambda *place: _adopting(chart, *place))
    for key, document in table.items():
        try:
            authorization = decode_authorization(document)
            authorization.permissions()
        except UndecodableError:
            population.opaque.add(text_of(key))
            yield UNDECODABLE.broken(TABLE, key)
            continue
        if key != authorization.id.encode():
            population.opaque.update((text_of(key), authorization.id))
            yield WRONG_KEY.broken(TABLE, key)
            continue
        population.known.add(authorization.id)
        if authorization.token is not None:
            audit.want(key_of(authorization.token), key)
        yield from _record(chart, authorization)
    yield from audit.findings(population)
    yield from _passwords(chart, population)


def _record(chart: Chart, authorization: Authorization) -> Iterator[Finding]:
    if authorization.status not in {ACTIVE, INACTIVE, ""}:
        yield ODD_STATUS.broken(TABLE, authorization.id)
    if authorization.token is None:
        yield NO_NAME.broken(TABLE, authorization.id)
    if not chart.users.has(authorization.user_id):
        yield NO_USER.broken(TABLE, authorization.id)
    if not chart.orgs.has(authorization.org_id):
        yield NO_ORG.broken(TABLE, authorization.id)
    if chart.tx.table(PASSWORDS).get(authorization.id.encode()) is None:
        yield NO_PASSWORD.broken(TABLE, authorization.id)


def _adopting(chart: Chart, key: bytes, entry: bytes) -> Adoption | None:
    """Give a 1.x authorization the user name by which it logs in."""
    authorization = decode_authorization(chart.tx.table(TABLE).get(key) or b"")
    try:
        name = entry.decode()
    except UnicodeDecodeError:
        return None

    def rename(tx: MetaTx) -> None:
        now = decode_authorization(tx.table(TABLE).get(key) or b"")
        tx.table(TABLE).put(key, now.rewritten({"token": name}))

    has_name = authorization.token is not None
    remedy = TAKES_OTHER_NAME if has_name else TAKES_NAME
    return Adoption(mend=rename, remedy=remedy, is_on_request=has_name)


def _passwords(chart: Chart, population: Population) -> Iterator[Finding]:
    for key, stored in chart.tx.table(PASSWORDS).items():
        if not population.has(text_of(key)):
            finding = ORPHAN_PASSWORD.broken(PASSWORDS, key, mend=deleting((PASSWORDS, key)))
            yield spared(finding) if population.is_blank else finding
        elif not is_password_hash(stored):
            yield BAD_PASSWORD.broken(PASSWORDS, key)
