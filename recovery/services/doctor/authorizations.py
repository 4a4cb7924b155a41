"""Authorizations, and the indexes of their tokens.

Lives here: the rules I23 to I25. Must not live here: 1.x-compatible ones (`legacy`).

A store can hold 100,000 of these, most of them with one of a few permission lists; each different
list is judged once.

Invariants: keys of the indexes are secrets and are compared only.

Source: spec influxdb-metadata sections 4.6, 5.3, 5.4, 7, 8, 13.2.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import msgspec
from msgspec.structs import replace

from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import (
    ACTIVE,
    FIELDS,
    INACTIVE,
    Authorization,
    AuthorizationDecoder,
    OperatorClassifier,
    decode_authorization,
)
from recovery.model.gojson import UndecodableError, decode_fields, fold, patched, text_field
from recovery.model.goshape import AUTHORIZATION as SHAPE
from recovery.model.goshape import can_decode
from recovery.model.ids import parse_id
from recovery.model.permission import (
    ACTIONS,
    INSTANCE,
    LEVEL_INSTANCE,
    OperatorLevel,
    decode_permissions,
    types_of_level,
)
from recovery.model.token import LEVEL_HASHED, TokenForm, record_matches
from recovery.secret import Secret
from recovery.services.doctor.chart import Chart, text_of
from recovery.services.doctor.finding import DEBRIS, Finding, Mend, Rule, Severity, spared
from recovery.services.doctor.indexes import Adoption, Balance, IndexAudit, index_rules
from recovery.services.doctor.operators import OperatorCount
from recovery.services.doctor.records import misplaced, unreadable, wrong_key
from recovery.services.doctor.servers import ALL_SERVERS, FROM_2_8, Server

TABLE: Final = "authorizationsv1"
RAW_INDEX: Final = "authorizationindexv1"
HASHED_INDEX: Final = "authorizationhashedindexv1"
JUDGED_MAX: Final = 4096
LEVEL_TOKENS_MIGRATED: Final = 19
"""From this level on no migration reads the authorizations."""
HASHES_AT_START: Final = (
    "influxd that hashes tokens, as 2.9 does, stops: it hashes this one while it starts, and "
    "cannot write the record again"
)

UNDECODABLE: Final = Rule(
    number="I23",
    severity=Severity.HIGH,
    problem="is an API token that cannot be understood",
    effect="influxd 2.8 and later stops: Failed creating new authorization store; before, listing "
    "authorizations fails as a whole, and each request after a sign-in ends with status 401",
    remedy="repair cannot know what it was: restore a backup, or give its token up",
    operations=("auth delete",),
)
NO_ID: Final = Rule(
    number="I23",
    severity=Severity.HIGH,
    problem="is an API token without an ID",
    effect="listed, and not found by its ID",
    remedy="repair cannot know which one it was: restore a backup of the store",
)
WRONG_KEY: Final = wrong_key("I23", "an API token", effect="listed, and refused")
ODD_STATUS: Final = Rule(
    number="I23",
    severity=Severity.MEDIUM,
    problem="is an API token with a status that is neither active nor inactive",
    effect="the token is refused, and the record cannot be changed",
    remedy="decide which of the two it is",
    operations=("auth set-active", "auth set-inactive"),
)
NO_ORG_ID: Final = Rule(
    number="I24",
    severity=Severity.HIGH,
    problem="is an API token that names no organization",
    effect="the API does not list it, and the record cannot be changed",
    remedy="repair cannot know whose it was, as its permissions do not all name one organization "
    "that is there: delete it, and make a new one",
    operations=("auth delete",),
)
TAKES_ORG: Final = (
    "repair puts the organization back that all its permissions name; influxd makes no token that "
    "permits something in another one"
)
NO_PERMISSIONS: Final = Rule(
    number="I23",
    severity=Severity.MEDIUM,
    problem="is an API token without permissions",
    effect="it permits nothing, and may be listed with 64 blank permissions",
    remedy="repair cannot know what it permitted: make a new one, and delete it",
)
ODD_PERMISSION: Final = Rule(
    number="I23",
    severity=Severity.MEDIUM,
    problem="permits something that no server of this level knows",
    effect="that permission has no effect; where it names a record, listing ends with 500",
    remedy="repair leaves it alone: a newer server may know it",
)
FOREIGN_PERMISSION: Final = Rule(
    number="I23",
    severity=Severity.MEDIUM,
    problem="permits something in another organization than its own",
    effect="the permission counts, though influxd would refuse to make such a token",
    remedy="repair cannot know which organization is meant: make a new one, and delete it",
)
NO_USER: Final = Rule(
    number="I24",
    severity=Severity.LOW,
    problem="is an API token of a user that does not exist",
    effect="the token is answered with 403, User is inactive, and the API does not list it; "
    "influxd leaves the tokens of a user whom it deletes",
    remedy=DEBRIS,
    is_advice=True,
    is_on_request=True,
)
NO_USER_ID: Final = Rule(
    number="I24",
    severity=Severity.HIGH,
    problem="is an API token that names no user",
    effect="each list of API tokens ends with 400, and it still works",
    remedy="repair cannot know whose it was: delete it",
    operations=("auth delete",),
)
NO_ORG: Final = Rule(
    number="I24",
    severity=Severity.HIGH,
    problem="is an API token of an organization that does not exist",
    effect="the API does not list it, and the token still works",
    remedy="repair leaves it alone, because the token is in force: delete it",
    operations=("auth delete",),
)
NO_TOKEN: Final = Rule(
    number="I25",
    severity=Severity.LOW,
    problem="is an API token without a value",
    effect="nobody can use it; a server that hashes tokens warns of it at each start",
    remedy="repair takes it from the index where just one entry leads to it and works, as up to "
    "InfluxDB 2.7; else delete it",
    operations=("auth delete",),
)
TAKES_ENTRY: Final = "repair gives it the value of that entry, which works"
BOTH_FORMS: Final = Rule(
    number="I25",
    severity=Severity.HIGH,
    problem="is an API token that is kept both raw and hashed",
    effect="the secret stays on disk, although the server hashes tokens",
    remedy="repair takes the raw token out",
)
BOTH_DIFFER: Final = Rule(
    number="I25",
    severity=Severity.HIGH,
    problem="is an API token whose raw text and hash do not fit together",
    effect="the raw token counts, and the record cannot be changed",
    remedy="repair cannot know which of the two is meant: make a new one, and delete it",
)
EARLY_HASH: Final = Rule(
    number="I25",
    severity=Severity.HIGH,
    problem="is an API token with a hash, which no server before 2.8 understands",
    effect="the token is refused",
    remedy="repair leaves it alone: it works again after an upgrade and another repair, and "
    "influxd below 2.8 loses the hash if it changes the record",
)
BAD_HASH: Final = Rule(
    number="I25",
    severity=Severity.HIGH,
    problem="is an API token with a hash that no server understands",
    effect="the token is refused, and influxd warns: error decoding hash variant",
    remedy="repair cannot know the token: make a new one, and delete it",
)
TOKENS: Final = index_rules(
    "I25",
    missing=(
        Severity.HIGH,
        "the token is refused with 401, unless it is raw and influxd hashes it while it starts",
    ),
    extra=(Severity.MEDIUM, "that token is refused with 401, and cannot be given to a new one"),
    foreign=(Severity.HIGH, "up to InfluxDB 2.7 the key of that entry works as its token"),
)
NO_OPERATOR: Final = Rule(
    number="I25",
    severity=Severity.HIGH,
    problem="has no usable token of a full operator",
    effect="nobody can back up, restore or administer this server with a token",
    remedy="make one",
    operations=("auth create-operator",),
    is_advice=True,
)


def examine_authorizations(chart: Chart) -> Iterator[Finding]:
    """Look at authorizations and where their tokens lead, after users and organizations."""
    examiner = _Examiner(chart)
    yield from examiner.records()
    yield from examiner.indexes()
    chart.is_never_set_up = chart.tx.is_never_set_up
    if not (chart.access.full_operator_count or chart.is_never_set_up):
        yield NO_OPERATOR.broken(TABLE)


class _Judgement(msgspec.Struct, frozen=True):
    """What a permission list is like."""

    level: OperatorLevel
    is_known: bool
    org_ids: frozenset[str]


class _Examiner:
    """Walks the records once, and then the indexes.

    Tokens are many. So what their records want is collected, on a second walk, only where an index
    is known to differ from it.
    """

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._tx = chart.tx
        self._raw_index = chart.tx.table(RAW_INDEX)
        # Servers before 2.8 go by the index alone: whatever an entry has for its key is a token.
        # Source: InfluxDB v2.7.12 and v2.9.1 authorization/storage_authorization.go
        # (GetAuthorizationByToken, validateToken).
        is_used = chart.level < LEVEL_HASHED
        rules = msgspec.structs.replace(TOKENS, is_used=is_used)
        adopt = self._adopting if is_used else None
        found = None if is_used else self._has_token
        self._raw_audit = IndexAudit(self._raw_index, TABLE, rules, adopt=adopt, is_found=found)
        hashed_index = chart.tx.table(HASHED_INDEX)
        self._hashed_audit = IndexAudit(hashed_index, TABLE, TOKENS, is_found=self._has_token)
        self._raw: Balance | IndexAudit = Balance(self._raw_index)
        self._hashed: Balance | IndexAudit = Balance(hashed_index)
        self._judge = Judge(chart.level)
        self._operators = OperatorCount(chart, self._raw_index)

    def records(self) -> Iterator[Finding]:
        """Look at each record."""
        chart = self._chart
        population = chart.authorizations
        population.is_there = chart.has_records(TABLE)
        for key, document, decoded in self._decoded():
            chart.count(TABLE)
            if decoded is None:
                population.opaque.add(text_of(key))
                self._count_bare(key, document)
                yield _undecodable(chart, key, document)
            elif key != decoded[0].id.encode():
                population.opaque.update((text_of(key), decoded[0].id))
                self._operators.count(decoded[0], decoded[1].level, key)
                entries = {self._tx.table(name).get(one) for name, one in _keys(decoded[0])}
                yield misplaced(
                    WRONG_KEY, self._tx, TABLE, key, decoded[0].id, entries.__contains__
                )
            else:
                yield from self._record(*decoded)

    def indexes(self) -> Iterator[Finding]:
        """Compare the indexes with what the records want."""
        if all(side.is_even for side in (self._raw, self._hashed) if isinstance(side, Balance)):
            return
        self._raw, self._hashed = self._raw_audit, self._hashed_audit
        population = self._chart.authorizations
        for key, _, decoded in self._decoded():
            if decoded is not None and key == decoded[0].id.encode():
                population.known.add(decoded[0].id)
                deque(self._token(decoded[0]), maxlen=0)  # what it finds was found
        self._discount_rivals()
        yield from self._raw_audit.findings(population, missing=self._unhashable)
        yield from self._hashed_audit.findings(population)

    def _decoded(
        self,
    ) -> Iterator[tuple[bytes, bytes, tuple[Authorization, _Judgement] | None]]:
        """Give key and document of each record, with what it is where it can be decoded."""
        decoder = AuthorizationDecoder()
        for key, document in self._tx.table(TABLE).items():
            try:
                authorization = decoder.decode(document)
                decoded = authorization, self._judge.of(authorization)
            except UndecodableError:
                yield key, document, None
            else:
                yield key, document, decoded

    def _record(self, authorization: Authorization, judgement: _Judgement) -> Iterator[Finding]:
        chart = self._chart
        if authorization.status not in {ACTIVE, INACTIVE, ""}:
            yield self._unwritable(ODD_STATUS.broken(TABLE, authorization.id), authorization)
        if not judgement.is_known:
            yield ODD_PERMISSION.broken(TABLE, authorization.id)
        is_known = authorization.org_id is not None
        if is_known and judgement.org_ids and judgement.org_ids != {authorization.org_id}:
            yield FOREIGN_PERMISSION.broken(TABLE, authorization.id)
        has_none = authorization.permissions_json == b"null" and _lacks_permissions(authorization)
        if has_none or authorization.permissions_json == b"[]":
            yield NO_PERMISSIONS.broken(TABLE, authorization.id)
        has_user = chart.users.has(authorization.user_id)
        if authorization.user_id is None:
            yield NO_USER_ID.broken(TABLE, authorization.id)
        elif not has_user:
            finding = NO_USER.broken(TABLE, authorization.id, mend=_removing(authorization))
            is_trace = chart.users.is_blank or authorization.user_id in chart.lost_users
            yield spared(finding) if is_trace else finding
        if authorization.org_id is None:
            finding = self._without_org(NO_ORG_ID, authorization, judgement)
            yield self._unwritable(finding, authorization)
        elif not chart.orgs.has(authorization.org_id):
            yield self._without_org(NO_ORG, authorization, judgement)
        yield from self._token(authorization)
        self._operators.count(authorization, judgement.level, authorization.id.encode())
        if authorization.user_id is not None and judgement.level is not OperatorLevel.NONE:
            chart.users_with_tokens.add(authorization.user_id)

    def _without_org(
        self, rule: Rule, authorization: Authorization, judgement: _Judgement
    ) -> Finding:
        """Give an authorization whose organization is not there, or that has lost the ID of it."""
        key, named = authorization.id.encode(), judgement.org_ids & self._chart.orgs.known
        if len(judgement.org_ids) != 1 or not named:
            return rule.broken(TABLE, key)

        def put_back(tx: MetaTx) -> None:
            now = decode_authorization(tx.table(TABLE).get(key) or b"")
            tx.table(TABLE).put(key, now.rewritten({"orgID": next(iter(named))}))

        finding = rule.broken(TABLE, key, mend=put_back, remedy=TAKES_ORG)
        return replace(finding, operations=())

    def _unwritable(self, finding: Finding, authorization: Authorization) -> Finding:
        """Say that a record which is to be hashed cannot be written again."""
        if authorization.token is None or authorization.hashed_token is not None:
            return finding
        told = replace(finding, effect=f"{finding.effect}; {HASHES_AT_START}")
        return self._chart.stopping(told, {Server.HASHING})

    def _unhashable(self, key: bytes, finding: Finding) -> Finding:
        """Say that influxd cannot take the entry of a token away that it hashes."""
        if not self._raw_index.is_bucket(key):
            return finding
        told = replace(finding, effect=f"{finding.effect}; {HASHES_AT_START}")
        return self._chart.stopping(told, {Server.HASHING})

    def _token(self, authorization: Authorization) -> Iterator[Finding]:
        form = authorization.form
        key = authorization.id.encode()
        token, hashed = authorization.token, authorization.hashed_token
        if token is None and hashed is None:
            yield NO_TOKEN.broken(TABLE, authorization.id)
            return
        if form is TokenForm.BOTH:
            yield from self._both(authorization)
            if self._is_converted(authorization) and not self._has_raw_entry(authorization):
                token = None  # it is to go, so nobody misses its entry
        elif hashed is not None and self._chart.level < LEVEL_HASHED:
            yield EARLY_HASH.broken(TABLE, authorization.id)
        elif form is TokenForm.UNKNOWN:
            yield BAD_HASH.broken(TABLE, authorization.id)
        if token is not None:
            self._raw.want(key_of(token), key)
        if hashed is not None:
            self._hashed.want(key_of(hashed), key)

    def _has_token(self, key: bytes) -> bool:
        """Tell whether a record has a token, so that another one that leads there is refused."""
        authorization = decode_authorization(self._tx.table(TABLE).get(key) or b"")
        return authorization.token is not None or authorization.hashed_token is not None

    def _adopting(self, key: bytes, entry: bytes) -> Adoption | None:
        """Give an authorization without a token the one by which it is found."""
        authorization = decode_authorization(self._tx.table(TABLE).get(key) or b"")
        try:
            token = entry.decode()
        except UnicodeDecodeError:
            return None
        if authorization.token is not None or authorization.hashed_token is not None:
            return None

        def restore(tx: MetaTx) -> None:
            now = decode_authorization(tx.table(TABLE).get(key) or b"")
            tx.table(TABLE).put(key, now.rewritten({"token": token}))

        return Adoption(mend=restore, remedy=TAKES_ENTRY, is_on_request=False)

    def _both(self, authorization: Authorization) -> Iterator[Finding]:
        if self._chart.level < LEVEL_HASHED:
            yield EARLY_HASH.broken(
                TABLE,
                authorization.id,
                severity=Severity.LOW,
                problem="is an API token with a raw text and a hash, which no server before "
                "2.8 writes",
            )
        elif self._is_converted(authorization):
            yield BOTH_FORMS.broken(TABLE, authorization.id, mend=_taking_token_out(authorization))
        else:
            yield BOTH_DIFFER.broken(TABLE, authorization.id)

    def _has_raw_entry(self, authorization: Authorization) -> bool:
        token = authorization.token
        return token is not None and self._raw_index.has(key_of(token))

    def _is_converted(self, authorization: Authorization) -> bool:
        """Tell whether the hash of a record with both forms is that of its token."""
        token, hashed = authorization.token, authorization.hashed_token
        return (
            token is not None
            and hashed is not None
            and self._chart.level >= LEVEL_HASHED
            and record_matches(token, stored=None, hashed=hashed)
        )

    def _discount_rivals(self) -> None:
        """Take out who loses its token when a server hashes it: it leads to the last such record.

        Seen with InfluxDB v2.9.1, which hashes raw tokens one after the other while it starts.
        """
        for keys in self._raw_audit.rivals:
            found = [decode_authorization(self._tx.table(TABLE).get(key) or b"") for key in keys]
            for one in [one for one in found if one.form is TokenForm.RAW][:-1]:
                self._operators.count(one, self._judge.of(one).level, one.id.encode(), lost=True)

    def _count_bare(self, key: bytes, document: bytes) -> None:
        """Count a record without an ID, which a server finds by its key all the same."""
        key_id = parse_id(key)
        if key_id is not None and can_decode(document, SHAPE) and document.strip() != b"null":
            with suppress(UndecodableError):
                bare = decode_authorization(patched(document, {"id": key_id}, order=FIELDS))
                self._operators.count(bare, self._judge.of(bare).level, key)


class Judge:
    """Judges permission lists, each different one once.

    As in `OperatorClassifier`, the list met last is compared first: that costs a tenth of hashing.
    """

    def __init__(self, level: int) -> None:
        """Know no list yet."""
        self._level = level
        self._classifier = OperatorClassifier(level=level)
        self._types = {*types_of_level(level), *((INSTANCE,) if level >= LEVEL_INSTANCE else ())}
        self._last: dict[int, tuple[bytes, _Judgement]] = {}
        self._known: dict[bytes, _Judgement] = {}

    def of(self, authorization: Authorization) -> _Judgement:
        """Judge one record; raise `UndecodableError` where its list is none."""
        document = authorization.permissions_json
        last = self._last.get(len(document))
        if last is not None and last[0] == document:
            return last[1]
        judgement = self._known.get(document)
        if judgement is None:
            judgement = self._read(authorization)
            if len(self._known) >= JUDGED_MAX:
                self._known.clear()
                self._last.clear()
            self._known[document] = judgement
        self._last[len(document)] = (document, judgement)
        return judgement

    def _read(self, authorization: Authorization) -> _Judgement:
        permissions = decode_permissions(authorization.permissions_json)
        return _Judgement(
            level=self._classifier.status(authorization).level,
            is_known=all(one.action in ACTIONS and one.type in self._types for one in permissions),
            org_ids=frozenset(one.org_id for one in permissions if one.org_id is not None),
        )


def _undecodable(chart: Chart, key: bytes, document: bytes) -> Finding:
    if can_decode(document, SHAPE):
        finding = unreadable(NO_ID, TABLE, key, document, SHAPE)
        return chart.stopping(finding, {Server.HASHING} if _is_hashed_at_start(document) else ())
    chart.can_list_authorizations = False
    # A server that brings the store up to level 19 reads them all, too (migrations 16, 17, 19).
    stopped = FROM_2_8 if chart.level >= LEVEL_TOKENS_MIGRATED else ALL_SERVERS - {Server.TO_2_4}
    finding = unreadable(UNDECODABLE, TABLE, key, document, SHAPE)
    return chart.stopping(finding, stopped)


def _is_hashed_at_start(document: bytes) -> bool:
    """Tell whether a record without an ID has a token that a server hashes, which it cannot."""
    try:
        fields = decode_fields(document)
    except UndecodableError:  # null, which a server takes for a record without anything
        return False
    return bool(text_field(fields, "token")) and not text_field(fields, "hashedToken")


def _lacks_permissions(authorization: Authorization) -> bool:
    return fold("permissions") not in decode_fields(authorization.document)


def key_of(secret: Secret) -> bytes:
    """Return what a token, a hash or a 1.x user name is in an index, to be compared only."""
    return secret.reveal().encode()


def _keys(authorization: Authorization) -> list[tuple[str, bytes]]:
    keys = []
    if authorization.token is not None:
        keys.append((RAW_INDEX, key_of(authorization.token)))
    if authorization.hashed_token is not None:
        keys.append((HASHED_INDEX, key_of(authorization.hashed_token)))
    return keys


def _removing(authorization: Authorization) -> Mend:
    key = authorization.id.encode()

    def remove(tx: MetaTx) -> None:
        tx.table(TABLE).delete(key)
        for index, entry in _keys(authorization):
            if tx.table(index).get(entry) == key:
                tx.table(index).delete(entry)

    return remove


def _taking_token_out(authorization: Authorization) -> Mend:
    key = authorization.id.encode()
    document = authorization.rewritten({"token": None})
    entries = dict(_keys(authorization))

    def take_out(tx: MetaTx) -> None:
        if not tx.table(TABLE).has(key):
            return  # another mend has removed it
        hashed = tx.table(HASHED_INDEX)
        if not hashed.is_there or hashed.get(entries[HASHED_INDEX]) not in {None, key}:
            return  # the hash leads to another record, and the token works by its raw form only
        hashed.put(entries[HASHED_INDEX], key)
        tx.table(TABLE).put(key, document)
        if tx.table(RAW_INDEX).get(entries[RAW_INDEX]) == key:
            tx.table(RAW_INDEX).delete(entries[RAW_INDEX])

    return take_out
