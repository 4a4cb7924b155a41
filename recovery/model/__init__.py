"""Records and rules of InfluxDB's metadata.

Lives here: what the records mean, how they are written, and the rules that connect them. Must not
live here: input and output, logs, pages and buckets of the bolt file. Everything here is a function
of its arguments; time and randomness come in through `recovery.ports`.
"""
