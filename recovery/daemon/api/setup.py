"""The first set-up of a store that is there and empty.

Lives here: /api/v2/setup. Must not live here: what it writes
(`recovery.services.stores.first_setup`).

Invariants: where the server writes a user and an organization before it notices that the rest is
not possible, everything is looked at first here, and nothing is written. A token that the server
takes and never finds again is refused.

Source: InfluxDB v2.9.1 tenant/service_onboarding.go, tenant/http_server_onboarding.go; spec
admin-daemon 1.6 and 1.13.
"""

from http import HTTPStatus
from typing import Final

import msgspec

from recovery.daemon.answer import Answer, ApiError, json_answer
from recovery.daemon.api.buckets import require_bucket_name, require_times, to_ns
from recovery.daemon.api.minting import NOT_FOUND
from recovery.daemon.api.organizations import require_org_name
from recovery.daemon.api.records import (
    bucket_record,
    organization_record,
    setup_token_record,
    user_record,
)
from recovery.daemon.bodies import Body
from recovery.daemon.call import Call, Slow
from recovery.daemon.passwords import require_good
from recovery.model.bucket import shard_group_duration_ns
from recovery.model.ids import Id
from recovery.model.password import hash_password
from recovery.model.token import looks_like_jwt, new_token
from recovery.secret import Secret
from recovery.services.stores.first_setup import SetUpStore, is_empty

DONE: Final = ApiError("conflict", "onboarding has already been completed")
UNUSABLE: Final = ApiError(
    "invalid", "the token looks like a JSON web token, which a server never looks up: take another"
)


class _Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for."""

    username: str
    password: Secret
    organization: str
    bucket: str
    retention_ns: int
    token: Secret | None


def is_allowed(call: Call) -> Answer:
    """Say whether nobody has set it up yet."""
    return json_answer({"allowed": is_empty(call.tx)})


def set_up(call: Call) -> Slow[Secret | None]:
    """Make the first user, organization, bucket and operator token."""
    wanted = _read(call)
    if not is_empty(call.tx):
        raise DONE
    names = (
        ("username", wanted.username), ("org", wanted.organization), ("bucket", wanted.bucket),
    )  # fmt: skip
    missing = [name for name, text in names if not text]
    if missing:
        raise ApiError(
            "unprocessable entity",
            f"onboarding failed: missing required fields [{','.join(missing)}]",
        )
    has_password = bool(wanted.password.length_bytes)
    if has_password:
        require_good(wanted.password, is_strong=call.desk.settings.strong_passwords)
    require_org_name(wanted.organization)
    require_bucket_name(wanted.bucket)
    require_times(wanted.retention_ns, shard_group_duration_ns(wanted.retention_ns))
    token = wanted.token or new_token(call.desk.rng)
    if looks_like_jwt(token):
        raise UNUSABLE

    def then(later: Call, hashed: Secret | None) -> Answer:
        if not is_empty(later.tx):
            raise DONE
        made = later.change(
            SetUpStore(
                username=wanted.username,
                password_hash=hashed,
                organization=wanted.organization,
                bucket=wanted.bucket,
                retention_ns=wanted.retention_ns,
                token=token,
                server_hashes=later.desk.settings.server_hashes,
                clock=later.desk.clock,
                rng=later.desk.rng,
            )
        )
        return _shown(later, [Id(one) for one in made.record_ids], token)

    return Slow(work=lambda: hash_password(wanted.password) if has_password else None, then=then)


def _read(call: Call) -> _Wanted:
    def read(body: Body) -> _Wanted:
        texts = [body.text(name) or "" for name in ("username", "password", "org", "bucket")]
        seconds = body.integer("retentionPeriodSeconds") or 0
        nanoseconds = body.integer("retentionPeriodHrs") or 0
        token = body.text("token")
        return _Wanted(
            username=texts[0],
            password=Secret(texts[1]),
            organization=texts[2],
            bucket=texts[3],
            retention_ns=to_ns(seconds) if seconds > 0 else nanoseconds,
            token=Secret(token) if token else None,
        )

    return call.body(read, "internal error")


def _shown(call: Call, made: list[Id], token: Secret) -> Answer:
    user_id, org_id, bucket_id, authorization_id = made
    user, organization = call.tx.users.get(user_id), call.tx.organizations.get(org_id)
    bucket = call.tx.buckets.get(bucket_id)
    authorization = NOT_FOUND.unless(call.tx.authorizations.get(authorization_id))
    return json_answer(
        {
            "user": None if user is None else user_record(user),
            "bucket": None if bucket is None else bucket_record(bucket),
            "org": None if organization is None else organization_record(organization),
            "auth": setup_token_record(authorization, token),
        },
        status=HTTPStatus.CREATED,
    )
