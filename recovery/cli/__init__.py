"""The command line: arguments, terminal, exit codes.

Lives here: everything that knows about argv, the environment and the terminal. Must not live here:
decisions about a store (`recovery.services`) and access to one (`recovery.metastore`).
"""
