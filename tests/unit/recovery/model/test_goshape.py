"""What a server decodes, as seen with a real 2.9.1."""

import pytest

from recovery.model.goshape import AUTHORIZATION, BUCKET, RUN, TASK, can_decode, can_decode_runs

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
