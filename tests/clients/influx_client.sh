#!/usr/bin/env bash
# The influx CLI: tokens, users, organizations, buckets and 1.x authorizations. Prints each command
# with its answer. Reads CLIENT_HOST, CLIENT_TOKEN and CLIENT_PASSWORD.
set -euo pipefail
export INFLUX_HOST=$CLIENT_HOST INFLUX_TOKEN=$CLIENT_TOKEN INFLUX_CONFIGS_PATH=/nonexistent

run() { # a command; leaves its answer in $answer
    local status=0
    answer=$(influx "$@" 2>&1) || status=$?
    echo "influx $* -> $status"
    sed --regexp-extended 's/\b[0-9a-f]{16}\b/ID/g; s/[A-Za-z0-9_-]{86}==/TOKEN/g' <<<"$answer" |
        sort # rows come in the order of what stood there
}
made() { # NAME, and a command that makes something: leaves the ID in the variable NAME
    local name=$1
    shift
    run "$@" --json
    printf -v "$name" %s "$(jq --raw-output .id <<<"$answer")"
}

whole() {
    local auth user org bucket v1
    run ping
    made auth auth create --org main --operator --description 'a <b> & c'
    run auth create --org main --all-access --user nobody
    run auth create --org main --read-buckets --write-tasks
    run auth list --id "$auth"
    run auth delete --id "$auth"
    run auth delete --id "$auth"
    run user create --name carl --org main --password short
    run user list --name carl
    run user create --name 'd ü' --org main --password "$CLIENT_PASSWORD-2"
    user=$(influx user list --name carl --json | jq --raw-output '.[0].id')
    run user update --id "$user" --name carla
    run user password --name carla --password "$CLIENT_PASSWORD-3"
    INFLUX_TOKEN='' run user list
    made org org create --name new --description words
    run org create --name new
    run org update --id "$org" --name newer
    run org members add --name newer --member "$user" --owner
    run org members add --name newer --member "$user"
    run org members list --name newer
    run org members remove --id "$org" --member "$user"
    made bucket bucket create --name rooms --org newer --retention 2d
    run bucket create --name _rooms --org newer
    run bucket update --id "$bucket" --retention 30m
    run bucket update --id "$bucket" --name halls --retention 7d
    run bucket list --org newer --page-size 1
    made v1 v1 auth create --org newer --username sensor --read-bucket "$bucket" --no-password
    run v1 auth create --org newer --username sensor --read-bucket "$bucket" --no-password
    run v1 auth set-password --username sensor --password "$CLIENT_PASSWORD-4"
    run v1 auth set-inactive --id "$v1"
    run v1 auth list
    run v1 auth delete --username sensor
    run bucket delete --name halls --org newer
    run user delete --id "$user"
    run org delete --id "$org"
    run setup --username x --password "$CLIENT_PASSWORD" --org x --bucket x --force
}

listed() {
    local kind name
    for kind in auth user org; do run "$kind" list; done
    run bucket list --org main --page-size 3
    for name in $(influx org list --json | jq --raw-output '.[].name | @base64' | sort); do
        name=$(base64 --decode <<<"$name")
        run org list --name="$name"
        run auth create --org="$name" --read-buckets --description="$name"
    done
}

case $1 in
fresh) whole ;;
*) listed ;;
esac
