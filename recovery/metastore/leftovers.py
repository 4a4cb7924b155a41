"""What is left on the pages of a store that it does not use.

Lives here: `leftover_records`, which calls the engine. Must not live here: what the records are.
"""

from collections.abc import Iterator

import bolt_store
from bolt_store import LeftoverLeaf
from bolt_store.errors import BoltError
from recovery.metastore.failures import Failures
from recovery.metastore.store import MetaStore


def leftover_records(store: MetaStore) -> Iterator[LeftoverLeaf]:
    """Read every leaf that a store does not use any more, by page. They hold secrets."""
    try:
        yield from store.described(bolt_store.leftover_leaves)
    except (BoltError, OSError) as error:
        raise Failures(store.file.path).translate(error) from error
