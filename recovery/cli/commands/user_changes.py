"""The commands that change users.

Lives here: `user create`, `update`, `rename`, `activate`, `deactivate`, `delete`. Must not live
here: the order of their steps (`recovery.services.changes.sequence`) and their decisions
(`recovery.services.tenancy.user_creation`, `user_changes`).
"""

import argparse

from recovery.cli.changing import run_planner
from recovery.cli.commands.user import user_choice
from recovery.cli.context import Context
from recovery.cli.secret_input import ask_new_secret, read_secret
from recovery.cli.store import find_store
from recovery.cli.usage import required
from recovery.errors import ExitCode
from recovery.ports import SystemClock, SystemRng
from recovery.secret import Secret
from recovery.services.authorizations.listing import open_inventory
from recovery.services.tenancy.user_changes import (
    DeleteUser,
    RenameUser,
    SetPassword,
    SetUserStatus,
)
from recovery.services.tenancy.user_creation import CreateUser

SEEN_BY_ALL = (
    "warning: a password on the command line can be seen by everybody on this machine; use "
    "--password-file or type it"
)


def run_create(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Make a user.

    Args:
        arguments: The options of `user create`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: No name was given.
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    username = required(arguments.username, "--username NAME", "user create")
    organization = _organization(arguments, context)
    password = None if arguments.no_password else _password(arguments, context)
    return run_planner(
        arguments,
        context,
        lambda _: CreateUser(
            name=username,
            password=password,
            organization=organization,
            is_owner=arguments.owner_of is not None,
            is_ensured=arguments.ensure,
            clock=SystemClock(),
            rng=SystemRng(),
        ),
    )


def _organization(arguments: argparse.Namespace, context: Context) -> str | None:
    """Say in which organization the new user gets a role: by default in the only one."""
    named: str | None = arguments.owner_of or arguments.member_of
    if named is not None or arguments.no_org:
        return named
    with open_inventory(find_store(arguments, context).path) as inventory:
        return inventory.only_organization_name()


def run_update(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Set a password.

    Args:
        arguments: The options of `user update`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: No user was named.
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    choice = user_choice(arguments, "user update")
    password = _password(arguments, context)
    return run_planner(
        arguments,
        context,
        lambda _: SetPassword(
            user=choice,
            password=password,
            is_activated=arguments.activate,
            is_ensured=arguments.ensure,
        ),
    )


def _password(arguments: argparse.Namespace, context: Context) -> Secret:
    """Get the new password from where it was said to be."""
    if arguments.password is not None:
        context.output.message(SEEN_BY_ALL)
        return Secret(arguments.password)
    if arguments.password_file is not None:
        return read_secret(arguments.password_file, what="password")
    return ask_new_secret("password")


def run_rename(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Rename a user.

    Args:
        arguments: The options of `user rename`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: No user or no new name was given.
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    choice = user_choice(arguments, "user rename")
    new_name = required(arguments.new_name, "--new-name NAME", "user rename")
    return run_planner(arguments, context, lambda _: RenameUser(user=choice, new_name=new_name))


def run_activate(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Let a user in again. Takes, returns and raises as `run_deactivate`."""
    choice = user_choice(arguments, "user activate")
    return run_planner(arguments, context, lambda _: SetUserStatus(user=choice, is_active=True))


def run_deactivate(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Keep a user out.

    Args:
        arguments: The options of `user deactivate`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: No user was named.
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    choice = user_choice(arguments, "user deactivate")
    return run_planner(arguments, context, lambda _: SetUserStatus(user=choice, is_active=False))


def run_delete(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Delete a user.

    Args:
        arguments: The options of `user delete`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: No user was named.
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    choice = user_choice(arguments, "user delete")
    return run_planner(
        arguments, context, lambda _: DeleteUser(user=choice, with_tokens=arguments.with_tokens)
    )
