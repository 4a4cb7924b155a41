"""The only room that touches the operating system.

Lives here: files, locks, syncs, and the pager that turns a file into bounds-checked pages. Must not
live here: keys, values, buckets.
"""
