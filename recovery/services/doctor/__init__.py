"""The doctor: will influxd start on a store, who can get in, and what can be mended.

Lives here: the invariants of a store, one module a subject, their examination, and the repair. Must
not live here: how findings are shown.

Every rule has the number of an invariant in spec influxdb-metadata, section 13.2. What a rule finds
is data, a `Finding`; no rule raises about what is in a record.
"""
