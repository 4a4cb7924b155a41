"""The inventory of a store, as rows for an SQLite file.

Lives here: `export_store`, and what becomes a row. Must not live here: tables and SQL
(`recovery.export`).

Invariants: no row has a token, a hash or a password. Records stream.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from recovery.discovery.candidate import Files
from recovery.export import Row, write_export
from recovery.metastore.table import RecordProblem
from recovery.metastore.transaction import MetaTx
from recovery.model.gojson import UndecodableError, format_time
from recovery.model.mapping import ORGS
from recovery.model.permission import Permission, decode_permissions
from recovery.ports import Clock, Rng
from recovery.services.authorizations.listing import list_authorizations
from recovery.services.doctor.check import Examination, examine
from recovery.services.session import Session
from recovery.services.store_facts import StoreFacts
from recovery.services.stores.info import SignIn, sign_ins
from recovery.services.tenancy.bucket_listing import list_buckets
from recovery.services.tenancy.organization_listing import list_organizations
from recovery.services.tenancy.user_listing import list_users


class ExportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was written.

    Attributes:
        problems: Records that cannot be understood and are in no table but the findings.
    """

    facts: StoreFacts
    row_counts: Mapping[str, int]
    problems: tuple[RecordProblem, ...]


def export_store(
    session: Session, target: Path, *, files: Files, tool_version: str, clock: Clock, rng: Rng
) -> ExportReport:
    """Write the inventory of a store to a new SQLite file. The store is only read.

    Args:
        target: Where nothing may be yet.
        files: What belongs to the store, for the findings.
    """
    examination = examine(session, files=files, clock=clock, rng=rng)
    problems: list[RecordProblem] = []
    with session.view() as view:
        signing = {one.id: one for one in sign_ins(view.tx)}
        described = _store_row(view.facts, examination, tool_version)
        row_counts = write_export(
            target,
            {
                "store": [described | {"exported_at": format_time(clock.now())}],
                "organizations": _organizations(view.tx, problems),
                "users": _users(view.tx, signing, problems),
                "memberships": _memberships(view.tx, problems),
                "buckets": _buckets(view.tx, problems),
                "authorizations": _authorizations(view.tx, problems),
                "permissions": _permissions(view.tx),
                "findings": _findings(examination),
            },
        )
        return ExportReport(
            facts=view.facts,
            row_counts=row_counts,
            problems=tuple(dict.fromkeys(problems)),
        )


def _store_row(
    facts: StoreFacts, examination: Examination, tool_version: str
) -> dict[str, str | int]:
    return {
        "path": str(facts.real_path).encode("utf-8", "backslashreplace").decode(),
        "size_bytes": facts.size_bytes,
        "txid": min(facts.txid, (1 << 63) - 1),  # what SQLite can hold
        "level": facts.level,
        "server_versions": facts.server_versions,
        "verdict": examination.verdict.sentence,
        "tool_version": tool_version,
    }


def _organizations(tx: MetaTx, problems: list[RecordProblem]) -> Iterator[Row]:
    listing = list_organizations(tx)
    for row in listing.rows:
        yield {
            "id": row.id,
            "name": row.name,
            "description": row.description,
            "created_at": row.created_at or None,
            "updated_at": row.updated_at or None,
        }
    problems.extend(listing.problems)


def _users(
    tx: MetaTx, signing: Mapping[str, SignIn], problems: list[RecordProblem]
) -> Iterator[Row]:
    listing = list_users(tx)
    for row in listing.rows:
        obstacles = signing[row.id].obstacles
        yield {
            "id": row.id,
            "name": row.name,
            "status": row.status,
            "has_password": row.has_password,
            "is_instance_owner": row.is_instance_owner,
            "can_sign_in": not obstacles,
            "cannot_because": "; ".join(obstacles) or None,
        }
    problems.extend(listing.problems)


def _memberships(tx: MetaTx, problems: list[RecordProblem]) -> Iterator[Row]:
    """Give all of them, also of users and organizations that do not exist."""
    for one in tx.mappings.walk(problems):
        if one.resource_type == ORGS:
            yield {
                "organization_id": one.resource_id,
                "user_id": one.user_id,
                "role": one.user_type,
            }


def _buckets(tx: MetaTx, problems: list[RecordProblem]) -> Iterator[Row]:
    listing = list_buckets(tx)
    for row in listing.rows:
        yield {
            "id": row.id,
            "name": row.name,
            "organization_id": row.organization_id or None,
            "is_system": row.is_system,
            "retention_ns": row.retention_ns,
            "is_in_catalogue": row.is_in_catalogue,
        }
    problems.extend(listing.problems)


def _authorizations(tx: MetaTx, problems: list[RecordProblem]) -> Iterator[Row]:
    listing = list_authorizations(tx)
    for row in listing.rows:
        yield {
            "id": row.id,
            "description": row.description,
            "status": row.status,
            "user_id": row.user_id or None,
            "organization_id": row.organization_id or None,
            "token_form": row.token_form.value,
            "operator": row.operator.value,
            "lacks": ", ".join(row.lacks) or None,
            "is_usable": row.is_usable,
            "unusable_because": row.because[0] if row.because else None,
            "permission_count": row.permission_count,
            "created_at": row.created_at or None,
            "updated_at": row.updated_at or None,
        }
    problems.extend(listing.problems)


def _permissions(tx: MetaTx) -> Iterator[Row]:
    """Give all of them; the rows of a group have the same ones."""
    known: tuple[int, list[Permission]] = (0, [])
    for row in list_authorizations(tx).rows:
        if row.group != known[0]:
            try:
                known = (row.group, decode_permissions(bytes(row.permissions)))
            except UndecodableError:
                continue
        for position, one in enumerate(known[1]):
            yield {
                "authorization_id": row.id,
                "position": position,
                "action": one.action,
                "type": one.type,
                "resource_id": one.id,
                "organization_id": one.org_id,
            }


def _findings(examination: Examination) -> Iterator[Row]:
    for position, one in enumerate((*examination.findings, *examination.advice)):
        yield {
            "position": position,
            "number": one.number,
            "severity": one.severity.value,
            "bucket": one.bucket,
            "record_id": one.id,
            "problem": one.problem,
            "effect": one.effect,
            "remedy": one.advice,
            "is_advice": one.is_advice,
        }
