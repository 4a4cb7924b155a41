"""Bringing back what was deleted: users and API tokens.

Lives here: what is left of them (`traces`), and the planners that put it back (`tokens`, `users`).
Must not live here: the command line, and copies of whole stores.
"""
