"""1.x-compatible authorizations, their names and passwords.

Lives here: the rules of I29. Must not live here: API tokens (`authorizations`).

Source: spec influxdb-metadata sections 4.7, 13.2.
"""

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from recovery.model.authorization import ACTIVE, INACTIVE, Authorization, decode_authorization
from recovery.model.goshape import AUTHORIZATION as SHAPE
from recovery.services.doctor.authorizations import ODD_PERMISSION as OF_TOKENS
from recovery.services.doctor.authorizations import Judge, key_of
from recovery.services.doctor.chart import Chart, Population, text_of
from recovery.services.doctor.finding import DEBRIS, Finding, Rule, Severity
from recovery.services.doctor.indexes import IndexAudit, index_rules
from recovery.services.doctor.records import (
    naming,
    password_rules,
    passwords,
    undecodable,
    well_kept,
    wrong_key,
)

TABLE: Final = "legacy/authorizationsv1"
INDEX: Final = "legacy/authorizationindexv1"
PASSWORDS: Final = "legacy/authorizationPasswordv1"

UNDECODABLE: Final = undecodable("I29", "a 1.x authorization", "listing them fails as a whole")
WRONG_KEY: Final = wrong_key("I29", "a 1.x authorization")
RULES: Final = UNDECODABLE, WRONG_KEY
ODD_STATUS: Final = Rule(
    number="I29",
    severity=Severity.MEDIUM,
    problem="is a 1.x authorization with a status that is neither active nor inactive",
    effect="refused, and the record cannot be changed",
    remedy="decide which of the two it is",
    operations=("v1-auth set-active", "v1-auth set-inactive"),
)
ODD_PERMISSION: Final = replace(OF_TOKENS, number="I29")
NO_USER: Final = Rule(
    number="I29",
    severity=Severity.LOW,
    problem="is a 1.x authorization of a user that does not exist",
    effect="refused, and the API does not list it; influxd leaves those of a user whom it deletes",
    remedy="repair leaves it alone: restore the user, or delete it",
    operations=("v1-auth delete",),
    is_advice=True,
)
NO_USER_ID: Final = Rule(
    number="I29",
    severity=Severity.HIGH,
    problem="is a 1.x authorization that names no user",
    effect="refused, and each list of 1.x authorizations ends with 400",
    remedy="repair cannot know whose it was: delete it",
    operations=("v1-auth delete",),
)
NO_ORG: Final = Rule(
    number="I29",
    severity=Severity.HIGH,
    problem="is a 1.x authorization of an organization that does not exist",
    effect="the API does not list it, and its name and password are of no use",
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
ORPHAN_PASSWORD, BAD_PASSWORD = password_rules(
    "I29", "a 1.x authorization", "the 1.x user cannot log in", "v1-auth set-password"
)
PASSWORD_RULES: Final = (
    replace(ORPHAN_PASSWORD, remedy=DEBRIS, is_advice=True, is_on_request=True),
    BAD_PASSWORD,
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
    """Look at 1.x-compatible authorizations, after the users and organizations."""
    population = Population()
    remedies = TAKES_NAME, TAKES_OTHER_NAME
    adopt = naming(TABLE, chart, decode_authorization, _has_name, remedies, field="token")
    index = chart.tx.table(INDEX)
    audit = IndexAudit(index, TABLE, NAMES, adopt=adopt)

    def is_named(record: Authorization, record_id: bytes) -> bool:
        return record.token is not None and index.get(key_of(record.token)) == record_id

    judge = Judge(chart.level)
    for found in well_kept(TABLE, chart, population, _decode, RULES, SHAPE, is_named):
        if isinstance(found, Finding):
            yield found
            continue
        key, authorization = found
        if authorization.token is not None:
            audit.want(key_of(authorization.token), key)
        judgement = judge.of(authorization)
        if not judgement.is_known:
            yield ODD_PERMISSION.broken(TABLE, key)
        if not chart.orgs.has(authorization.org_id):
            # influxd leaves those of an organization that it deletes.
            is_left = judgement.org_ids == {authorization.org_id}
            yield replace(NO_ORG, is_advice=is_left).broken(TABLE, key)
        yield from _record(chart, authorization)
    yield from audit.findings(population)
    named = {text_of(value) for _, value in index.items()}
    yield from passwords(PASSWORDS, chart, population, PASSWORD_RULES, named)


def _decode(document: bytes) -> Authorization:
    authorization = decode_authorization(document)
    authorization.permissions()
    return authorization


def _has_name(authorization: Authorization) -> bool:
    return authorization.token is not None


def _record(chart: Chart, authorization: Authorization) -> Iterator[Finding]:
    if authorization.status not in {ACTIVE, INACTIVE, ""}:
        yield ODD_STATUS.broken(TABLE, authorization.id)
    if authorization.token is None:
        yield NO_NAME.broken(TABLE, authorization.id)
    if authorization.user_id is None:
        yield NO_USER_ID.broken(TABLE, authorization.id)
    elif not chart.users.has(authorization.user_id):
        yield NO_USER.broken(TABLE, authorization.id)
    if chart.tx.table(PASSWORDS).get(authorization.id.encode()) is None:
        yield NO_PASSWORD.broken(TABLE, authorization.id)
