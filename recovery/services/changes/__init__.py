"""The one sequence by which anything is changed, and its parts.

Lives here: the sequence of every change, the plan that it carries out, and the copy before it.
Must not live here: what a particular command writes.
"""
