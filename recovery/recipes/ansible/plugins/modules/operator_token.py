#!/usr/bin/python
# MIT License, see LICENSE of influx-recovery
"""Give a stopped server an operator token."""

from __future__ import annotations

DOCUMENTATION = r"""
module: operator_token
short_description: Give a stopped server an operator token
version_added: "0.1.0"
author: influx-recovery (@influx-recovery)
description:
  - Ensures that a token is an operator token, or makes a new one into a file on the host.
  - The server has to be stopped; the store is backed up first, and verified after.
  - Without O(token_value) each run makes a new token, unless the file O(token_file) is there.
extends_documentation_fragment:
  - influx_recovery.admin.store
  - influx_recovery.admin.store.writing
options:
  username:
    description: User who gets the token; the only user needs no name.
    type: str
  org:
    description: Organization of the token; the only one needs no name.
    type: str
  description:
    description: Text that the server shows for it.
    type: str
  token_value:
    description: The token itself, at least 16 characters, from a vault.
    type: str
  token_file:
    description: New file on the host for a new random token, mode 0600.
    type: path
"""

EXAMPLES = r"""
- name: A token of the vault may do everything
  influx_recovery.admin.operator_token:
    bolt_path: /var/lib/influxdb/influxd.bolt
    token_value: "{{ influx_operator_token }}"
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

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.influx_recovery.admin.plugins.module_utils.program import (
    OPTIONS,
    WRITING,
    call,
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
            "token_value": {"type": "str", "no_log": True},
            "token_file": {"type": "path", "no_log": False},
        },
        mutually_exclusive=[("token_value", "token_file")],
        required_one_of=[("token_value", "token_file")],
        supports_check_mode=True,
    )
    found = module.params
    words = ["auth", "create-operator"]
    for option in ("username", "org", "description"):
        if found[option]:
            words.append(f"--{option}={found[option]}")
    if found["token_value"]:
        change(module, [*words, "--ensure", "--token-value-file", "-"], data=found["token_value"])
    if os.path.exists(found["token_file"]):
        verify = ["auth", "verify", f"--token-file={found['token_file']}"]
        document, code = call(module, verify, expected=(0, 1, 3, 7))
        if code == 0 and document["authorization"]["operator"] == "full":
            module.exit_json(
                changed=False,
                token_path=found["token_file"],
                plan={},
                record_ids=[document["authorization"]["id"]],
                backup_path=None,
            )
        module.fail_json(
            msg=f"{found['token_file']} is there and is no operator token of this store"
        )
    change(module, [*words, f"--token-file={found['token_file']}"])


if __name__ == "__main__":
    main()
