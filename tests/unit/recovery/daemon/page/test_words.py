"""Plans, findings and errors in the words of the page."""

from recovery.daemon.page.words import as_sentence, doing, done_words, record_of

ID = "0f1450d0702ab000"


def test_a_clause_becomes_a_sentence() -> None:
    assert [as_sentence(one) for one in ("", "it is so", "Is it?")] == ["", "It is so.", "Is it?"]


def test_a_finding_leads_to_its_record_and_to_where_something_can_be_done() -> None:
    assert record_of("authorizationsv1", ID) == (f"API token {ID}", f"/tokens/{ID}")
    assert record_of("authorizationsv1", None) == ("API tokens", "")
    assert record_of("dbrpv1", ID) == (f"“dbrpv1” {ID}", "")
    places = [one.path for one in doing(["auth delete", "auth set-active", "v1-auth delete"])]
    assert places == ["/tokens"]


def test_what_was_done_is_said_by_the_name_of_the_operation() -> None:
    assert done_words("serve auth delete").startswith("The token is deleted")
    assert done_words("serve v1-auth create") == ""
