#!/usr/bin/python
# MIT License, see LICENSE of influx-recovery
"""Ensure that a token has just the rights that a client needs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: token
short_description: Ensure that a token has just the rights that a client needs
version_added: "0.1.0"
author: influx-recovery (@influx-recovery)
description:
  - Ensures that a token of a vault is in the store with these rights.
extends_documentation_fragment:
  - influx_recovery.admin.store
  - influx_recovery.admin.store.writing
options:
  username:
    description: User who has the token.
    type: str
  org:
    description: Organization of the token.
    type: str
  description:
    description: Text that the server shows for it.
    type: str
  token_value:
    description: The token itself, at least 16 characters, from a vault.
    type: str
    required: true
  read_buckets:
    description: Buckets that it may read, by name.
    type: list
    elements: str
    default: []
  write_buckets:
    description: Buckets that it may write, by name.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Telegraf may write sensors
  influx_recovery.admin.token:
    bolt_path: /var/lib/influxdb/influxd.bolt
    org: acme
    username: alice
    write_buckets: [sensors]
    token_value: "{{ telegraf_token }}"
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
            "username": {"type": "str"},
            "org": {"type": "str"},
            "description": {"type": "str"},
            "token_value": {"type": "str", "required": True, "no_log": True},
            "read_buckets": {"type": "list", "elements": "str", "default": []},
            "write_buckets": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    found = module.params
    if not found["read_buckets"] and not found["write_buckets"]:
        module.fail_json(msg="name a bucket in read_buckets or write_buckets")
    words = ["auth", "create", "--ensure", "--token-value-file", "-"]
    for option in ("username", "org", "description"):
        if found[option]:
            words.append(f"--{option}={found[option]}")
    for way in ("read", "write"):
        for bucket in found[f"{way}_buckets"]:
            words.append(f"--{way}-bucket={bucket}")
    change(module, words, data=found["token_value"])


if __name__ == "__main__":
    main()
