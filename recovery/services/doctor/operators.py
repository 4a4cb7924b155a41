"""Which tokens of operators each kind of server would let in.

Lives here: `OperatorCount`. Must not live here: what is wrong with a record (`authorizations`), and
the judgement of one token (`recovery.model.standing`).

Source: InfluxDB v2.7.12 and v2.9.1 authorization/storage_authorization.go
(GetAuthorizationByToken); each case was seen with both.
"""

from collections.abc import Collection

import msgspec

from recovery.metastore.table import Table
from recovery.model.authorization import Authorization
from recovery.model.ids import parse_id
from recovery.model.permission import OperatorLevel
from recovery.model.standing import Standing, found_standing
from recovery.model.token import LEVEL_HASHED, TokenForm
from recovery.services.access import token_facts
from recovery.services.doctor.chart import Chart
from recovery.services.doctor.servers import FROM_2_8, NO_SERVER, Server


class OperatorCount:
    """Counts the operators, for the accesses of a chart."""

    def __init__(self, chart: Chart, raw_index: Table) -> None:
        """Count none yet; `raw_index` leads from raw tokens to records."""
        self._chart = chart
        self._has_entry = chart.tx.authorizations.index_check()
        is_by_index = chart.level < LEVEL_HASHED
        self._led_to = {one for _, one in raw_index.items()} if is_by_index else set[bytes]()
        self._usable: dict[tuple[object, ...], tuple[Server, ...]] = {}

    def count(
        self, authorization: Authorization, level: OperatorLevel, key: bytes, *, lost: bool = False
    ) -> None:
        """Count the operators that each server would let in, whatever ID their records have.

        Most tokens are alike in all that a server asks about, and those are judged once. That the
        permissions can be read is known here.

        Args:
            lost: Whether one that was counted is taken out, for a server that hashes tokens.
        """
        key_id = parse_id(key)
        is_found = key_id is not None and key == key_id.encode()
        if level is OperatorLevel.NONE:
            return
        if is_found and key_id is not None and key_id != authorization.id:
            authorization = msgspec.structs.replace(authorization, id=key_id)
        alike = (
            authorization.user_id,
            authorization.org_id is None,
            authorization.status,
            authorization.form,
            self._has_entry(authorization),
            authorization.id.encode() in self._led_to,
        )
        usable = self._usable.get(alike)
        if usable is None:
            standings = standing_by_server(self._chart, authorization, self._led_to)
            usable = tuple(server for server in standings if standings[server].is_usable)
            self._usable[alike] = usable
        step = -1 if lost else 1
        # What no look-up finds is written where its ID says by a server that hashes its token.
        is_hashed = authorization.form is TokenForm.RAW
        others = frozenset({Server.HASHING}) if is_hashed else NO_SERVER
        for server in usable if is_found and not lost else others.intersection(usable):
            access = self._chart.accesses[server]
            if level is OperatorLevel.FULL:
                access.full_operator_count += step
            else:
                access.other_operator_count += step


def standing_by_server(
    chart: Chart, authorization: Authorization, led_to: Collection[bytes]
) -> dict[Server, Standing]:
    """Judge a token once for each kind of server.

    Args:
        led_to: Keys of records to which servers before 2.8 are led by some entry of the index, and
            let in who has it for a token.
    """
    facts = token_facts(chart.tx, authorization)
    is_led = authorization.id.encode() in led_to and not facts.has_opaque_permissions
    has_opaque_user = facts.has_opaque_user
    return {
        server: found_standing(authorization, facts.user, has_opaque_user=has_opaque_user)
        if is_led and server not in FROM_2_8
        else facts.standing(
            level=LEVEL_HASHED if server in FROM_2_8 else min(chart.level, LEVEL_HASHED - 1),
            server_hashes=server is Server.HASHING,
        )
        for server in Server
    }
