"""Which parts of a file are stored, for those who copy stores and compare the copies.

Lives here: `data_ranges` and `copy_inside` of the engine, handed on. Must not live here: anything
else.
"""

from bolt_store import copy_inside, data_ranges

__all__ = ["copy_inside", "data_ranges"]
