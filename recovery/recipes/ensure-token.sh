#!/bin/sh
# Ensure that the token of the Secret may do everything, then start the server as its image does.
# The store that the first start makes is left to influxd.
set -eu

store=@STORE_INSIDE@
if [ -f "$store" ]; then
    /influx-recovery auth create-operator --bolt-path "$store" --ensure --yes \
        --token-value-file /operator/token --ledger /tmp/influx-recovery-ledger.sqlite
fi
exec /entrypoint.sh "$@"
