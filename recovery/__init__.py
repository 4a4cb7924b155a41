"""Recovery of InfluxDB OSS 2.x from its metadata file; see README.md for the map of the rooms.

Lives here: the version, which pyproject.toml reads from here and nothing else repeats. Must not
live here: imports, because every start of the program loads this module, and any Python reads it.
"""

__version__ = "0.1.0"
