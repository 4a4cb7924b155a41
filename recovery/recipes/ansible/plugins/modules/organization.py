#!/usr/bin/python
# MIT License, see LICENSE of influx-recovery
"""Ensure that a stopped server has an organization."""

from __future__ import annotations

DOCUMENTATION = r"""
module: organization
short_description: Ensure that a stopped server has an organization
version_added: "0.1.0"
author: influx-recovery (@influx-recovery)
description:
  - Ensures that there is an organization, with the buckets that influxd wants in one.
extends_documentation_fragment:
  - influx_recovery.admin.store
  - influx_recovery.admin.store.writing
options:
  org:
    description: Name of the organization.
    type: str
    required: true
  owner:
    description: User who owns it; the only user needs no name.
    type: str
"""

EXAMPLES = r"""
- name: There is an organization for the new team
  influx_recovery.admin.organization:
    bolt_path: /var/lib/influxdb/influxd.bolt
    org: metrics
    owner: alice
"""

RETURN = r"""
plan:
  description: What was planned, without any secret.
  type: dict
  returned: success
record_ids:
  description: IDs of the records that were made, or that are there already.
  type: list
  elements: str
  returned: success
backup_path:
  description: The copy that was made before the change; it has all secrets.
  type: str
  returned: success
token_path:
  description: The new file on the host that has the token.
  type: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.influx_recovery.admin.plugins.module_utils.program import (
    OPTIONS,
    WRITING,
    change,
)


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **OPTIONS,
            **WRITING,
            "org": {"type": "str", "required": True},
            "owner": {"type": "str"},
        },
        supports_check_mode=True,
    )
    words = ["org", "create", "--ensure", f"--org={module.params['org']}"]
    if module.params["owner"]:
        words.append(f"--owner={module.params['owner']}")
    change(module, words)


if __name__ == "__main__":
    main()
