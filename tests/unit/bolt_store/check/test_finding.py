"""A finding as a sentence."""

import pytest

from bolt_store import Finding, Severity


@pytest.mark.parametrize(
    ("pgid", "text"),
    [
        (7, "page 7: is odd [page.odd]"),
        (None, "is odd [page.odd]"),
        (0, "page 0: is odd [page.odd]"),
    ],
)
def test_a_finding_is_a_sentence_with_its_place_and_its_code(pgid: int | None, text: str) -> None:
    finding = Finding(code="page.odd", severity=Severity.WARNING, pgid=pgid, problem="is odd")
    assert str(finding) == text


def test_severities_ascend_from_harmless_to_fatal() -> None:
    assert list(Severity) == sorted(Severity)
    assert [each.name for each in Severity] == ["INFO", "WARNING", "UNSAFE", "FATAL"]
