"""What can be typed, one module a noun; what it does lives in `recovery.cli.commands`.

Lives here: argparse descriptions. Must not live here: work, or an import heavier than argparse,
because every start of the program loads all of it.

Invariants: a leaf parser names its command function as "module:function" in the default `run`, so
that only the module that is needed is imported, and only after the command line is understood.
"""
