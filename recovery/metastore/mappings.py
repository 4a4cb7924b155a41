"""Who owns or belongs to what, and the index by user.

Lives here: `Mappings`. Must not live here: what a mapping permits.

Source: InfluxDB v2.9.1 tenant/storage_urm.go; spec section 4.5.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from recovery.metastore.table import RecordProblem, Table
from recovery.model.gojson import UndecodableError
from recovery.model.ids import ID_LENGTH, Id
from recovery.model.mapping import (
    Mapping,
    by_user_key,
    decode_mapping,
    encode_mapping,
    is_passed_over,
    mapping_key,
)


class Mappings:
    """`userresourcemappingsv1` and `userresourcemappingsbyuserindexv1`."""

    def __init__(self, table: Callable[[str], Table]) -> None:
        """Open both; `MetaTx.mappings` is the way to get one. Raises as `MetaTx.table`."""
        self._records = table("userresourcemappingsv1")
        self._by_user = table("userresourcemappingsbyuserindexv1")

    def walk(self, problems: list[RecordProblem]) -> Iterator[Mapping]:
        """Walk all mappings that can be decoded; problems get one entry for each other."""
        for key, document in self._records.items():
            problem = ""
            try:
                mapping = decode_mapping(document)
                if key != mapping_key(mapping.resource_id, mapping.user_id):
                    problem = "its key is not made of its IDs"
                yield mapping
            except UndecodableError as error:
                problem = error.problem
            if problem:
                problems.append(RecordProblem(bucket=self._records.name, id=None, problem=problem))

    @property
    def are_there(self) -> bool:
        """Whether the store has both bolt buckets, without which a server answers no session."""
        return self._records.is_there and self._by_user.is_there

    def walk_by_user(self) -> Iterator[tuple[Id, Mapping | None]]:
        """Walk the mappings of all users as the server finds them: by the index.

        Yields:
            The user of an entry, and the mapping that it leads to, which can be one of another
            user; None when one of the two cannot be understood.
        """
        documents = dict(self._records.items())
        for key, entry in self._by_user.items():
            user_id, slash, _ = key.decode("latin-1").partition("/")
            document = documents.get(entry)
            if slash and (document is None or is_passed_over(document)):
                continue
            try:
                mapping = decode_mapping(document) if document is not None and slash else None
            except UndecodableError:
                mapping = None
            yield Id(user_id[:ID_LENGTH]), mapping

    def put(self, mapping: Mapping) -> None:
        """Write a mapping with its index entry, in the place of one of that user and resource."""
        key = mapping_key(mapping.resource_id, mapping.user_id)
        self._records.put(key, encode_mapping(mapping))
        self._by_user.put(by_user_key(mapping.resource_id, mapping.user_id), key)

    def delete(self, resource_id: Id, user_id: Id) -> None:
        """Remove a mapping with its index entry. Raises as `put`."""
        self._records.delete(mapping_key(resource_id, user_id))
        self._by_user.delete(by_user_key(resource_id, user_id))

    def get(self, resource_id: Id, user_id: Id) -> Mapping | None:
        """Read the role of a user in a resource; None without one, or if it cannot be decoded."""
        document = self._records.get(mapping_key(resource_id, user_id))
        try:
            return None if document is None else decode_mapping(document)
        except UndecodableError:
            return None

    def has(self, resource_id: Id, user_id: Id) -> bool:
        """Tell whether a user has a role in a resource, an undecodable one too."""
        return self._records.has(mapping_key(resource_id, user_id))

    def of_user(self, user_id: Id) -> list[Mapping]:
        """List the decodable roles of a user as the server finds them: by the index.

        An entry can lead to the role of another user, which is then nobody's.
        """
        documents = (
            self._records.get(key) for _, key in self._by_user.items(prefix=f"{user_id}/".encode())
        )
        return [one for one in _decodable(documents) if one.user_id == user_id]

    def of_resource(self, resource_id: Id) -> list[Mapping]:
        """List the roles in a resource, in the order of their users. Raises as `of_user`."""
        prefix = resource_id.encode()
        found = _decodable(document for _, document in self._records.items(prefix=prefix))
        return [one for one in found if one.resource_id == resource_id]

    def is_indexed(self, resource_id: Id, user_id: Id) -> bool:
        """Tell whether the index by user has a mapping; without it the mapping has no effect."""
        key = by_user_key(resource_id, user_id)
        return self._by_user.get(key) == mapping_key(resource_id, user_id)

    def delete_of_user(self, user_id: Id) -> int:
        """Remove every mapping of a user, with all its index entries; give their number."""
        suffix = user_id.encode()
        keys = [key for key, _ in self._records.items() if is_key_of_user(key, suffix)]
        for key in keys:
            self._records.delete(key)
        for key in [key for key, _ in self._by_user.items(prefix=suffix + b"/")]:
            self._by_user.delete(key)
        return len(keys)


def _decodable(documents: Iterable[bytes | None]) -> list[Mapping]:
    found = []
    for document in documents:
        if document is not None:
            with suppress(UndecodableError):
                found.append(decode_mapping(document))
    return found


def is_key_of_user(key: bytes, user_id: bytes) -> bool:
    """Tell whether the key of a mapping is one of this user."""
    return len(key) == 2 * len(user_id) and key.endswith(user_id)
