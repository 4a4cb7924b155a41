"""The commands that change organizations and the roles in them.

Lives here: `org create`, `rename`, `add-owner`, `add-member`, `remove-member`, and `instance
add-owner`. Must not live here: the order of their steps (`recovery.services.changes.sequence`) and
their decisions (`recovery.services.tenancy.organization_changes`).
"""

import argparse

from recovery.cli.changing import run_planner
from recovery.cli.context import Context
from recovery.cli.usage import required
from recovery.errors import ExitCode
from recovery.model.mapping import MEMBER, OWNER
from recovery.ports import SystemClock, SystemRng
from recovery.services.tenancy.organization_changes import (
    CreateOrganization,
    RemoveRole,
    RenameOrganization,
    SetInstanceOwner,
    SetRole,
)

USERNAME = "--username NAME"


def run_create(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Make an organization.

    Args:
        arguments: The options of `org create`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: No name was given.
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    name = required(arguments.org, "--org NAME", "org create")
    return run_planner(
        arguments,
        context,
        lambda _: CreateOrganization(
            name=name,
            description=arguments.description,
            owner=arguments.owner,
            is_ensured=arguments.ensure,
            clock=SystemClock(),
            rng=SystemRng(),
        ),
    )


def run_rename(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Rename an organization.

    Args:
        arguments: The options of `org rename`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: No new name was given.
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    new_name = required(arguments.new_name, "--new-name NAME", "org rename")
    return run_planner(
        arguments,
        context,
        lambda _: RenameOrganization(name=arguments.org, new_name=new_name, clock=SystemClock()),
    )


def run_add_owner(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Make a user an owner. Takes, returns and raises as `run_remove_member`."""
    return _run_role(arguments, context, role=OWNER)


def run_add_member(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Make a user a member. Takes, returns and raises as `run_remove_member`."""
    return _run_role(arguments, context, role=MEMBER)


def _run_role(arguments: argparse.Namespace, context: Context, *, role: str) -> ExitCode:
    username = required(arguments.username, USERNAME, f"org add-{role}")
    return run_planner(
        arguments,
        context,
        lambda _: SetRole(username=username, organization=arguments.org, role=role),
    )


def run_remove_member(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """End a role.

    Args:
        arguments: The options of `org remove-member`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: No user was named.
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    username = required(arguments.username, USERNAME, "org remove-member")
    return run_planner(
        arguments,
        context,
        lambda _: RemoveRole(username=username, organization=arguments.org),
    )


def run_add_instance_owner(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Make a user an owner of the instance.

    Args:
        arguments: The options of `instance add-owner`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: No user was named.
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    username = required(arguments.username, USERNAME, "instance add-owner")
    return run_planner(arguments, context, lambda _: SetInstanceOwner(username=username))
