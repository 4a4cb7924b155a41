"""Plans, findings and errors in the words of the page."""

import pytest

from recovery.daemon.page.words import as_sentence, doing, plain, record_of, told
from recovery.services.doctor.finding import Finding, Severity

ID = "0f1450d0702ab000"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (f"add authorization {ID}: user x", f"add API token {ID}: user x"),
        ("its 5 authorizations stay", "its 5 API tokens stay"),
        (f"I8: usersv1 {ID} has no entry", f"finding I8: user {ID} has no entry"),
        ("stays: I9: usersv1 x", "stays: finding I9: users x"),
        ("I4: idsv1 is odd", "finding I4: ID of the server is odd"),
        ("is an authorization of nobody", "is an API token of nobody"),
    ],
)
def test_places_of_findings_and_authorizations_are_put_into_other_words(
    told: str, expected: str
) -> None:
    assert plain(told) == expected


@pytest.mark.parametrize(
    "told",
    [
        "rename user usersv1 to mainv1",
        "the user authorization",
        f"1.x authorization {ID}",
        f"the legacy authorization {ID}",
    ],
)
def test_a_name_of_the_store_stays_as_it_is(told: str) -> None:
    assert plain(told) == told


def test_a_clause_becomes_a_sentence() -> None:
    assert [as_sentence(one) for one in ("", "it is so", "Is it?")] == ["", "It is so.", "Is it?"]


def test_a_clause_of_a_finding_has_the_name_of_the_server() -> None:
    assert told("influxd stops: see influxd.bolt") == "InfluxDB stops: see influxd.bolt."


def test_a_finding_leads_to_its_record_and_to_where_something_can_be_done() -> None:
    def finding(bucket: str, record_id: str | None) -> Finding:
        return Finding(
            number="I1", severity=Severity.LOW, bucket=bucket, id=record_id, problem="", effect="",
            remedy="",
        )  # fmt: skip

    assert record_of(finding("authorizationsv1", ID)) == (f"API token {ID}", f"/tokens/{ID}")
    assert record_of(finding("authorizationsv1", None)) == ("API tokens", "")
    assert record_of(finding("dbrpv1", ID)) == (f"dbrpv1 {ID}", "")
    places = [one.path for one in doing(["auth delete", "auth set-active", "v1-auth delete"])]
    assert places == ["/tokens"]
