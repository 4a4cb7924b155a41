"""The fields of a stored record, as a server takes it.

Lives here: `decode_record`. Must not live here: JSON (`recovery.model.gojson`), and what each kind
of record is decoded into (`recovery.model.goshape`).
"""

from recovery.model.gojson import Fields, decode_fields, repeats


def decode_record(document: bytes, shape: str) -> Fields:
    """Take a stored record apart, as `decode_fields`.

    Args:
        shape: What a server decodes it into, by its name in `recovery.model.goshape`.

    Raises:
        UndecodableError: It is no JSON object, or has a field twice, and a server cannot decode
            one of the two values.
    """
    if repeats(document):
        from recovery.model import goshape  # noqa: PLC0415 # large, and no server writes such

        goshape.require_decodable(document, getattr(goshape, shape))
    return decode_fields(document)
