"""What commands take and do; their words are in `recovery.cli.vocabulary`.

Lives here: for each command its options as a frozen type, what describes them to argparse, a
function that calls one service and shows its result, and the `Command` that holds the three. Must
not live here: decisions about the store, which are the services'.

Invariants: a module imports only what its commands need, because it is imported when one of them
runs. Nothing is said twice: what the function of a command takes, returns and raises is said once,
at `recovery.cli.options.Command`.
"""
