"""Who has a token already, raw or as a hash.

Lives here: `TokenOwners`, for records that come into a store with a token of their own. Must not
live here: where they come from (`intake`, `undeletion`).

Source: spec influxdb-metadata sections 5.4 and 13.2 (I23 to I25): no token is in a store twice.
"""

from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import Authorization
from recovery.model.ids import Id
from recovery.model.token import VARIANTS, hash_token


class TokenOwners:
    """The tokens of a store. Looks at all its records once."""

    def __init__(self, store: MetaTx) -> None:
        """Hash every raw token of the store, to notice one that comes back as a hash."""
        self._authorizations = store.authorizations
        self._hashes_of_raw = {
            hash_token(one.token, variant).reveal(): one.id
            for one in store.authorizations.walk([])
            if one.token is not None
            for variant in VARIANTS
        }

    def owner(self, wanted: Authorization) -> Id | None:
        """Say which one of the store has the token of a record that is not in it, if any."""
        entries = []
        if wanted.token is not None:
            keys = [hash_token(wanted.token, one) for one in VARIANTS]
            entries = [self._authorizations.raw_entry(wanted.token)]
            entries += [self._authorizations.hashed_entry(key) for key in keys]
        if wanted.hashed_token is not None:
            hashed = wanted.hashed_token
            entries += [
                self._authorizations.hashed_entry(hashed),
                self._hashes_of_raw.get(hashed.reveal()),
            ]
        return next((found for found in entries if found is not None), None)


def hash_text(authorization: Authorization) -> str:
    """Give the token of a record a form in which raw and hashed ones compare. It is a secret."""
    if authorization.token is not None:
        return hash_token(authorization.token).reveal()
    return "" if authorization.hashed_token is None else authorization.hashed_token.reveal()
