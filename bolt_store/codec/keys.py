"""The order of keys on a page, the same for leaves and branches.

Lives here: `ascend`. Source: bbolt v1.3.6 node.go (put keeps inodes sorted by bytes.Compare).
"""

from itertools import chain
from operator import lt


def ascend(keys: list[bytes]) -> bool:
    """Tell whether keys ascend strictly and none is empty."""
    return all(map(lt, chain((b"",), keys), keys))
