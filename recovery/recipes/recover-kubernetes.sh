#!/bin/sh
# Make an operator token for InfluxDB in Kubernetes, and put it into the Secret influx-recovery-token.
# With several users or organizations: add --username NAME --org NAME behind this script.
set -eu

workload=@WORKLOAD@
claim=@CLAIM@
program=@PROGRAM@
here=$(cd "$(dirname "$0")" && pwd)
kube() { kubectl --namespace @NAMESPACE@ "$@"; }
secret() { kube create secret generic influx-recovery-token --from-file=token=/dev/stdin "$@"; }
waited() { # until a condition holds for what a command prints
    tries=0
    until test "$1" "$("$2")"; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || return 1
        sleep 3
    done
}
users() { # pods that may have the store open
    kube get pods --output go-template="{{range .items}}{{\$pod := .}}{{range .spec.volumes}}
        {{- with .persistentVolumeClaim}}{{if eq .claimName \"$claim\"}}
        {{- with \$pod.status.phase}}{{if and (ne . \"Succeeded\") (ne . \"Failed\")}}
        {{- \$pod.metadata.name}} {{end}}{{end}}{{end}}{{end}}{{end}}{{end}}"
}
own() { kube get pods --selector=job-name=influx-recovery --output=name; }
refuse() {
    printf 'error: %s; nothing was changed\nhint: %s\n' "$1" "$2" >&2
    exit 1
}

[ -f "$program" ] || refuse "$program is not here" "put the one file there, or change program= in $0"
kube get "$workload" "persistentvolumeclaim/$claim" >/dev/null ||
    refuse "not both are there" "write this recipe with --set workload=, --set claim= and --set namespace="
echo none | secret --dry-run=server >/dev/null ||
    refuse "the Secret cannot be made" "delete an older one: kubectl delete secret influx-recovery-token"

give_back() {
    kube delete --ignore-not-found --wait=true job/influx-recovery
    kube scale --replicas=1 "$workload"
}
trap give_back EXIT
trap 'exit 130' HUP INT TERM
kube scale --replicas=0 "$workload"
waited -z users || refuse "other pods have $claim in use: $(users)" "end them, then call $0 again"
kube apply --filename "$here/job.yaml"
waited -n own
kube wait --for=condition=Ready --timeout=5m pod --selector=job-name=influx-recovery
kube exec --stdin job/influx-recovery -- sh -c \
    'cat >/work/influx-recovery && chmod 0700 /work/influx-recovery' <"$program"
kube exec job/influx-recovery -- /work/influx-recovery auth create-operator \
    --bolt-path @STORE_INSIDE@ --ledger /work/ledger.sqlite --yes --token-file /work/token "$@"
token=$(kube exec job/influx-recovery -- cat /work/token)
printf %s "$token" | secret
