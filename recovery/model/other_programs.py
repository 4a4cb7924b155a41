"""Other programs that keep a bolt file, told by the names of its bolt buckets.

Lives here: `other_program`. Must not live here: what is done about such a file.

A person who has InfluxDB, Chronograf and Kapacitor side by side, or Portainer on the same machine,
names the wrong file sooner or later. influxd would start on any of them, and write into it.

Source: Chronograf (kv: Dashoard is spelled so), Kapacitor (services/alert, services/task_store),
Portainer (dataservices), etcd (server/storage/schema), hashicorp/raft-boltdb (Consul, Nomad and
Vault), Nomad (client/state), Vault (physical/raft), containerd (metadata/buckets.go), BuildKit,
Docker's libnetwork, Podman (libpod/boltdb_state_internal.go), Loki (boltdb index), Trivy, lnd,
step-ca (db.go).
"""

from collections.abc import Collection
from typing import Final

SIGNATURES: Final = (
    ("Chronograf", frozenset({"Dashoard"})),
    ("Chronograf", frozenset({"OrganizationsV1", "Sources"})),
    ("Kapacitor", frozenset({"alert_store"})),
    ("Kapacitor", frozenset({"task_store"})),
    ("Portainer", frozenset({"team_membership"})),
    ("Portainer", frozenset({"endpoints", "settings"})),
    ("etcd", frozenset({"key", "members_removed"})),
    ("etcd (as in Kubernetes and k3s)", frozenset({"key", "meta"})),
    ("Nomad", frozenset({"devicemanager"})),
    ("Nomad", frozenset({"allocations"})),
    ("Consul, Nomad, Vault or another program with a Raft log", frozenset({"logs", "conf"})),
    ("Vault", frozenset({"data", "config"})),
    ("BuildKit", frozenset({"_metadata"})),
    ("BuildKit", frozenset({"_main", "_index"})),
    ("BuildKit", frozenset({"_byresult", "_result"})),
    ("containerd", frozenset({"v1"})),
    ("Docker's network controller", frozenset({"libnetwork"})),
    ("Podman", frozenset({"id-registry", "runtime-config"})),
    ("Grafana Loki", frozenset({"index"})),
    ("Trivy", frozenset({"trivy"})),
    ("Trivy", frozenset({"vulnerability"})),
    ("lnd", frozenset({"graph-node"})),
    ("step-ca", frozenset({"x509_certs", "revoked_x509_certs"})),
)
"""Program and bolt buckets, all of which it has; the surest first."""


def other_program(names: Collection[str]) -> str | None:
    """Guess by its bolt buckets whose file it is, none of InfluxDB's; None when it is not known."""
    found = frozenset(names)
    return next((program for program, needed in SIGNATURES if needed <= found), None)
