"""The words that permissions are made of.

Lives here: actions and resource types, in the server's order. Must not live here: what permissions
mean (`permission`), or any import: the command line has an option for each of these words, and is
built at every start of the program.

Source: InfluxDB authz.go (AllResourceTypes) at v2.0.0, v2.1.1, v2.2.0, v2.4.0 and v2.9.1.
"""

from typing import Final

ACTIONS: Final = ("read", "write")
BASE_TYPES: Final = (
    "authorizations", "buckets", "dashboards", "orgs", "sources", "tasks", "telegrafs", "users",
    "variables", "scrapers", "secrets", "labels", "views", "documents", "notificationRules",
    "notificationEndpoints", "checks", "dbrp",
)  # fmt: skip
"""The 18 types of 2.0."""
TYPES_2_1: Final = ("notebooks", "annotations")
TYPES_2_2: Final = ("remotes", "replications")
WORDS: Final = {
    "orgs": "organizations",
    "telegrafs": "Telegraf configurations",
    "notificationRules": "notification rules",
    "notificationEndpoints": "notification endpoints",
    "dbrp": "mappings of 1.x databases",
    "remotes": "remote connections",
}
"""What people call those types that are no plain words."""
ALL_TYPES: Final = (*BASE_TYPES, *TYPES_2_1, *TYPES_2_2)
"""The 22 types that a token can name."""
