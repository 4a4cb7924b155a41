#!/usr/bin/python
# MIT License, see LICENSE of influx-recovery
"""Ensure that a stopped server has a user."""

from __future__ import annotations

DOCUMENTATION = r"""
module: user
short_description: Ensure that a stopped server has a user
version_added: "0.1.0"
author: influx-recovery (@influx-recovery)
description:
  - Ensures that there is a user, with a role in an organization if one is named.
  - A user that is there keeps its password.
extends_documentation_fragment:
  - influx_recovery.admin.store
  - influx_recovery.admin.store.writing
options:
  username:
    description: Name of the user.
    type: str
    required: true
  password:
    description: Password of a new user; without one the user cannot sign in.
    type: str
  owner_of:
    description: Organization that the user owns.
    type: str
  member_of:
    description: Organization that the user is a member of.
    type: str
"""

EXAMPLES = r"""
- name: Carol may sign in
  influx_recovery.admin.user:
    bolt_path: /var/lib/influxdb/influxd.bolt
    username: carol
    password: "{{ carol_password }}"
    member_of: acme
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
            "username": {"type": "str", "required": True},
            "password": {"type": "str", "no_log": True},
            "owner_of": {"type": "str"},
            "member_of": {"type": "str"},
        },
        mutually_exclusive=[("owner_of", "member_of")],
        supports_check_mode=True,
    )
    found = module.params
    words = ["user", "create", "--ensure", f"--username={found['username']}"]
    if found["owner_of"]:
        words.append(f"--owner-of={found['owner_of']}")
    elif found["member_of"]:
        words.append(f"--member-of={found['member_of']}")
    else:
        words.append("--no-org")
    words += ["--password-file", "-"] if found["password"] else ["--no-password"]
    change(module, words, data=found["password"])


if __name__ == "__main__":
    main()
