"""What can be typed after `bucket`.

Lives here: the words, options and help of the command on InfluxDB buckets. Must not live here: what
it does, which is in `recovery.cli.commands.bucket`.
"""

from recovery.cli.arguments.shared import add_command, add_noun
from recovery.cli.words import Choices


def add_bucket(nouns: Choices) -> None:
    """Add the noun `bucket` and its command.

    Args:
        nouns: The nouns of the program.
    """
    verbs = add_noun(
        nouns,
        "bucket",
        summary="list the buckets",
        description="InfluxDB buckets of the store: where time series go. The time series "
        "themselves are not in the store.",
    )
    command = add_command(
        verbs,
        "bucket list",
        run="bucket:run_list",
        summary="list every bucket, with organization and retention",
        description="List every bucket with its organization and its retention, and say of each "
        "whether the storage engine knows it; influxd does not start when it does not know one. "
        "The file is opened for reading only and nothing is changed.",
    )
    command.add_argument(
        "--org", metavar="NAME", help="only those of this organization (default: all)"
    )
