#!/bin/sh
# Make an operator token for InfluxDB in Kubernetes, and put it into the Secret influx-recovery-token.
# With several users or organizations: add --username NAME --org NAME behind this script.
set -eu

workload=@WORKLOAD@
program=@PROGRAM@
here=$(cd "$(dirname "$0")" && pwd)
kube() { kubectl --namespace @NAMESPACE@ "$@"; }

give_back() {
    kube delete --ignore-not-found --wait=true job/influx-recovery
    kube scale --replicas=1 "$workload"
}
trap give_back EXIT
kube scale --replicas=0 "$workload"
kube rollout status --timeout=5m "$workload"
kube apply --filename "$here/job.yaml"
tries=0
until kube wait --for=condition=Ready --timeout=5m pod --selector=job-name=influx-recovery; do
    tries=$((tries + 1)) # the pod is not there at once
    [ "$tries" -lt 10 ] || exit 1
    sleep 3
done
kube exec --stdin job/influx-recovery -- sh -c \
    'cat >/work/influx-recovery && chmod 0700 /work/influx-recovery' <"$program"
tries=0
while :; do
    status=0
    kube exec job/influx-recovery -- /work/influx-recovery auth create-operator \
        --bolt-path @STORE_INSIDE@ --ledger /work/ledger.sqlite --yes --token-file /work/token "$@" ||
        status=$?
    tries=$((tries + 1))
    if [ "$status" -ne 4 ] || [ "$tries" -ge 20 ]; then break; fi
    sleep 3 # the server that is ending has the store still
done
[ "$status" -eq 0 ] || exit "$status"
kube exec job/influx-recovery -- cat /work/token |
    kube create secret generic influx-recovery-token --from-file=token=/dev/stdin
