"""The options of influxd, as /api/v2/config shows them.

Lives here: the defaults of InfluxDB 2.9.1. Must not live here: what is known of a particular server
(`recovery.cli.commands.serve`).

A client that reads this looks for single options, so all of them are there; what is not known of
the stopped server has the value that influxd has when it is told nothing.

Source: InfluxDB v2.9.1 cmd/influxd/launcher/cmd.go (NewOpts), http/config.go.
"""

from collections.abc import Mapping
from typing import Final

DEFAULTS: Final[Mapping[str, str | int | bool | None]] = {
    "assets-path": "",
    "e2e-testing": False,
    "feature-flags": None,
    "flux-log-enabled": False,
    "hardening-enabled": False,
    "http-idle-timeout": 180_000_000_000,
    "http-read-header-timeout": 10_000_000_000,
    "http-read-timeout": 0,
    "http-write-timeout": 0,
    "influxql-max-select-buckets": 0,
    "influxql-max-select-point": 0,
    "influxql-max-select-series": 0,
    "instance-id": "",
    "log-level": "info",
    "metrics-disabled": False,
    "nats-max-payload-bytes": 0,
    "nats-port": 0,
    "no-tasks": False,
    "overwrite-pid-file": False,
    "pid-file": "",
    "pprof-disabled": False,
    "query-concurrency": 1024,
    "query-initial-memory-bytes": 0,
    "query-max-memory-bytes": 0,
    "query-memory-bytes": 0,
    "query-queue-size": 1024,
    "reporting-disabled": False,
    "secret-store": "bolt",
    "session-length": 60,
    "session-renew-disabled": False,
    "storage-cache-max-memory-size": 1_073_741_824,
    "storage-cache-snapshot-memory-size": 26_214_400,
    "storage-cache-snapshot-write-cold-duration": "10m0s",
    "storage-compact-full-write-cold-duration": "4h0m0s",
    "storage-compact-throughput-burst": 50_331_648,
    "storage-max-concurrent-compactions": 0,
    "storage-max-index-log-file-size": 1_048_576,
    "storage-no-validate-field-size": False,
    "storage-retention-check-interval": "30m0s",
    "storage-series-file-max-concurrent-snapshot-compactions": 0,
    "storage-series-id-set-cache-size": 0,
    "storage-shard-precreator-advance-period": "30m0s",
    "storage-shard-precreator-check-interval": "10m0s",
    "storage-tsm-use-madv-willneed": False,
    "storage-validate-keys": False,
    "storage-wal-flush-on-shutdown": False,
    "storage-wal-fsync-delay": "0s",
    "storage-wal-max-concurrent-writes": 0,
    "storage-wal-max-write-delay": 600_000_000_000,
    "storage-write-timeout": 10_000_000_000,
    "store": "disk",
    "template-file-urls-disabled": False,
    "testing-always-allow-setup": False,
    "tls-cert": "",
    "tls-key": "",
    "tls-min-version": "1.2",
    "tls-strict-ciphers": False,
    "tracing-type": "",
    "ui-disabled": False,
    "vault-addr": "",
    "vault-cacert": "",
    "vault-capath": "",
    "vault-client-cert": "",
    "vault-client-key": "",
    "vault-client-timeout": 0,
    "vault-max-retries": 0,
    "vault-skip-verify": False,
    "vault-tls-server-name": "",
    "vault-token": "",
}
"""Durations are in nanoseconds where they are numbers."""
