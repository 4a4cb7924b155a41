"""Users, the index of their names, and their passwords.

Lives here: the rules I6 to I9. Must not live here: what users own.

Source: spec influxdb-metadata sections 4.2, 5.4, 5.5, 13.2.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

from recovery.metastore.transaction import MetaTx
from recovery.model.display import is_typeable
from recovery.model.goshape import USER
from recovery.model.standing import Answer
from recovery.model.user import ACTIVE, INACTIVE, User, decode_user
from recovery.services.access import rights_by_tokens
from recovery.services.doctor.chart import Chart, Nearest, as_id, text_of
from recovery.services.doctor.finding import Finding, Mend, Rule, Severity
from recovery.services.doctor.indexes import IndexAudit, index_rules
from recovery.services.doctor.records import (
    hard_name,
    naming,
    password_rules,
    passwords,
    undecodable,
    well_kept,
    wrong_key,
)

TABLE: Final = "usersv1"
INDEX: Final = "userindexv1"
PASSWORDS: Final = "userspasswordv1"
BY_USER: Final = "userresourcemappingsbyuserindexv1"
TRACES_MIN: Final = 2
"""One thing that is left of a user is debris, two are a user whose record is lost."""

UNDECODABLE: Final = undecodable(
    "I6", "a user", "left out of lists, and an error when asked for by ID"
)
WRONG_KEY: Final = wrong_key(
    "I6", "a user", effect="listed, and neither its password nor its tokens are taken"
)
RULES: Final = UNDECODABLE, WRONG_KEY
NO_NAME: Final = Rule(
    number="I6",
    severity=Severity.HIGH,
    problem="is a user without a name",
    effect="nobody can sign in as this user",
    remedy="repair takes it from the index, where just one entry leads to this user; else give it "
    "one",
    operations=("user rename",),
)
HARD_NAME: Final = hard_name("I6", "a user", "user rename", "give it another name, by its ID")
NO_STATUS: Final = Rule(
    number="I7",
    severity=Severity.MEDIUM,
    problem="is a user with an empty status, as influxd recovery leaves it",
    effect="refused with 401 by the 1.x endpoints /write and /query",
    remedy="repair makes the user active",
)
ODD_STATUS: Final = Rule(
    number="I7",
    severity=Severity.MEDIUM,
    problem="is a user with a status that is neither active nor inactive",
    effect="refused with 401 by the 1.x endpoints, let in by the others",
    remedy="decide which of the two it is",
    operations=("user activate", "user deactivate"),
)
NAMES: Final = index_rules(
    "I8",
    missing=(Severity.HIGH, "the user cannot sign in, and is not found by name"),
    extra=(Severity.HIGH, "no new user can have that name"),
    is_used=True,
)
TAKES_NAME: Final = "repair gives the user the name of that entry, by which it signs in"
TAKES_OTHER_NAME: Final = (
    "repair leaves it alone, because the user signs in by that name: asked for it, repair "
    "gives the user that name"
)
PASSWORD_RULES: Final = password_rules("I9", "a user", "the user cannot sign in", "user update")


def examine_users(chart: Chart) -> Iterator[Finding]:
    """Look at users, names and passwords; the chart learns the users."""
    remedies = TAKES_NAME, TAKES_OTHER_NAME
    adopt = naming(TABLE, chart, decode_user, lambda user: bool(user.name), remedies)
    audit = IndexAudit(chart.tx.table(INDEX), TABLE, NAMES, adopt=adopt)
    index = chart.tx.table(INDEX)

    def is_named(user: User, user_id: bytes) -> bool:
        return index.get(_name_key(user)) == user_id

    for found in well_kept(TABLE, chart, chart.users, decode_user, RULES, USER, is_named):
        if isinstance(found, Finding):
            yield found
            continue
        key, user = found
        yield from _user(chart, user)
        if user.name:
            audit.want(_name_key(user), key)
    _note_lost_users(chart)
    yield from audit.findings(chart.users)
    yield from passwords(PASSWORDS, chart, chart.users, PASSWORD_RULES)


def _note_lost_users(chart: Chart) -> None:
    """Learn whose record is lost, but not two of name, password and memberships.

    A server that deletes a user takes all of them along, so this is damage.
    """
    named = {value for _, value in chart.tx.table(INDEX).items()}
    with_password = {key for key, _ in chart.tx.table(PASSWORDS).items()}
    for user_id in named | with_password:
        if chart.users.has(text_of(user_id)):
            continue
        has_role = next(chart.tx.table(BY_USER).items(user_id + b"/"), None) is not None
        if (user_id in named) + (user_id in with_password) + has_role >= TRACES_MIN:
            chart.lost_users.add(text_of(user_id))


def _user(chart: Chart, user: User) -> Iterator[Finding]:
    if user.status == INACTIVE:
        chart.inactive_users.add(user.id)
    if not user.name:
        yield NO_NAME.broken(TABLE, user.id)
    elif not is_typeable(user.name):
        yield HARD_NAME.broken(TABLE, user.id)
    if not user.status:
        yield NO_STATUS.broken(TABLE, user.id, mend=_activating(user.id.encode()))
    elif user.status not in {ACTIVE, INACTIVE}:
        yield ODD_STATUS.broken(TABLE, user.id)


def count_sign_ins(chart: Chart) -> Iterator[Finding]:
    """Count who gets in with a password, after memberships and authorizations; finds nothing."""
    answers: Counter[Answer] = Counter()
    nearest = None
    known = rights_by_tokens(chart.tx, chart.users_with_tokens)
    is_readable = known.is_readable and chart.can_list_authorizations
    known = msgspec.structs.replace(known, is_readable=is_readable)
    for user_id in sorted(chart.users.known):
        user = chart.tx.users.get(as_id(user_id))
        if user is None:
            continue
        standing = known.sign_in(chart.tx, user)
        answers[standing.answer] += 1
        if standing.is_usable:
            continue
        if nearest is None or len(standing.obstacles) < len(nearest.obstacles):
            nearest = Nearest(user_id=user_id, name=user.name, obstacles=standing.obstacles)
    for access in chart.accesses.values():
        access.sign_in_count, access.nearest = answers[Answer.ACCEPTED], nearest
        access.refused_count = answers[Answer.FORBIDDEN]
    yield from ()


def _activating(key: bytes) -> Mend:
    def activate(tx: MetaTx) -> None:
        user = decode_user(tx.table(TABLE).get(key) or b"")
        tx.table(TABLE).put(key, user.rewritten({"status": ACTIVE}))

    return activate


def _name_key(user: User) -> bytes:
    return user.name.encode("utf-8", "surrogateescape")
