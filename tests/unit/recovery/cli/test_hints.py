"""Remedies in the words of the command line."""

import argparse
from collections.abc import Sequence

import pytest

from recovery.cli.hints import AtHand, command_line
from recovery.remedy import Give, Input, Omit, Remedy, Run
from tests.support.hints import complaint, whole_parser

PARSER = whole_parser()


def hint(remedy: Remedy, command: str, *, typed: Sequence[str] = (), **given: str) -> str:
    """Word a remedy for a command that was typed."""
    arguments = argparse.Namespace(words=command, **{"bolt_path": None, "ledger": None, **given})
    return AtHand(arguments, PARSER, typed).hint(remedy)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("user show", "name one with --username NAME"),
        ("auth list", "name one with --user NAME"),
        ("org create", "name one with --owner NAME"),
        ("auth create", "name one with --user NAME"),
        ("store check", "name one"),
    ],
)
def test_a_hint_names_the_option_that_the_command_has(command: str, expected: str) -> None:
    assert hint(Give(Input.USER, "name one"), command) == expected


def test_what_the_command_has_no_way_for_is_left_out() -> None:
    remedy = ("make space there", Give(Input.OUTPUT, "make a changed copy elsewhere"))
    assert hint(remedy, "store undo") == "make space there"
    assert hint(remedy, "user rename") == (
        "make space there, or make a changed copy elsewhere with --output FILE"
    )


def test_two_ways_to_say_it_are_both_named() -> None:
    remedy = Give(Input.TOKEN_PLACE, "name a place for the token")
    assert hint(remedy, "auth create-operator") == (
        "name a place for the token with --token-file PATH or --token-stdout"
    )
    assert hint(Give(Input.STORE, "name the store"), "store diff") == "name the store as A or B"
    assert hint(Give(Input.ORGANIZATION, "name one"), "user create") == (
        "name one with --owner-of ORG or --member-of ORG"
    )


def test_what_is_known_can_be_pasted() -> None:
    remedy = Give(Input.STORE, "name the other one", "/srv/my data/influxd.bolt")
    assert hint(remedy, "auth list") == (
        "name the other one with --bolt-path '/srv/my data/influxd.bolt'"
    )


def test_what_is_to_be_left_out_is_named_as_far_as_the_command_has_it() -> None:
    remedy = Omit((Input.PAGE_SIZE, Input.ROOT_PAGE))
    assert hint(remedy, "store salvage") == "leave --page-size and --root-page out"
    assert hint(remedy, "store info") == "type influx-recovery store info --help"


def test_another_command_gets_the_store_and_the_ledger_of_this_one() -> None:
    remedy = Run("auth show", "to see it", {Input.ID: "0a00000000000001"})
    assert hint(remedy, "auth list") == "type influx-recovery auth show 0a00000000000001 to see it"
    assert hint(remedy, "auth list", bolt_path="/a b", ledger="l") == (
        "type influx-recovery auth show 0a00000000000001 --bolt-path '/a b' --ledger l to see it"
    )
    assert command_line("store diff", {Input.STORE: "/a", Input.OTHER_STORE: "/b"}) == (
        "influx-recovery store diff /a /b"
    )
    assert command_line("store salvage", {Input.TARGET: None}) == (
        "influx-recovery store salvage TARGET"
    )
    assert command_line("user update", {Input.USER: None}) == (
        "influx-recovery user update --username NAME"
    )


@pytest.mark.parametrize(
    ("sentence", "command"),
    [
        ("name one with --username NAME", "auth list"),
        ("type influx-recovery auth lst", "auth list"),
        ("type influx-recovery auth show ID --frobnicate to see it", "auth list"),
        ("type influx-recovery auth list --username x to see it", "auth list"),
        ("add --yes", "auth list"),
        ("type influx-recovery auth", "auth list"),
    ],
)
def test_what_cannot_be_typed_is_found(sentence: str, command: str) -> None:
    assert complaint(sentence, command)


@pytest.mark.parametrize(
    "sentence",
    [
        "type influx-recovery auth list --user x to see it, or stop influxd first",
        "restore the backup: cp -- /a /b",
        "try gunzip --test X",
        "type influx-recovery auth --help",
        "did you mean --operators?",
        "name one with --user NAME",
    ],
)
def test_what_can_be_typed_is_let_through(sentence: str) -> None:
    assert complaint(sentence, "auth list") is None


def test_what_is_to_be_left_out_is_named_as_it_was_typed() -> None:
    remedy = Omit((Input.HASHED,))
    assert hint(remedy, "auth create") == "leave --hashed out"
    typed = ("--store-token-hashes",)
    assert hint(remedy, "auth create", typed=typed) == "leave --store-token-hashes out"


def test_what_was_said_already_is_not_proposed_again() -> None:
    remedy = ("mend those lines", Give(Input.MATCH_BY_NAME, "match by name"))
    assert hint(remedy, "auth import") == "mend those lines, or match by name with --match-by-name"
    assert hint(remedy, "auth import", typed=["f", "--match-by-name"]) == "mend those lines"
