"""The command that replaces raw tokens by their hashes.

Lives here: `auth hash`. Must not live here: what it writes
(`recovery.services.authorizations.hashing`).
"""

from typing import Final

from recovery.cli.changing import planned
from recovery.cli.choices import authorization_id
from recovery.cli.options import Change, Command
from recovery.cli.words import Parser
from recovery.services.authorizations.hashing import HashTokens


class _Hash(Change, frozen=True):
    id: str | None
    all: bool


def _add_hash(command: Parser) -> None:
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "id",
        nargs="?",
        metavar="ID",
        help="the authorization, 16 hex digits (this or --all is required)",
    )
    which.add_argument(
        "--all",
        action="store_true",
        help="every authorization with a raw token (this or ID is required)",
    )


def _hash(options: _Hash) -> HashTokens:
    wanted = None if options.id is None else authorization_id(options.id)  # None means all
    return HashTokens(authorization_id=wanted)


HASH: Final = Command(
    description="Replace the raw token of one authorization, or of all, by its SHA-256 hash, "
    "exactly as a server with use-hashed-tokens does at its start. Clients go on working on "
    "InfluxDB 2.8 and later. Nothing can show these tokens afterwards, and older servers cannot "
    "use them, unless store undo puts the backup back; that and freed pages of the file still hold "
    "the raw tokens. influxd must be stopped; the store must be of InfluxDB 2.8 or later.",
    example="auth hash --all",
    options=_Hash,
    run=planned(_hash),
    add_options=_add_hash,
)
