"""Use cases, one module each.

Lives here: what the commands do, in which order, and what they refuse. Must not live here:
argparse, printing, the terminal, the environment, exit codes.

Invariants: everything that a person or a program is shown leaves as data. Time, randomness, the
ledger, the question and the token's destination come in as protocols.

What the name of an error says is not said again at each function: that what was named is not there
(`NotFoundError`), that a name or an ID is taken (`ConflictError`), that a record cannot be decoded
(`RecordError`), that a rule of the server for passwords is broken (`PasswordError`). `Raises` has
what is more than that.
"""
