"""The two numbers of a bolt file that must not be mixed up.

Lives here: `Pgid` and `Txid`. Must not live here: anything that reads or computes them.

Source: bbolt internal/common/page.go (Pgid), internal/common/meta.go (Txid).
"""

from typing import NewType

Pgid = NewType("Pgid", int)
"""Page id: position of a page in the file, in pages from its start. 0 and 1 are the metas."""

Txid = NewType("Txid", int)
"""Transaction id: counts a file's write transactions. The meta with the higher one is newer."""
