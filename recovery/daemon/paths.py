"""Which of many patterns a path is meant by.

Lives here: `Paths`. Must not live here: the patterns, and what is there.

Invariants: paths are compared as sent, byte for byte. A part in braces stands for any one part, an
empty one too, at the end only for `{id}`. A literal part goes before one in braces, if it has the
method.
"""

from collections.abc import Iterable
from typing import Final, Generic, NamedTuple, TypeVar

Target = TypeVar("Target")
_ANY: Final = "{}"


class Match(NamedTuple, Generic[Target]):
    """What was found for a path.

    Attributes:
        target: What is there; None when there is nothing for this method, or at all.
        parts: What stands in the places of the names in braces.
        is_known: Whether there is something for some method.
    """

    target: Target | None
    parts: dict[str, str]
    is_known: bool


class Paths(Generic[Target]):
    """Patterns of paths, as a tree of their parts."""

    def __init__(self, routes: Iterable[tuple[str, str, Target]]) -> None:
        """Take method, pattern and what is there, of each."""
        self._root: _Node[Target] = _Node()
        for method, pattern, target in routes:
            node = self._root
            for part in pattern.split("/")[1:]:
                key = _ANY if part.startswith("{") else part
                node = node.children.setdefault(key, _Node())
                node.name = part.strip("{}")
            node.targets[method] = target

    def find(self, method: str, path: str) -> Match[Target]:
        """Find what a path leads to."""
        found = _search(self._root, path.split("/")[1:], method, {})
        return Match(None, {}, is_known=False) if found is None else found


class _Node(Generic[Target]):
    """One step of a path."""

    __slots__ = ("children", "name", "targets")

    def __init__(self) -> None:
        self.children: dict[str, _Node[Target]] = {}
        self.targets: dict[str, Target] = {}
        self.name = ""


def _search(
    node: _Node[Target], rest: list[str], method: str, parts: dict[str, str]
) -> Match[Target] | None:
    """Go down; what has the method goes before what only has the path."""
    if not rest:
        return Match(node.targets.get(method), parts, is_known=True) if node.targets else None
    head, *tail = rest
    found = None
    if head in node.children and head != _ANY:
        found = _search(node.children[head], tail, method, parts)
        if found is not None and found.target is not None:
            return found
    child = node.children.get(_ANY)
    if child is not None and (head or tail or child.name == "id"):
        other = _search(child, tail, method, {**parts, child.name: head})
        if other is not None and (other.target is not None or found is None):
            return other
    return found
