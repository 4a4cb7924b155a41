#!/bin/sh
# Make an operator token for InfluxDB in a container: stop it, run the one file in its own image and
# on its own volumes, start it again. Before it is stopped, the one file is tried in that image.
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

refuse() {
    printf 'error: %s; nothing was changed\nhint: %s\n' "$1" "$2" >&2
    exit 1
}
run() {
    "$engine" run --rm --network none --user "$user" --security-opt label=disable \
        --mount "type=bind,source=$program,target=/influx-recovery,readonly" \
        --entrypoint /influx-recovery "$@"
}

about() { "$engine" container inspect --format "$1" "$container"; }
image=${IMAGE:-$(about '{{.Image}}')} ||
    refuse "$engine has no container $container" "see $engine ps --all, and change container= in $0"
[ "$(about '{{.HostConfig.AutoRemove}}')" = false ] ||
    refuse "$container was started with --rm, so stopping it removes it and its nameless volumes" \
        "where its data are in a folder or a named volume: stop it, and call $program store find"
case $(run "$image" --version || :) in
    "influx-recovery "*) ;;
    *) refuse "the one file does not run in the image of $container" \
        "see that $program is the one file, and put IMAGE=influxdb:2.7 in front if that is Alpine" ;;
esac

folder=$(mktemp -d)
chown "$user" "$folder" 2>/dev/null || chmod 1733 "$folder" # without root, others may add files
trap '"$engine" start "$container"; rmdir "$folder" 2>/dev/null || :' EXIT
trap 'exit 130' HUP INT TERM
"$engine" stop "$container"
run --volumes-from "$container" --mount "type=bind,source=$folder,target=/token" "$image" \
    auth create-operator --bolt-path "$store" --ledger /token/ledger.sqlite \
    --yes --token-file /token/operator "$@"
echo "The token is in $folder/operator; read it, then delete that folder."
[ -r "$folder/operator" ] ||
    echo "Only its owner may read it: sudo cat, or for Podman without root, podman unshare cat."
