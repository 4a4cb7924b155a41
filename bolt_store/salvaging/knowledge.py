"""What a program that knows the content of a file can tell salvage.

Lives here: `Knowledge`. Must not live here: any such knowledge; a bolt file alone has none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

Classify: TypeAlias = Callable[[bytes, bytes], tuple[bytes, ...] | None]
"""Says from a key and its value which bucket they belong to, as the names from the top down; None
when it cannot tell."""

Plausible: TypeAlias = Callable[[tuple[bytes, ...], bytes, bytes], bool]
"""Says of an element of a damaged page whether it can be one: from the names of the buckets that it
is in, its key and its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What is known of the content of a file.

    Attributes:
        classify: Which bucket an entry belongs to; tells buckets apart where keys do not.
        plausible: Whether an element of a damaged page can be what it seems to be.
        essential: Top-level buckets without which the content is worth little: a state without them
            loses against one that has them.
    """

    classify: Classify | None = None
    plausible: Plausible | None = None
    essential: frozenset[bytes] = frozenset()


NO_KNOWLEDGE: Final = Knowledge()
"""Of a file of any program."""
