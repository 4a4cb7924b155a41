"""What can be typed after `org` and `instance`.

Lives here: the words, options and help of the commands on organizations and the roles in them. Must
not live here: what they do, which is in `recovery.cli.commands.org` and `org_changes`.
"""

from recovery.cli.arguments.shared import add_command, add_manner, add_noun
from recovery.cli.words import Choices, Parser


def add_org(nouns: Choices) -> None:
    """Add the noun `org` and its commands.

    Args:
        nouns: The nouns of the program.
    """
    verbs = add_noun(
        nouns,
        "org",
        summary="list, make and rename organizations, and say who belongs to them",
        description="Organizations of the store: what users, buckets and tokens belong to.",
    )
    _add_list(verbs)
    _add_create(verbs)
    _add_rename(verbs)
    _add_roles(verbs)


def add_instance(nouns: Choices) -> None:
    """Add the noun `instance` and its command.

    Args:
        nouns: The nouns of the program.
    """
    verbs = add_noun(
        nouns,
        "instance",
        summary="make a user an owner of the whole server",
        description="The server as a whole. Its owners may do everything in the browser, in every "
        "organization. Servers before 2.4 know no such role.",
    )
    command = add_command(
        verbs,
        "instance add-owner",
        run="org_changes:run_add_instance_owner",
        summary="make a user an owner of the whole server",
        description="Make a user an owner of the instance, as set-up does since InfluxDB 2.4. It "
        "takes a store of level 20 or later.",
    )
    command.add_argument("--username", metavar="NAME", help="the user, by name (required)")
    add_manner(command)


def _add_list(verbs: Choices) -> None:
    add_command(
        verbs,
        "org list",
        run="org:run_list",
        summary="list every organization, with owners and members",
        description="List every organization of the store with its owners and members. The file "
        "is opened for reading only and nothing is changed.",
    )


def _add_create(verbs: Choices) -> None:
    command = add_command(
        verbs,
        "org create",
        run="org_changes:run_create",
        summary="make an organization that influxd starts with",
        description="Make an organization with its two system buckets, their entries in the "
        "catalogue of the storage engine, and an owner. influxd recovery leaves the entries out, "
        "and influxd does not start on what it made.",
    )
    command.add_argument("--org", metavar="NAME", help="name of the new organization (required)")
    command.add_argument(
        "--description", metavar="TEXT", default="", help="free text (default: none)"
    )
    command.add_argument(
        "--owner",
        metavar="NAME",
        help="user who will own it (default: the only user; with several, name one)",
    )
    command.add_argument(
        "--ensure",
        action="store_true",
        help="take an organization of this name for done, and change nothing (default: refuse)",
    )
    add_manner(command)


def _add_rename(verbs: Choices) -> None:
    command = add_command(
        verbs,
        "org rename",
        run="org_changes:run_rename",
        summary="give an organization another name",
        description="Give an organization another name. Tasks keep a copy of the old name, as "
        "they do when a server renames it.",
    )
    _add_org_choice(command)
    command.add_argument("--new-name", metavar="NAME", help="the new name (required)")
    add_manner(command)


def _add_roles(verbs: Choices) -> None:
    for verb, run, summary in (
        ("add-owner", "run_add_owner", "make a user an owner of an organization"),
        ("add-member", "run_add_member", "make a user a member of an organization"),
        ("remove-member", "run_remove_member", "end the role of a user in an organization"),
    ):
        command = add_command(
            verbs,
            f"org {verb}",
            run=f"org_changes:{run}",
            summary=summary,
            description=f"{summary.capitalize()}. A user has one role in an organization: a new "
            "one takes the place of the old one. It cannot change what tokens may do.",
        )
        _add_org_choice(command)
        command.add_argument("--username", metavar="NAME", help="the user, by name (required)")
        add_manner(command)


def _add_org_choice(command: Parser) -> None:
    command.add_argument(
        "--org",
        metavar="NAME",
        help="the organization (default: the only one; with several, name one)",
    )
