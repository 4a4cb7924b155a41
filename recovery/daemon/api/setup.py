"""The first set-up of a store that is there and empty.

Lives here: /api/v2/setup. Must not live here: what it writes.

Source: InfluxDB v2.9.1 tenant/service_onboarding.go, tenant/http_server_onboarding.go; spec
admin-daemon 1.6.
"""

from recovery.daemon.answer import Answer, json_answer
from recovery.daemon.call import Call
from recovery.metastore.transaction import MetaTx


def is_allowed(call: Call) -> Answer:
    """Say whether nobody has set it up yet."""
    return json_answer({"allowed": is_empty(call.tx)})


def is_empty(tx: MetaTx) -> bool:
    """Tell whether no user and no organization can be decoded."""
    return next(tx.users.walk([]), None) is None and next(tx.organizations.walk([]), None) is None
