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
from recovery.model.gojson import UndecodableError
from recovery.model.password import is_password_hash
from recovery.model.standing import Answer
from recovery.model.user import ACTIVE, INACTIVE, User, decode_user
from recovery.services.access import role_rights
from recovery.services.doctor.chart import Chart, Nearest, as_id, text_of
from recovery.services.doctor.finding import Finding, Mend, Rule, Severity, deleting, spared
from recovery.services.doctor.indexes import Adoption, IndexAudit, index_rules

TABLE: Final = "usersv1"
INDEX: Final = "userindexv1"
PASSWORDS: Final = "userspasswordv1"
BY_USER: Final = "userresourcemappingsbyuserindexv1"
TRACES_MIN: Final = 2
"""One thing that is left of a user is debris, two are a user whose record is lost."""

UNDECODABLE: Final = Rule(
    number="I6",
    severity=Severity.HIGH,
    problem="is a user that cannot be understood",
    effect="left out of lists, and an error when asked for by ID",
    remedy="repair cannot know what it was: restore a backup of the store",
)
WRONG_KEY: Final = Rule(
    number="I6",
    severity=Severity.HIGH,
    problem="is a user whose key is not its ID",
    effect="listed, and not found by its ID",
    remedy="repair cannot know which of the two is right",
)
NO_NAME: Final = Rule(
    number="I6",
    severity=Severity.HIGH,
    problem="is a user without a name",
    effect="nobody can sign in as this user",
    remedy="repair takes it from the index, where just one entry leads to this user; else give it "
    "one",
    operations=("user rename",),
)
HARD_NAME: Final = Rule(
    number="I6",
    severity=Severity.LOW,
    problem="is a user whose name has characters that cannot be seen",
    effect="it is not found by the name that one reads and types",
    remedy="give it another name, by its ID",
    operations=("user rename",),
    is_advice=True,
)
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
ORPHAN_PASSWORD: Final = Rule(
    number="I9",
    severity=Severity.LOW,
    problem="is a password of a user that does not exist",
    effect="nothing",
    remedy="repair removes it",
)
BAD_PASSWORD: Final = Rule(
    number="I9",
    severity=Severity.HIGH,
    problem="is a password hash that cannot be one",
    effect="the user cannot sign in",
    remedy="set a new one",
    operations=("user update",),
)


def examine_users(chart: Chart) -> Iterator[Finding]:
    """Look at users, their names and their passwords.

    Args:
        chart: The store; learns the users, and who can sign in.
    """
    table = chart.tx.table(TABLE)
    index = chart.tx.table(INDEX)
    chart.users.is_there = chart.has_records(TABLE)
    audit = IndexAudit(index, TABLE, NAMES, adopt=lambda *place: _adopting(chart, *place))
    for key, document in table.items():
        try:
            user = decode_user(document)
        except UndecodableError:
            chart.users.opaque.add(text_of(key))
            yield UNDECODABLE.broken(TABLE, key)
            continue
        if key != user.id.encode():
            chart.users.opaque.update((text_of(key), user.id))
            yield WRONG_KEY.broken(TABLE, key)
            continue
        yield from _user(chart, user)
        if user.name:
            audit.want(_name_key(user), key)
    _note_lost_users(chart)
    for finding in audit.findings(chart.users):
        yield spared(finding) if finding.id in chart.lost_users else finding
    yield from _passwords(chart)


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
    chart.users.known.add(user.id)
    if user.status == INACTIVE:
        chart.inactive_users.add(user.id)
    if not user.name:
        yield NO_NAME.broken(TABLE, user.id)
    elif not is_typeable(user.name):
        yield HARD_NAME.broken(TABLE, user.id)
    if not user.status:
        yield NO_STATUS.broken(TABLE, user.id, mend=_activating(user))
    elif user.status not in {ACTIVE, INACTIVE}:
        yield ODD_STATUS.broken(TABLE, user.id)


def _passwords(chart: Chart) -> Iterator[Finding]:
    for key, stored in chart.tx.table(PASSWORDS).items():
        if not chart.users.has(text_of(key)):
            finding = ORPHAN_PASSWORD.broken(PASSWORDS, key, mend=deleting((PASSWORDS, key)))
            is_trace = chart.users.is_blank or finding.id in chart.lost_users
            yield spared(finding) if is_trace else finding
        elif not is_password_hash(stored):
            yield BAD_PASSWORD.broken(PASSWORDS, key)


def count_sign_ins(chart: Chart) -> Iterator[Finding]:
    """Count who gets in with a password; there is nothing to find.

    Args:
        chart: The store, after its memberships and authorizations.
    """
    answers: Counter[Answer] = Counter()
    nearest = None
    by_role = role_rights(chart.tx)
    known = msgspec.structs.replace(
        by_role,
        seeing=by_role.seeing | chart.users_with_tokens,
        is_readable=by_role.is_readable and chart.can_list_authorizations,
    )
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


def _activating(user: User) -> Mend:
    return _rewriting(user.id.encode(), {"status": ACTIVE})


def _adopting(chart: Chart, key: bytes, entry: bytes) -> Adoption | None:
    """Give a user the name by which it is found."""
    user = decode_user(chart.tx.table(TABLE).get(key) or b"")
    try:
        name = entry.decode()
    except UnicodeDecodeError:
        return None
    return Adoption(
        mend=_rewriting(key, {"name": name}),
        remedy=TAKES_NAME if not user.name else TAKES_OTHER_NAME,
        is_on_request=bool(user.name),
    )


def _rewriting(key: bytes, changes: dict[str, str]) -> Mend:
    def rewrite(tx: MetaTx) -> None:
        user = decode_user(tx.table(TABLE).get(key) or b"")
        tx.table(TABLE).put(key, user.rewritten(changes))

    return rewrite


def _name_key(user: User) -> bytes:
    return user.name.encode("utf-8", "surrogateescape")
