"""Whose bolt file it is, told by the names of its bolt buckets."""

import pytest

from recovery.model.other_programs import SIGNATURES, other_program
from recovery.model.schema import LEVEL_MAX, buckets_of_level


@pytest.mark.parametrize(
    ("names", "program"),
    [
        ("Build ConfigV1 Dashoard Layout MappingsV1 OrganizationsV1 Sources UsersV2", "Chronograf"),
        ("alert_store task_store versions", "Kapacitor"),
        ("endpoints settings stacks users version", "Portainer"),
        ("alarm auth authRoles authUsers cluster key lease members members_removed meta", "etcd"),
        ("allocations devicemanager drivermanager dynamicplugins meta", "Nomad"),
        ("conf logs", "Consul, Nomad, Vault or another program with a Raft log"),
        ("config data", "Vault"),
        ("v1", "containerd"),
        ("_index _links _metadata", "BuildKit"),
        ("_external _index _main", "BuildKit"),
        ("acme_accounts revoked_x509_certs used_ott x509_certs", "step-ca"),
        ("nothing that is known", None),
        ("", None),
    ],
)
def test_a_program_is_known_by_its_buckets(names: str, program: str | None) -> None:
    assert program == other_program(names.split())


def test_no_signature_is_met_by_a_store_of_influxd() -> None:
    for level in range(LEVEL_MAX + 1):
        assert other_program(buckets_of_level(level)) is None
    assert all(names for _, names in SIGNATURES)
