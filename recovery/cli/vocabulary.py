"""Every command by its words, with the line that lists it and the module that has it.

Lives here: the tables `NOUNS` and `COMMANDS`, in the order of the help, and the one step from words
to a command. Must not live here: what a command does or takes, and any import of one: the module of
a command is imported when its words are typed.

Invariants: the last word of a command, in capitals, is the name of its `Command` in its module:
`auth set-active` is `SET_ACTIVE`. A module begins with the noun and goes on with the name of the
service behind it: `auth_creation` stands on `recovery.services.authorizations.creation`.
"""

import importlib
from typing import TYPE_CHECKING, Final, NamedTuple

from recovery.cli.late import import_msgspec

if TYPE_CHECKING:
    from typing import Any

    from recovery.cli.options import Command


PROGRAM: Final = "influx-recovery"


class Entry(NamedTuple):
    """A line of the help.

    Attributes:
        module: Where the command is, in `recovery.cli.commands`.
    """

    module: str
    summary: str


class Noun(NamedTuple):
    """A first word that others follow.

    Attributes:
        summary: Its line in the list of all commands.
    """

    summary: str
    description: str


NOUNS: Final = {
    "auth": Noun(
        "list, make, check, change and delete authorizations",
        "Authorizations of the store: the records behind API tokens, each with the user and "
        "organization that it belongs to and what it permits.",
    ),
    "v1-auth": Noun(
        "user names and passwords for clients of InfluxDB 1.x",
        "1.x-compatible authorizations of the store: the user names and passwords that clients of "
        "InfluxDB 1.x send to /query and /write. They are apart from users and API tokens.",
    ),
    "user": Noun(
        "list, show, make and change users and their passwords",
        "Users of the store: the names and passwords that people sign in with.",
    ),
    "org": Noun(
        "list, make, change and delete organizations, and say who belongs to them",
        "Organizations of the store: what users, buckets and tokens belong to.",
    ),
    "bucket": Noun(
        "list, make and change buckets",
        "InfluxDB buckets of the store: where time series go. The time series themselves are not "
        "in the store.",
    ),
    "instance": Noun(
        "make a user an owner of the whole server",
        "The server as a whole. Its owners may do everything in the browser, in every "
        "organization. Servers before 2.4 know no such role.",
    ),
    "store": Noun(
        "find, back up, compare and mend stores",
        "The store itself, the file influxd.bolt, as a whole.",
    ),
    "recipe": Noun(
        "files and steps for containers, clusters, timers, a NAS and many hosts",
        "Files and steps for where this is not typed by hand on the machine of the store: "
        "containers, clusters, timers, a NAS, a rescue system, many hosts at once. They are filled "
        "with what is found here.",
    ),
    "ledger": Noun(
        "see what was done to which store, when, by whom and why",
        "The record of what this tool has done. Nothing is ever taken out of it, and no token is "
        "in it. Only changes made with this tool are known to it.",
    ),
}

COMMANDS: Final = {
    "auth list": Entry("auth_listing", "list every authorization, and say which are operators"),
    "auth create-operator": Entry("auth_creation", "make a new operator token"),
    "auth create": Entry("auth_creation", "make a token with just the rights that a client needs"),
    "auth verify": Entry(
        "auth_verification", "say which record a token matches, and what it may do"
    ),
    "auth show": Entry("auth_details", "show everything about one authorization"),
    "auth set-active": Entry("auth_changes", "set authorizations active"),
    "auth set-inactive": Entry("auth_changes", "set authorizations inactive"),
    "auth update": Entry("auth_changes", "give one authorization another description"),
    "auth delete": Entry(
        "auth_changes", "delete authorizations, so that their tokens are worth nothing"
    ),
    "auth undelete": Entry(
        "auth_undeletion", "bring deleted authorizations back, so that their tokens work again"
    ),
    "auth rotate": Entry(
        "auth_rotation", "replace tokens that leaked by new ones with the same rights"
    ),
    "auth complete": Entry(
        "auth_changes", "give an older operator token the permissions that it lacks"
    ),
    "auth hash": Entry("auth_hashing", "store raw tokens as hashes, as InfluxDB 2.9 does"),
    "auth export": Entry("auth_transfer", "write authorizations into a new file, for auth import"),
    "auth import": Entry(
        "auth_transfer",
        "bring exported authorizations into a store, so that old tokens work again",
    ),
    "v1-auth list": Entry("v1_auth", "list every 1.x-compatible authorization"),
    "v1-auth create": Entry("v1_auth", "make a 1.x user name that may read or write buckets"),
    "v1-auth set-password": Entry("v1_auth", "set the password of a 1.x user name"),
    "v1-auth set-active": Entry("v1_auth", "set one 1.x-compatible authorization active"),
    "v1-auth set-inactive": Entry("v1_auth", "set one 1.x-compatible authorization inactive"),
    "v1-auth delete": Entry("v1_auth", "delete one 1.x-compatible authorization with its password"),
    "v1-auth undelete": Entry(
        "v1_auth_undeletion", "bring a deleted 1.x-compatible authorization back, with its password"
    ),
    "user list": Entry("user_listing", "list every user, with status and organizations"),
    "user show": Entry(
        "user_details", "say all about one user: roles, tokens, and whether it can sign in"
    ),
    "user create": Entry("user_creation", "make a user who can really sign in"),
    "user update": Entry("user_changes", "set the password of a user"),
    "user rename": Entry("user_changes", "give a user another name"),
    "user activate": Entry("user_changes", "let a user in again"),
    "user deactivate": Entry("user_changes", "keep a user out, with all its tokens"),
    "user delete": Entry("user_changes", "delete a user with its password and roles"),
    "user undelete": Entry("user_undeletion", "bring a deleted user back, with password and roles"),
    "user verify-password": Entry("user_details", "try a password without a server"),
    "org list": Entry("org_listing", "list every organization, with owners and members"),
    "org create": Entry("org_changes", "make an organization that influxd starts with"),
    "org rename": Entry("org_changes", "give an organization another name"),
    "org update": Entry("org_changes", "give an organization another description"),
    "org delete": Entry("org_changes", "delete an organization that has no data"),
    "org add-owner": Entry("org_changes", "make a user an owner of an organization"),
    "org add-member": Entry("org_changes", "make a user a member of an organization"),
    "org remove-member": Entry("org_changes", "end the role of a user in an organization"),
    "bucket list": Entry("bucket_listing", "list every bucket, with organization and retention"),
    "bucket create": Entry("bucket_changes", "make a bucket that influxd starts with"),
    "bucket rename": Entry("bucket_changes", "give a bucket another name"),
    "bucket update": Entry("bucket_changes", "change how long data stay, or the description"),
    "bucket delete": Entry("bucket_changes", "delete a bucket that has no data"),
    "instance add-owner": Entry("instance_changes", "make a user an owner of the whole server"),
    "setup": Entry("setup", "make a new store that influxd takes for set up"),
    "store check": Entry(
        "store_check", "say whether influxd will start on the store, and what is wrong with it"
    ),
    "store repair": Entry("store_repair", "mend what can be mended safely"),
    "store backup": Entry(
        "store_backup", "copy the store, consistent and verified, also while influxd is running"
    ),
    "store backups": Entry(
        "store_backups", "list the copies beside the store and who needs them, or prune them"
    ),
    "store prepare-restore": Entry(
        "store_prepare_restore", "make a backup of a server that hashes tokens restorable in full"
    ),
    "store undo": Entry("store_undo", "take back what was done last, byte for byte"),
    "store compact": Entry(
        "store_salvage", "copy the store into a new, packed file, without what was deleted"
    ),
    "store salvage": Entry(
        "store_salvage", "get out of a damaged store what can be read, into a new file"
    ),
    "store rebuild": Entry(
        "store_rebuild", "make a lost store again from the engine's folder, with all its data"
    ),
    "store find": Entry(
        "store_find", "find every store of this machine, and say which one a server would open"
    ),
    "store info": Entry(
        "store_info",
        "say what a store is: level, versions, who can get in, what was done last",
    ),
    "store diff": Entry(
        "store_diff", "say what is different between two stores, by name and without secrets"
    ),
    "store report": Entry(
        "store_report", "write one page of HTML about the store, with pictures and without secrets"
    ),
    "store export": Entry(
        "store_export",
        "write users, organizations, buckets, tokens and findings to an SQLite file",
    ),
    "serve": Entry(
        "serve", "serve the API of the stopped server, for the clients that people have"
    ),
    "recipe list": Entry("recipe", "list the recipes"),
    "recipe show": Entry("recipe", "print the files of a recipe, filled with what is found here"),
    "recipe write": Entry("recipe", "write the files of a recipe into a folder"),
    "ledger list": Entry("ledger", "list what was done, the newest last"),
    "ledger show": Entry("ledger", "show one operation with all that is known of it"),
    "schema": Entry("schema", "print the JSON Schema of what --json prints"),
    "completion": Entry("completion", "print what completes command lines in bash, zsh or fish"),
    "demo": Entry("demo", "watch the whole job on a sample store"),
}

VERBS: Final = frozenset(word for words in COMMANDS for word in words.split())
"""Every word of a command."""


def load(words: str) -> "Command[Any]":
    """Import the one command of `COMMANDS` that has these words."""
    import_msgspec()
    module = importlib.import_module(f"recovery.cli.commands.{COMMANDS[words].module}")
    command: Command[Any] = getattr(module, words.rsplit(maxsplit=1)[-1].replace("-", "_").upper())
    return command
