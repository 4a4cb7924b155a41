"""What commands do, one module a noun or less; what can be typed is in `recovery.cli.arguments`.

Lives here: functions that take the parsed arguments and a `Context`, call one service and show its
result. Must not live here: decisions about the store, which are the services'.

Invariants: a module imports only what its commands need, because it is imported when one of them
runs. A command's function is named by the default `run` of its parser.
"""
