"""Whole stores: what they are, and what is done to them as files.

Lives here: what is said of, and done to, a store as a whole: found, described, made, copied,
compared, taken back. Must not live here: single records.
"""
