#!/bin/sh
# Make an operator token on the disk of a machine that does not start, from a rescue system.
# Give the partition: ./rescue.sh /dev/sdXN, and behind it --username NAME --org NAME if need be.
# If it has several stores, put STORE=/PATH/ON/THAT/PARTITION in front.
set -eu

partition=${1:?give the partition, such as /dev/sdb1}
shift
program=@PROGRAM@
store=@STORE@
target=$(readlink -f "$(mktemp -d)")
mount -o nosuid,nodev "$partition" "$target"
trap 'umount "$target" && rmdir "$target"' EXIT
trap 'exit 130' HUP INT TERM
store=$(readlink -f "$target/${STORE:-$store}" || :)
case $store in
    "$target"/*) ;;
    *) store= ;; # a link that leads out of that disk
esac
if [ ! -f "$store" ]; then
    store=$(find "$target" -xdev -name influxd.bolt -type f -size +0 -print)
fi
if [ ! -f "$store" ]; then # none, or several
    printf 'error: not one influxd.bolt on %s; nothing was changed\n%s\n' "$partition" "$store" >&2
    echo "hint: name it: STORE=/PATH $0 $partition, with the path as on that disk" >&2
    exit 3
fi
# What it finds is shown; whether a token can be made all the same, the next command says.
"$program" store check --bolt-path "$store" || [ $? -eq 1 ]
"$program" auth create-operator --bolt-path "$store" --yes \
    --ledger "$PWD/influx-recovery-ledger.sqlite" --token-file "$PWD/operator-token" "$@"
echo "The token is in $PWD/operator-token."
