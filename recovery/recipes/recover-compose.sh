#!/bin/sh
# Make an operator token for InfluxDB in a Compose project: run this beside compose.yaml.
# With several users or organizations: add --username NAME --org NAME behind this script.
set -eu

service=@SERVICE@
mkdir -m 0700 influx-recovery-token
chown @UID@:@GID@ influx-recovery-token
compose() { docker compose --file compose.yaml --file compose.recovery.yaml "$@"; }
trap 'compose start "$service"' EXIT
compose stop "$service"
compose run --rm influx-recovery auth create-operator --bolt-path @STORE_INSIDE@ \
    --ledger /token/ledger.sqlite --yes --token-file /token/operator "$@"
echo "The token is in influx-recovery-token/operator; read it, then delete that folder."
