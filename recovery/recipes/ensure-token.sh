#!/bin/sh
# Ensure that the token of the Secret may do everything, then start the server as its image does.
# The store that the first start makes is left to influxd. Where the token cannot be ensured, the log
# says why, and the server starts without it.
# With several users or organizations: add --username NAME --org NAME to the command.
set -eu

store=@STORE_INSIDE@
if [ -f "$store" ]; then
    /influx-recovery auth create-operator --bolt-path "$store" --ensure --yes \
        --token-value-file /operator/token --ledger /tmp/influx-recovery-ledger.sqlite ||
        [ $? -ne 9 ] # 9 is: the store may be half written
fi
exec /entrypoint.sh "$@"
