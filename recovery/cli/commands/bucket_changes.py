"""The commands that change InfluxDB buckets.

Lives here: `bucket create`, `rename`, `update` and `delete`. Must not live here: what they write
(`recovery.services.tenancy.bucket_changes`).
"""

from typing import Final

from recovery.cli.changing import planned
from recovery.cli.choices import new_id
from recovery.cli.commands.setup import retention_ns
from recovery.cli.options import Change, Command, add_only
from recovery.cli.usage import UsageError, required
from recovery.cli.words import Parser
from recovery.model.bucket import shard_group_duration_ns
from recovery.ports import SystemClock, SystemRng
from recovery.services.tenancy.bucket_changes import CreateBucket, DeleteBucket, EditBucket
from recovery.services.tenancy.choosing import Chosen, choose_organization, find_bucket


class _Create(Change, frozen=True):
    org: str | None
    name: str | None
    description: str
    retention: str
    id: str | None


def _add_which(command: Parser, *, what: str = "bucket") -> None:
    only = "the only one" if "new" in what else "that of the only bucket of this name"
    add_only(command, "--org", what="its organization", only=only)
    command.add_argument("--name", metavar="NAME", help=f"name of the {what} (required)")


def _add_create(command: Parser) -> None:
    _add_which(command, what="new bucket")
    command.add_argument(
        "--description", metavar="TEXT", default="", help="free text (default: none)"
    )
    command.add_argument(
        "--retention",
        metavar="TIME",
        default="0",
        help="how long data stay, as 30d or 72h; 0 forever (default: 0)",
    )
    command.add_argument(
        "--id",
        metavar="ID",
        help="the ID of a bucket whose data are on disk and whose record is lost, as store check "
        "says (default: a new one)",
    )


def _create(options: _Create) -> Chosen:
    name = required(options.name, "--name NAME", "bucket create")
    stay_ns = retention_ns(options.retention)
    bucket_id = new_id(options.id)
    return Chosen(
        operation=CreateBucket.operation,
        choose=lambda tx: CreateBucket(
            org_id=choose_organization(tx, options.org).id,
            name=name,
            description=options.description,
            retention_ns=stay_ns,
            bucket_id=bucket_id,
            clock=SystemClock(),
            rng=SystemRng(),
        ),
    )


CREATE: Final = Command(
    description="Make a bucket, with its entry in the catalogue of the storage engine, without "
    "which influxd would not start. It cannot put data into it.",
    example="bucket create --org myorg --name pumps --retention 30d",
    options=_Create,
    run=planned(_create),
    add_options=_add_create,
)


class _Rename(Change, frozen=True):
    org: str | None
    name: str | None
    new_name: str | None


def _add_rename(command: Parser) -> None:
    _add_which(command)
    command.add_argument("--new-name", metavar="NAME", help="the new name (required)")


def _rename(options: _Rename) -> Chosen:
    name = required(options.name, "--name NAME", "bucket rename")
    new_name = required(options.new_name, "--new-name NAME", "bucket rename")
    return Chosen(
        operation="bucket rename",
        choose=lambda tx: EditBucket(
            bucket_id=find_bucket(tx, name, options.org).id,
            name=new_name,
            clock=SystemClock(),
        ),
    )


RENAME: Final = Command(
    description="Give a bucket another name; its ID, its data and the tokens for it stay. Queries "
    "that name it have to be changed. It cannot rename a system bucket.",
    example="bucket rename --org myorg --name mybucket --new-name sensors",
    options=_Rename,
    run=planned(_rename),
    add_options=_add_rename,
)


class _Update(Change, frozen=True):
    org: str | None
    name: str | None
    description: str | None
    retention: str | None


def _add_update(command: Parser) -> None:
    _add_which(command)
    command.add_argument(
        "--description", metavar="TEXT", help="the new description (default: keep it)"
    )
    command.add_argument(
        "--retention",
        metavar="TIME",
        help="how long data stay, as 30d or 72h, 0 forever; older data are deleted when influxd "
        "runs (default: keep it)",
    )


def _update(options: _Update) -> Chosen:
    name = required(options.name, "--name NAME", "bucket update")
    if options.description is None and options.retention is None:
        raise UsageError(
            problem="bucket update has nothing to change",
            hint="add --description TEXT or --retention TIME",
        )
    stay_ns = None if options.retention is None else retention_ns(options.retention)
    return Chosen(
        operation="bucket update",
        choose=lambda tx: EditBucket(
            bucket_id=find_bucket(tx, name, options.org).id,
            description=options.description,
            retention_ns=stay_ns,
            shard_group_ns=None if stay_ns is None else shard_group_duration_ns(stay_ns),
            clock=SystemClock(),
        ),
    )


UPDATE: Final = Command(
    description="Change how long data stay in a bucket, or its description. Shard groups that are "
    "there keep their span. It cannot bring back data that a shorter time has deleted.",
    example="bucket update --org myorg --name mybucket --retention 90d",
    options=_Update,
    run=planned(_update),
    add_options=_add_update,
)


class _Delete(Change, frozen=True):
    org: str | None
    name: str | None


def _delete(options: _Delete) -> Chosen:
    name = required(options.name, "--name NAME", "bucket delete")
    return Chosen(
        operation=DeleteBucket.operation,
        choose=lambda tx: DeleteBucket(
            bucket_id=find_bucket(tx, name, options.org).id,
        ),
    )


DELETE: Final = Command(
    description="Delete a bucket that has no data, with its index entry and its entry in the "
    "catalogue of the storage engine. It refuses a bucket with data, and a system bucket.",
    example="bucket delete --org myorg --name mybucket",
    options=_Delete,
    run=planned(_delete),
    add_options=_add_which,
)
