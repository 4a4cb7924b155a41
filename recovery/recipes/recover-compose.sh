#!/bin/sh
# Make an operator token for InfluxDB in a Compose project: run this beside compose.yaml, with
# compose.recovery.yaml there too. Before the service is stopped, the one file is tried in its image.
# An image of Alpine has no glibc: put IMAGE=influxdb:2.7 in front of this script then.
# With several users or organizations: add --username NAME --org NAME behind this script.
set -eu

service=@SERVICE@
user=@UID@:@GID@
folder=influx-recovery-token

refuse() {
    printf 'error: %s; nothing was changed\nhint: %s\n' "$1" "$2" >&2
    exit 1
}
first() {
    for name in "$@"; do
        [ ! -f "$name" ] || { printf '%s:' "$name" && return; }
    done
}
[ -n "${COMPOSE_FILE:-}" ] || COMPOSE_FILE=$(
    first compose.yaml compose.yml docker-compose.yml docker-compose.yaml
    first compose.override.yml compose.override.yaml \
        docker-compose.override.yml docker-compose.override.yaml
)
[ -n "$COMPOSE_FILE" ] && [ -f compose.recovery.yaml ] ||
    refuse "compose.yaml or compose.recovery.yaml is not here" "put both here, and call $0 here"
export COMPOSE_FILE="${COMPOSE_FILE%:}:compose.recovery.yaml"
if docker compose version >/dev/null 2>&1; then
    compose() { docker compose "$@"; }
else
    compose() { docker-compose "$@"; }
fi
run() { compose run --rm --no-deps -T influx-recovery "$@"; } # its dependency is the server

export IMAGE="${IMAGE:-none}" # it has to have a value wherever the file is read
container=$(compose ps --all --quiet "$service") && [ -n "$container" ] ||
    refuse "the service $service has no container" "see docker compose ps --all"
[ "$IMAGE" != none ] ||
    IMAGE=$(docker container inspect --format '{{.Config.Image}}' "$container")
mkdir -m 0700 "$folder" || refuse "$folder is there" "read what is in it, and delete it"
chown "$user" "$folder" 2>/dev/null || chmod 1733 "$folder" # without root, others may add files
trap 'rmdir "$folder" 2>/dev/null || :' EXIT
trap 'exit 130' HUP INT TERM
case $(run --version || :) in
    "influx-recovery "*) ;;
    *) refuse "the one file does not run in $IMAGE" \
        "see its path in compose.recovery.yaml, and put IMAGE=influxdb:2.7 in front if it is Alpine" ;;
esac

trap 'compose start "$service"; rmdir "$folder" 2>/dev/null || :' EXIT
compose stop "$service"
run auth create-operator --bolt-path @STORE_INSIDE@ \
    --ledger /token/ledger.sqlite --yes --token-file /token/operator "$@"
echo "The token is in $folder/operator; read it, then delete that folder."
[ -r "$folder/operator" ] || echo "Only its owner may read it: sudo cat $folder/operator"
