"""The routes of the API, one module a resource.

Lives here: functions from a `Call` to an `Answer`. Must not live here: which path leads to which
(`recovery.daemon.routes`), and who asks (`recovery.daemon.access`).
"""
