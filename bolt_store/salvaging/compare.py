"""Two states of a file side by side, key by key.

Lives here: `walk`, which joins two surveys. Must not live here: what is done with the result.

Invariants: holds the two leaves it is at, for each bucket that is open at the time. No recursion.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, unique

from bolt_store.codec.bucket import BucketValue
from bolt_store.errors import invariant
from bolt_store.salvaging.content import Element, elements, root_bucket
from bolt_store.salvaging.survey import Lost, Place, Survey


@unique
class Move(Enum):
    """What a step is."""

    KEY = "key"
    ENTER = "enter"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the walk.

    Attributes:
        move: A key, or the beginning or the end of a bucket.
        left: What the first state has there, None when nothing.
        right: What the second state has there, None when nothing.
        is_missing: Only the second state has it, where the first has lost something.
    """

    move: Move
    left: Element | None
    right: Element | None
    is_missing: bool


class _Frame:
    """Two buckets that are being joined."""

    def __init__(
        self,
        step: Step,
        left: Iterator[Element],
        right: Iterator[Element],
        holes: "list[tuple[bytes, bytes | None]]",
    ) -> None:
        self.step = step
        self._left = left
        self._right = right
        self._holes = holes
        self._next_left = next(left, None)
        self._next_right = next(right, None)

    def pair(self) -> tuple[Element | None, Element | None] | None:
        """Return what the two have for the next key; None at the end."""
        left, right = self._next_left, self._next_right
        if left is None and right is None:
            return None
        if left is not None and (right is None or left.key <= right.key):
            self._next_left = next(self._left, None)
        if right is not None and (left is None or right.key <= left.key):
            self._next_right = next(self._right, None)
        if left is None or right is None or left.key == right.key:
            return left, right
        return (left, None) if left.key < right.key else (None, right)

    def is_missing(self, key: bytes) -> bool:
        """Tell whether the first state has lost the range that the key is in."""
        if self.step.left is None:
            return self.step.is_missing
        if self.step.left.value is None:
            return True  # nothing of this bucket can be read but its name
        index = bisect_right(self._holes, key, key=lambda hole: hole[0]) - 1
        if index < 0:
            return False
        end_key = self._holes[index][1]
        return end_key is None or key < end_key


def walk(left: Survey, right: Survey | None, *, are_filled_missing: bool = False) -> Iterator[Step]:
    """Walk one state, or two states side by side, depth first in the order of the keys.

    A bucket that only one of them has is entered, too.

    Args:
        right: The second one.
        are_filled_missing: Whether ranges count as missing that something was put back in.

    Yields:
        Steps; each `ENTER` has its `LEAVE`.
    """
    lost = list(left.lost.values()) if are_filled_missing else left.holes
    holes = _holes_by_bucket(lost)
    roots = root_bucket(left), root_bucket(right) if right else None
    top = Step(Move.ENTER, *roots, is_missing=False)
    stack = [_frame(left, right, top, holes)]
    while stack:
        frame = stack[-1]
        pair = frame.pair()
        if pair is None:
            stack.pop()
            if stack:
                step = frame.step
                yield Step(Move.LEAVE, step.left, step.right, step.is_missing)
            continue
        step = _step(*pair, frame)
        yield step
        if step.move is Move.ENTER:
            stack.append(_frame(left, right, step, holes))


def _step(left: Element | None, right: Element | None, frame: _Frame) -> Step:
    """Make the step for a pair. Where one is a bucket and the other is none, the first counts."""
    if left is not None and right is not None and _is_bucket(left) != _is_bucket(right):
        right = None
    if left is not None:
        return Step(Move.ENTER if _is_bucket(left) else Move.KEY, left, right, is_missing=False)
    invariant(right is not None, "a pair has one at least")
    is_missing = right is not None and frame.is_missing(right.key)
    return Step(Move.ENTER if _is_bucket(right) else Move.KEY, None, right, is_missing)


def _is_bucket(element: Element | None) -> bool:
    return element is not None and not isinstance(element.value, bytes)


def _frame(
    left: Survey,
    right: Survey | None,
    step: Step,
    holes: dict[Place, list[tuple[bytes, bytes | None]]],
) -> _Frame:
    lefts = elements(left, step.left) if step.left else iter(())
    rights = elements(right, step.right) if right and step.right else iter(())
    return _Frame(step, lefts, rights, holes.get(step.left.place, []) if step.left else [])


def _holes_by_bucket(losses: list[Lost]) -> dict[Place, list[tuple[bytes, bytes | None]]]:
    """Return the lost ranges of keys of each bucket, ascending; they do not overlap."""
    found: dict[Place, list[tuple[bytes, bytes | None]]] = {}
    for lost in losses:
        if not _is_empty(lost):
            ranges = found.setdefault(lost.tree.bucket.place, [])
            ranges.append((lost.first_key or b"", lost.end_key))
    for ranges in found.values():
        ranges.sort(key=lambda hole: hole[0])
    return found


def _is_empty(lost: Lost) -> bool:
    return lost.first_key is not None and lost.first_key == lost.end_key


def sequence_of(element: Element) -> int:
    """Return the sequence of a bucket; 0 when its value cannot be read."""
    return element.value.sequence if isinstance(element.value, BucketValue) else 0
