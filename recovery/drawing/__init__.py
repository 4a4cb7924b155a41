"""Pictures of a store, as SVG.

Lives here: functions from plain data to an SVG element, for the pages of `serve` and for a report
in one file. Must not live here: what a store says (`recovery.services`), and HTML around a picture.

Invariants: a picture has no script, no style of its own, no reference to anything outside, and no
secret. It says what it shows in a title and a sentence, for those who do not see it. Colours come
from classes and from `currentColor`; without any style sheet it is black on white and still right.
"""

from importlib.resources import files


def style() -> str:
    """Give the style sheet of the pictures, for the page around them."""
    return files(__name__).joinpath("style.css").read_text(encoding="utf-8")
