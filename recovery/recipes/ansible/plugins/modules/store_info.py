#!/usr/bin/python
# MIT License, see LICENSE of influx-recovery
"""Say what a store is and who can get in."""

from __future__ import annotations

DOCUMENTATION = r"""
module: store_info
short_description: Say what a store is and who can get in
version_added: "0.1.0"
author: influx-recovery (@influx-recovery)
description:
  - Reads level, versions, users and operator tokens. Nothing is changed, and no token is shown.
extends_documentation_fragment:
  - influx_recovery.admin.store
  - influx_recovery.admin.store.reading
"""

EXAMPLES = r"""
- name: Who can get in
  influx_recovery.admin.store_info:
    bolt_path: /var/lib/influxdb/influxd.bolt
  register: found
"""

RETURN = r"""
info:
  description: What C(influx-recovery store info --json) prints.
  type: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.influx_recovery.admin.plugins.module_utils.program import (
    OPTIONS,
    call,
)


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={**OPTIONS, "live": {"type": "bool", "default": True}},
        supports_check_mode=True,
    )
    live = ["--live"] if module.params["live"] else []
    document, _code = call(module, ["store", "info", *live])
    module.exit_json(changed=False, info=document)


if __name__ == "__main__":
    main()
