"""Labels of buckets, which are shown here and not changed.

Lives here: which labels a bucket has. Must not live here: buckets (`recovery.daemon.api.buckets`).

Source: InfluxDB v2.9.1 label.go, label/storage_label.go (FindResourceLabels),
label/middleware_auth.go, authorizer/authorize_find.go (AuthorizeFindLabels).
"""

from typing import Final

import msgspec

from recovery.daemon.call import Call
from recovery.model.bucket import Bucket
from recovery.model.gojson import UndecodableError, decode_fields, id_field, text_field
from recovery.model.ids import ID_LENGTH

_LABELS: Final = "labelsv1"
_MAPPINGS: Final = "labelmappingsv1"
_NULL: Final = msgspec.Raw(b"null")


def labels_of(call: Call, bucket: Bucket) -> list[dict[str, object]]:
    """List the labels of a bucket that may be read; none where the bucket itself may not be."""
    if not call.rights.may("read bucket", one=bucket.id, org=bucket.org_id):
        return []
    labels = call.tx.table(_LABELS)
    found: list[dict[str, object]] = []
    for key, _ in call.tx.table(_MAPPINGS).items(prefix=bucket.id.encode()):  # noqa: PERF102 # no dict
        document = labels.get(key[ID_LENGTH:])
        if document is None:
            continue
        try:
            fields = decode_fields(document)
            label_id, org_id = id_field(fields, "id"), id_field(fields, "orgID")
            name = text_field(fields, "name")
            properties = _PROPERTIES.decode(fields.get("properties", _NULL)) or {}
        except (UndecodableError, msgspec.ValidationError):
            continue
        if call.rights.may("read label", one=label_id, org=org_id):
            texts = {key: properties[key] or "" for key in sorted(properties)}
            more = {"properties": texts} if texts else {}
            found.append({"id": label_id, "orgID": org_id, "name": name, **more})
    return found


_PROPERTIES: Final = msgspec.json.Decoder(dict[str, str | None] | None)
