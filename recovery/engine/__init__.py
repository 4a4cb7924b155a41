"""The files of the storage engine: which shards there are, and what they hold.

Lives here: parsing of TSM indexes and WAL segments, and the walk over the engine's folder. Must not
live here: bolt files, catalogues, decisions.

Invariants: every file is opened for reading only, and nothing is made. Memory does not grow with
the data: an index is read in pieces, and blocks are not read at all. What is damaged is told and
stops nothing but itself.
"""
