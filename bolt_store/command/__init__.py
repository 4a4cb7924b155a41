"""The command `python -m bolt_store`, for engineers who hold any bolt file.

Lives here: the command line, its output, and the way from an exception to an exit code. Must not
live here: anything that the package can do without a terminal. This room alone prints and looks at
the environment, and nothing imports it but `bolt_store.__main__`.

Invariants: the result goes to stdout, everything else to stderr. No key and no value is shown
unless asked for in words, for the keys of an index may be secrets. Each way to fail ends in two
lines and a documented exit code, the same as in the command `influx-recovery`.
"""
