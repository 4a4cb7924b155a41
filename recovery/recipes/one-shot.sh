#!/bin/sh
# Make an operator token for InfluxDB in a container: stop it, run the one file in its own image and
# on its own volumes, start it again.
#
# The image must have glibc. An image of Alpine has not: put IMAGE=influxdb:2.7 or another tag
# without "alpine" in front of this script; it only serves to run the one file.
# With several users or organizations: add --username NAME --org NAME behind this script.
set -eu

engine=@ENGINE@
container=@CONTAINER@
program=@PROGRAM@
store=@STORE_INSIDE@
user=@UID@:@GID@

image=${IMAGE:-$("$engine" inspect --format '{{.Image}}' "$container")}
folder=$(mktemp -d)
chown "$user" "$folder" 2>/dev/null || chmod 0733 "$folder" # without root, others are let in
trap '"$engine" start "$container"' EXIT
"$engine" stop "$container"
"$engine" run --rm --network none --user "$user" --volumes-from "$container" \
    --volume "$program:/influx-recovery:ro" --volume "$folder:/token" \
    --security-opt label=disable --entrypoint /influx-recovery "$image" \
    auth create-operator --bolt-path "$store" --ledger /token/ledger.sqlite \
    --yes --token-file /token/operator "$@"
echo "The token is in $folder/operator; read it, then delete that folder."
