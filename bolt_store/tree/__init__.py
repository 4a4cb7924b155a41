"""The copy-on-write B+tree: buckets, cursors and transactions.

Lives here: everything between a page and a key. Must not live here: paths, system calls, and any
attempt to mend damage. Pages are allocated in `freelist`; the commit order is in `tx`.
"""
