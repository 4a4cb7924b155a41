"""Use cases, one module each.

Lives here: what the commands do, in which order, and what they refuse. Must not live here:
argparse, printing, the terminal, the environment, exit codes.

Invariants: everything that a person or a program is shown leaves as data. Time, randomness, the
ledger, the question and the token's destination come in as protocols.
"""
