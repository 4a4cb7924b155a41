"""Making a metadata store again when it is lost and the data are not.

Lives here: the use case `store rebuild`. Must not live here: reading the engine's files
(`recovery.engine`), terminals.
"""
