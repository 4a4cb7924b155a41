"""What a server decodes, as seen with a real 2.9.1."""

import pytest

from recovery.model.goshape import (
    AUTHORIZATION,
    BUCKET,
    CHECK,
    DASHBOARD,
    DBRP,
    ENDPOINT,
    LABEL,
    RULE,
    RUN,
    TASK,
    TELEGRAF,
    Shape,
    can_decode,
    can_decode_runs,
)

ID = "0a00000000000001"


@pytest.mark.parametrize(
    ("document", "is_decoded"),
    [
        (b"null", True),
        (b"{}", True),
        (b'{"unknown": [], "NAME": "x"}', True),
        (b"", False),
        (b"[]", False),
        (b"7", False),
        (b"{cut", False),
        (b'{"id": null}', True),
        (b'{"id": ""}', False),
        (b'{"id": 7}', False),
        (b'{"id": "0000000000000000"}', False),
        (f'{{"id": "{ID.upper()}"}}'.encode(), True),
        (b'{"name": null}', True),
        (b'{"name": []}', False),
        (b'{"offset": null}', False),
        (b'{"offset": ""}', False),
        (b'{"offset": "1h30m"}', True),
        (b'{"offset": 5.5}', True),
        (b'{"offset": "soon"}', False),
        (b'{"latestCompleted": ""}', False),
        (b'{"latestCompleted": null}', True),
        (b'{"latestCompleted": "2026-11-28T00:00:00Z"}', True),
        (b'{"metadata": []}', False),
        (b'{"metadata": {"a": 1}}', True),
    ],
)
def test_a_task_is_decoded_as_go_does_it(document: bytes, *, is_decoded: bool) -> None:
    assert can_decode(document, TASK) is is_decoded


@pytest.mark.parametrize(
    ("document", "is_decoded"),
    [
        (b"[]", True),
        (b"null", True),
        (b"[{}]", True),
        (b"[null]", False),
        (b"{}", False),
        (b'[{"log": [{"runID": ""}]}]', False),
        (b'[{"isSampled": "yes"}]', False),
        (b'[{"isSampled": true, "log": null}]', True),
    ],
)
def test_a_null_among_the_runs_asked_for_is_followed(document: bytes, *, is_decoded: bool) -> None:
    assert can_decode_runs(document) is is_decoded
    assert can_decode(b"{}", RUN)


def test_numbers_and_lists_of_structs_are_looked_into() -> None:
    assert can_decode(b'{"retentionPeriod": 0, "type": 1}', BUCKET)
    assert not can_decode(b'{"retentionPeriod": 1.5}', BUCKET)
    assert not can_decode(b'{"type": "1"}', BUCKET)
    assert can_decode(b'{"permissions": [{"action": "x", "resource": {}}]}', AUTHORIZATION)
    assert not can_decode(b'{"permissions": [{"resource": {"id": ""}}]}', AUTHORIZATION)
    assert not can_decode(b'{"permissions": {}}', AUTHORIZATION)


@pytest.mark.parametrize(
    ("document", "is_decoded"),
    [
        (b'{"name":7,"name":"x"}', False),
        (b'{"name":"x","name":7}', False),
        (b'{"name":7,"NAME":"x"}', False),
        (b'{"name":"y","name":"x"}', True),
        (b'{"createdAt":"zz","createdAt":"2026-11-28T00:00:00Z"}', False),
        (b'{ "orgID" : "zz" , "orgID" : "0a00000000000001" }', False),
        (b'{"type":"x","type":1}', False),
        (b'{"type":1,"type":9223372036854775808}', False),
        (b'{"unknown":7,"unknown":"x"}', True),
        (b'{"name":"\xff","name":"x"}', True),
    ],
)
def test_what_is_there_twice_is_decoded_twice(document: bytes, *, is_decoded: bool) -> None:
    """The last one counts, and the first one can be an error all the same."""
    assert can_decode(document, BUCKET) is is_decoded


@pytest.mark.parametrize(
    ("document", "shape", "is_decoded"),
    [
        (b'{"default":"9"}', DBRP, False),
        (b'{"default":null,"virtual":true}', DBRP, True),
        (b'{"retention_policy":7}', DBRP, False),
        (b'{"metadata":"0001-01-01T00:00:00Z"}', TELEGRAF, False),
        (b'{"metadata":{"buckets":[]}}', TELEGRAF, True),
        (b'{"cells":[{"id":{}}]}', DASHBOARD, False),
        (b'{"cells":[{"id":"0000000000000000"}]}', DASHBOARD, False),
        (b'{"cells":[{"w":"4"}]}', DASHBOARD, False),
        (b'{"cells":[{"w":2147483648}]}', DASHBOARD, False),
        (b'{"cells":[{"w":-2147483648,"h":null}],"meta":{}}', DASHBOARD, True),
        (b'{"runbookLink":true}', RULE, False),
        (b'{"disableWebPagePreview":""}', RULE, False),
        (b'{"messageTemplate":"x","sleepUntil":null}', RULE, True),
        (b'{"every":"1h","offset":"0s"}', RULE, True),
        (b'{"every":"","offset":null}', RULE, True),
        (b'{"every":"zz"}', RULE, False),
        (b'{"every":"7"}', CHECK, False),
        (b'{"offset":7}', CHECK, False),
        (b'{"every":["a"]}', RULE, False),
        (b'{"statusRules":"zz"}', RULE, False),
        (b'{"statusRules":[{}]}', RULE, True),
        (b'{"taskID":"zz"}', CHECK, False),
        (b'{"url":7}', ENDPOINT, False),
        (b'{"properties":{"color":7}}', LABEL, False),
        (b'{"properties":{"color":"#fff"}}', LABEL, True),
    ],
)
def test_what_a_listing_decodes_is_decoded_as_go_does_it(
    document: bytes, shape: Shape, *, is_decoded: bool
) -> None:
    assert can_decode(document, shape) is is_decoded
