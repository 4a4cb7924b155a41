#!/bin/sh
# Make an operator token on the disk of a machine that does not start, from a rescue system.
# Give the partition: ./rescue.sh /dev/sdXN, and behind it --username NAME --org NAME if need be.
set -eu

partition=$1
shift
program=@PROGRAM@
target=$(mktemp -d)
mount -o nosuid,nodev "$partition" "$target"
trap 'umount "$target" && rmdir "$target"' EXIT
store=$target@STORE@
if [ ! -f "$store" ]; then
    store=$(find "$target" -xdev -name influxd.bolt -size +0 -print -quit)
fi
[ -n "$store" ] || {
    echo "no influxd.bolt on $partition" >&2
    exit 3
}
# What it finds is shown; whether a token can be made all the same, the next command says.
"$program" store check --bolt-path "$store" || [ $? -eq 1 ]
"$program" auth create-operator --bolt-path "$store" --yes \
    --ledger "$PWD/influx-recovery-ledger.sqlite" --token-file "$PWD/operator-token" "$@"
echo "The token is in $PWD/operator-token."
