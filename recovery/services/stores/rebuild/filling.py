"""Filling a store with what lies in the engine's folder.

Lives here: `Filling`, which chooses and writes organizations, buckets, their groups, and the owner.
Must not live here: reading the engine (`recovery.engine`), the arithmetic of groups
(`recovery.services.shard_mapping`), what is said of it (`words`).

Invariants: every bucket folder gets a bucket of the same ID, and every shard with points that can
be read a group that holds them. Nothing expires that nobody said would: retention is forever
unless it is known. What contradicts itself is refused with all of it named, never guessed.

Source: spec influxdb-metadata sections 4.3 to 4.9 and 14, recipes R1, R3, R5, R6; InfluxDB v2.9.1
tenant/service_onboarding.go, task/backend/analytical_storage.go (tags of task runs),
notification/check/check.go (tags of statuses).
"""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from recovery.engine.folder import BucketFacts
from recovery.errors import ConflictError, RefusedError
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import (
    Authorization,
    new_authorization,
)
from recovery.model.bucket import DAY_NS, SYSTEM_BUCKETS, TYPE_SYSTEM
from recovery.model.catalogue import (
    CatalogueError,
    Database,
    empty_catalogue,
    with_database,
    with_groups,
    with_shard_id_max,
)
from recovery.model.gojson import format_time
from recovery.model.ids import Id, IdSource, unused
from recovery.model.mapping import INSTANCE, INSTANCE_ID, OWNER
from recovery.model.mapping import Mapping as Role
from recovery.model.organization import index_name
from recovery.model.password import hash_password, require_acceptable
from recovery.model.permission import operator_permissions
from recovery.model.shard_groups import Basis, Duration
from recovery.ports import Clock, Rng
from recovery.remedy import Give, Input
from recovery.secret import Secret
from recovery.services.authorizations.new_token import (
    FormChoice,
    chosen_form,
    require_active,
    unknown_token,
)
from recovery.services.shard_mapping import (
    BucketMap,
    Conflict,
    ShardName,
    conflict_with_group,
    map_beside,
    map_bucket,
    same_numbers,
    sort_unmapped,
)
from recovery.services.stores.rebuild.known import Known, KnownBucket, kind_of
from recovery.services.stores.rebuild.parts import EngineFacts, Filled, Placed, Wishes
from recovery.services.tenancy.choosing import choose_user
from recovery.services.tenancy.user_creation import require_name
from recovery.services.tenancy.writing import (
    SYSTEM_WISHES,
    BucketWish,
    write_bucket,
    write_organization,
    write_role,
    write_user,
)

USERNAME: Final = "admin"
ORGANIZATION: Final = "recovered"
SYSTEM_NAMES: Final = frozenset(system.name for system in SYSTEM_BUCKETS)
LEVEL_INSTANCE: Final = 20
"""From this level on servers know owners of the whole instance."""
CONFLICTS_SHOWN: Final = 10

_TASK_TAGS: Final = frozenset({"status", "taskID"})
_CHECK_TAG: Final = "_check_id"


class Filling:
    """A store that is being filled, on top of what there is."""

    def __init__(
        self,
        tx: MetaTx,
        *,
        engine: EngineFacts,
        known: Known,
        wishes: Wishes,
        clock: Clock,
        rng: Rng,
    ) -> None:
        """Get ready.

        Args:
            tx: The records, of which nothing is written yet.
            rng: Randomness, for IDs and the token.
        """
        self._tx = tx
        self._engine = engine
        self._known = known
        self._wishes = wishes
        self._rng = rng
        self._ids = IdSource(clock, rng)
        self._now = format_time(clock.now())
        self._taken: dict[Id, set[str]] = {}
        self._systems: dict[Id, str] = {}
        self._filled = Filled(engine=engine, known=known)

    def fill(self) -> Filled:
        """Write organizations, buckets and the user."""
        self._prepare_catalogue()
        self._require_consistent()
        self._systems = self._recognised()
        self._note_nameless()
        self._filled.org_id = self._choose_organization()
        self._note_taken_names()
        maps = [self._mapped(facts) for facts in self._engine.buckets]
        self._require_no_overlaps(maps)
        self._write_user()
        wishes = self._wishes_by_organization(maps)
        self._write_organizations(wishes)
        self._write_bare_buckets()
        catalogue = with_shard_id_max(self._catalogue(), self._engine.shard_id_max)
        self._tx.catalogue.write(catalogue)
        return self._filled

    def operator_token(self) -> tuple[Authorization, Secret]:
        """Write an operator token of the owner, and give both."""
        user = self._filled.owner
        form = chosen_form(self._tx, FormChoice.BY_STORE, server_hashes=None)
        token = unknown_token(self._tx, self._rng)
        authorization = new_authorization(
            authorization_id=unused(self._ids.snowflake, self._tx.authorizations.has_id),
            token=token,
            form=form,
            description=f"{user.name}'s Token",
            org_id=self._filled.org_id,
            user_id=user.id,
            permissions=operator_permissions(self._tx.level),
            now=self._now,
        )
        self._tx.authorizations.insert(authorization)
        return authorization, token

    def _catalogue(self) -> bytes:
        return self._tx.catalogue.read() or b""

    def _prepare_catalogue(self) -> None:
        """Begin a new catalogue where there is none that can be understood."""
        stored = self._tx.catalogue.read()
        try:
            if stored is not None:
                self._tx.catalogue.decoded()
                return
            self._filled.notes.append(
                "the catalogue of the damaged store was lost, and is made new"
            )
        except CatalogueError as error:
            self._filled.notes.append(f"the catalogue {error.problem}, and is made new")
        self._tx.catalogue.write(empty_catalogue(self._rng))

    def _require_consistent(self) -> None:
        """Refuse two shards of one number, and a choice that is about nothing."""
        conflicts = [
            conflict
            for conflict in same_numbers(one.folder for one in self._engine.buckets)
            if not {conflict.one, conflict.other} & self._wishes.left_out
        ]
        if conflicts:
            free = self._engine.shard_id_max + 1
            raise RefusedError(
                reason=_listed(conflicts),
                hint=(
                    f"rename the folder of one in data and in wal to {free}, which is free",
                    Give(Input.LEAVE_OUT, "leave it out"),
                ),
            )
        on_disk = {one.id for one in self._engine.buckets}
        for bucket_id, name in self._wishes.names.items():
            require_name("bucket", name)
            if bucket_id not in on_disk and bucket_id not in self._known.buckets:
                raise RefusedError(
                    reason=f"a name is given to bucket {bucket_id}, which is neither on disk nor "
                    "known by name",
                    hint=Give(Input.DRY_RUN, "look at the IDs"),
                )

    def _require_no_overlaps(self, maps: Sequence[BucketMap]) -> None:
        conflicts = [conflict for one in maps for conflict in one.conflicts]
        if conflicts and not self._wishes.allows_overlaps:
            raise RefusedError(
                reason=_listed(conflicts),
                hint=(
                    Give(Input.LEAVE_OUT, "leave one of the two out"),
                    Give(
                        Input.OVERLAPS,
                        "have every point found, and new ones go to either, by mapping both",
                    ),
                ),
            )
        self._filled.notes.extend(f"{conflict.sentence}; both are mapped" for conflict in conflicts)

    def _recognised(self) -> dict[Id, str]:
        """Find the system buckets among the folders that nobody has named, by what is in them."""
        found: dict[str, list[Id]] = {}
        for facts in self._engine.buckets:
            name = _system_name(facts)
            is_named = facts.id in self._wishes.names or facts.id in self._known.buckets
            if name is not None and not is_named:
                found.setdefault(name, []).append(facts.id)
        recognised = {}
        for name, ids in found.items():
            if len(ids) == 1:
                recognised[ids[0]] = name
                self._filled.notes.append(
                    f"bucket {ids[0]} is taken for {name}, because it holds what only that does"
                )
            else:
                self._filled.notes.append(
                    f"the buckets {', '.join(ids)} all look like {name}; as an organization has "
                    "only one, none is taken for it: give the right one that name"
                )
        return recognised

    def _note_nameless(self) -> None:
        """Know an organization of which nothing is left but its buckets by its ID."""
        for bucket in self._known.buckets.values():
            if bucket.org_id is not None:
                name = f"{ORGANIZATION}-{bucket.org_id}"
                self._known.organizations.setdefault(bucket.org_id, name)

    def _choose_organization(self) -> Id:
        """Choose the organization of the buckets that are known in none."""
        wanted_id, name = self._wishes.organization_id, self._wishes.organization
        organizations = self._known.organizations
        if name is not None:
            require_name("organization", name)
        if wanted_id is None and name is not None:
            same = [one for one, known in organizations.items() if known == index_name(name)]
            only = list(organizations)[: len(organizations) == 1]
            nameless = [one for one in only if organizations[one] == f"{ORGANIZATION}-{one}"]
            wanted_id = next(iter((*same, *nameless)), None)
        elif wanted_id is None and (len(organizations) == 1 or self._all_have_organizations()):
            wanted_id = next(iter(organizations), None)
        elif wanted_id is None and organizations:
            shown = ", ".join(f"{known} ({one})" for one, known in organizations.items())
            raise RefusedError(
                reason=f"several organizations are known ({shown}), and one of them has to own "
                "what is known of none",
                hint=Give(Input.ORGANIZATION, "name it"),
            )
        if wanted_id is None:
            wanted_id = self._known.organization_id
        if wanted_id is None:
            wanted_id = unused(self._ids.random, self._tx.organizations.has_id)
        if name is not None or wanted_id not in organizations:
            organizations[wanted_id] = index_name(name or ORGANIZATION)
        return wanted_id

    def _all_have_organizations(self) -> bool:
        """Tell whether nobody has to say whose a bucket is."""
        known = self._known.buckets
        return all(
            one.id in known and known[one.id].org_id in self._known.organizations
            for one in self._engine.buckets
        )

    def _note_taken_names(self) -> None:
        for bucket in self._tx.buckets.walk([]):
            if bucket.org_id is not None:
                self._taken.setdefault(bucket.org_id, set()).add(bucket.name)

    def _write_user(self) -> None:
        username = self._wishes.username
        users = {user.name for user in self._tx.users.walk([])}
        if username is None and not users:
            username = USERNAME
        if username is not None and username not in users:
            require_name("user", username)
            write_user(self._tx, name=username, ids=self._ids)
            self._filled.is_new_user = True
            if not self._wishes.has_password:
                self._filled.notes.append(
                    f"user {username} gets no password and cannot sign in; user update gives one"
                )
        user = choose_user(self._tx, username)
        require_active(self._tx, user)
        self._filled.user = user
        self._filled.has_new_password = self._wishes.has_password
        if self._wishes.password is not None:
            require_acceptable(self._wishes.password)
            hashed = hash_password(self._wishes.password)
            self._tx.passwords.put(user.id, hashed)
        if self._tx.level >= LEVEL_INSTANCE:
            role = Role(
                user_id=user.id,
                user_type=OWNER,
                resource_type=INSTANCE,
                resource_id=INSTANCE_ID,
            )
            self._tx.mappings.put(role)

    def _mapped(self, facts: BucketFacts) -> BucketMap:
        """Choose the groups of a bucket: all of them, or those that the catalogue lacks."""
        known = self._known.buckets.get(facts.id, KnownBucket())
        database = self._tx.catalogue.decoded().database(facts.id)
        if database is not None and database.policy is not None:
            return self._mapped_beside(facts, database)
        return map_bucket(
            facts,
            known_ns=known.shard_group_ns,
            retention_ns=known.retention_ns or 0,
            known_groups=known.groups,
            left_out=self._wishes.left_out,
        )

    def _mapped_beside(self, facts: BucketFacts, database: Database) -> BucketMap:
        """Give the shards that the catalogue does not know groups beside those it has."""
        policy = database.policy
        duration_ns = DAY_NS if policy is None else policy.shard_group_ns
        in_catalogue = {one for group in database.groups for one in group.shard_ids}
        self._filled.mapped.update(
            (facts.id, one.id) for one in facts.shards if one.id in in_catalogue
        )
        spans = {
            shard_id: span
            for shard_id, span in facts.spans.items()
            if shard_id not in in_catalogue
            and ShardName(bucket_id=facts.id, shard_id=shard_id) not in self._wishes.left_out
        }
        unmapped = sort_unmapped(
            spans,
            database.groups,
            clashing=(),
            shard_group_ns=duration_ns,
            retention_ns=0,
            now_ns=0,
        )
        wanted = spans if self._wishes.allows_overlaps else unmapped.placeable
        catalogue = self._tx.catalogue.decoded()
        groups, removed = map_beside(
            wanted,
            database,
            group_id=max(catalogue.group_id_max, self._engine.shard_id_max) + 1,
        )
        if groups:
            self._tx.catalogue.write(
                with_groups(self._catalogue(), name=facts.id, added=groups, removed=removed)
            )
        self._filled.mapped.update((facts.id, shard_id) for shard_id in wanted)
        return BucketMap(
            duration=Duration(duration_ns=duration_ns, basis=Basis.KNOWN),
            groups=(),
            conflicts=tuple(
                conflict_with_group(facts.id, shard_id, spans[shard_id], database, spans)
                for shard_id in unmapped.overlapping
            ),
            unmapped=tuple(shard for shard in facts.shards if shard.span is None),
        )

    def _wishes_by_organization(self, maps: Sequence[BucketMap]) -> dict[Id, list[BucketWish]]:
        """Choose name, organization and retention of each bucket on disk."""
        found: dict[Id, list[BucketWish]] = {one: [] for one in self._known.organizations}
        for facts, mapped in zip(self._engine.buckets, maps, strict=True):
            known = self._known.buckets.get(facts.id, KnownBucket())
            org_id = known.org_id or self._filled.org_id
            is_new = not self._tx.buckets.has_id(facts.id)
            name, is_system = self._name(facts.id, known, org_id, is_new=is_new)
            retention_ns = known.retention_ns or 0
            self._filled.mapped.update(
                (facts.id, one) for group in mapped.groups for one in group.shard_ids
            )
            self._filled.placed.append(
                Placed(
                    facts=facts,
                    map=mapped,
                    name=name,
                    org_id=org_id,
                    retention_ns=retention_ns,
                    is_new=is_new,
                    is_system=is_system,
                )
            )
            wish = BucketWish(
                name=name,
                description=known.description or _description(name, is_system=is_system),
                kind=TYPE_SYSTEM if is_system else kind_of(known),
                retention_ns=retention_ns,
                bucket_id=facts.id,
                shard_group_ns=mapped.duration.duration_ns,
                groups=mapped.groups,
            )
            if is_new:
                found[org_id].append(wish)
            elif self._tx.catalogue.decoded().database(facts.id) is None:
                self._add_database(wish)
        return found

    def _add_database(self, wish: BucketWish) -> None:
        """Give a bucket that has a record its entry in the catalogue."""
        self._tx.catalogue.write(
            with_database(
                self._catalogue(),
                name=wish.bucket_id or Id(""),
                retention_ns=wish.retention_ns,
                shard_group_ns=wish.shard_group_ns or DAY_NS,
                groups=wish.groups,
            )
        )

    def _name(
        self, bucket_id: Id, known: KnownBucket, org_id: Id, *, is_new: bool
    ) -> tuple[str, bool]:
        """Choose the name of a bucket, and whether it is a system bucket."""
        taken = self._taken.setdefault(org_id, set())
        wished = self._wishes.names.get(bucket_id)
        name = wished or known.name or self._systems.get(bucket_id)
        if not is_new and known.name is not None:
            return known.name, bool(known.is_system)
        if name in taken and wished is not None:
            raise ConflictError(
                kind="bucket", name=wished, hint=Give(Input.NAME, "give it another name")
            )
        if name in taken:
            self._filled.notes.append(
                f"bucket {bucket_id} is not called {name}, because another one of its "
                "organization is"
            )
        if name is None or name in taken:
            name = f"{ORGANIZATION}-{bucket_id}"
        taken.add(name)
        is_system = name in SYSTEM_NAMES
        if name.startswith("_") and not is_system:
            raise RefusedError(
                reason=f"bucket {bucket_id} cannot be called {name}: names that begin with _ are "
                "those of system buckets",
                hint=Give(Input.NAME, "give it another name"),
            )
        return name, is_system

    def _write_organizations(self, wishes: dict[Id, list[BucketWish]]) -> None:
        for org_id, wanted in wishes.items():
            missing = [
                system
                for system in SYSTEM_WISHES
                if system.name not in self._taken.setdefault(org_id, set())
            ]
            known_systems = [self._with_known_id(org_id, system) for system in missing]
            self._taken[org_id].update(system.name for system in missing)
            if not self._tx.organizations.has_id(org_id):
                write_organization(
                    self._tx,
                    name=self._known.organizations[org_id],
                    description="",
                    owner_id=self._filled.owner.id,
                    ids=self._ids,
                    now=self._now,
                    org_id=org_id,
                    system_buckets=[*known_systems, *wanted],
                )
                continue
            for wish in [*known_systems, *wanted]:
                write_bucket(self._tx, wish, org_id=org_id, ids=self._ids, now=self._now)
            write_role(self._tx, org_id=org_id, user_id=self._filled.owner.id, role=OWNER)

    def _with_known_id(self, org_id: Id, system: BucketWish) -> BucketWish:
        """Keep the ID of a system bucket that has no folder, if it is known."""
        for bucket_id, known in self._known.buckets.items():
            is_it = (known.org_id, known.name) == (org_id, system.name)
            if is_it and not self._tx.buckets.has_id(bucket_id):
                return replace(system, bucket_id=bucket_id)
        return system

    def _write_bare_buckets(self) -> None:
        """Write the buckets that are known and have no folder, because nothing is in them."""
        for bucket_id, known in self._known.buckets.items():
            if known.name is None or self._tx.buckets.has_id(bucket_id):
                continue
            org_id = known.org_id or self._filled.org_id
            if known.name in SYSTEM_NAMES:
                continue
            name, _ = self._name(bucket_id, known, org_id, is_new=True)
            wish = BucketWish(
                name=name,
                description=known.description,
                kind=kind_of(known),
                retention_ns=known.retention_ns or 0,
                bucket_id=bucket_id,
                shard_group_ns=known.shard_group_ns,
            )
            write_bucket(self._tx, wish, org_id=org_id, ids=self._ids, now=self._now)
            self._filled.bare.append((bucket_id, name))


def _system_name(facts: BucketFacts) -> str | None:
    """Recognise a system bucket by what only the server writes."""
    names = facts.measurements.names
    tags = [facts.measurements.tags(name) for name in names]
    if names == ["runs"] and tags[0] == _TASK_TAGS:
        return "_tasks"
    if names and {"statuses", "notifications"}.issuperset(names):
        return "_monitoring" if all(_CHECK_TAG in one for one in tags) else None
    return None


def _description(name: str, *, is_system: bool) -> str:
    found = (system.description for system in SYSTEM_BUCKETS if system.name == name)
    return next(found, "") if is_system else ""


def _listed(conflicts: Sequence[Conflict]) -> str:
    shown = "; ".join(conflict.sentence for conflict in conflicts[:CONFLICTS_SHOWN])
    rest = len(conflicts) - CONFLICTS_SHOWN
    return f"{shown}; and {rest} more" if rest > 0 else shown
