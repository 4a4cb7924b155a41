#!/usr/bin/python
# MIT License, see LICENSE of influx-recovery
"""Say whether a server will start on its store."""

from __future__ import annotations

DOCUMENTATION = r"""
module: store_check
short_description: Say whether a server will start on its store
version_added: "0.1.0"
author: influx-recovery (@influx-recovery)
description:
  - Checks the file and every record. Damage is a result, and no failure of the module.
extends_documentation_fragment:
  - influx_recovery.admin.store
  - influx_recovery.admin.store.reading
"""

EXAMPLES = r"""
- name: Whether it will start
  influx_recovery.admin.store_check:
    bolt_path: /var/lib/influxdb/influxd.bolt
  register: checked
  failed_when: not checked.is_sound
"""

RETURN = r"""
is_sound:
  description: Whether nothing was found.
  type: bool
  returned: success
verdict:
  description: Whether influxd will start, in a sentence.
  type: str
  returned: success
check:
  description: What C(influx-recovery store check --json) prints.
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
    document, code = call(module, ["store", "check", *live], expected=(0, 1, 5))
    error = (document.get("error") or {}).get("message")
    verdict = (document.get("verdict") or {}).get("sentence") or error
    module.exit_json(changed=False, is_sound=code == 0, verdict=verdict, check=document)


if __name__ == "__main__":
    main()
