"""The server's own HTTP API on a stopped store.

Lives here: what `influx-recovery serve` serves. Must not live here: the command line
(`recovery.cli.commands.serve`), decisions about a store (`recovery.services`), and access to a bolt
file.

Invariants: nothing of this is imported by any other command. A request is answered as InfluxDB
2.9.1 answers it; where that is not wanted, the place says why. One thread owns the store.

Source: spec admin-daemon.
"""
