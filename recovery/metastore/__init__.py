"""The store, as records.

Lives here: opening a store, transactions, and one repository a record type. It is the only room
that imports `bolt_store`. Must not live here: policy, prompts, printing.

Invariants: nothing but `recovery.errors` leaves this room; what the engine and the system raise is
translated at the repository's edge, so an error of the caller inside a transaction is never taken
for one of the store. See `recovery.metastore.failures`. Whatever reads the store, here and in
every room above, may raise `StoreDamagedError`, also while records are walked; that is not said
again at each function.
"""
