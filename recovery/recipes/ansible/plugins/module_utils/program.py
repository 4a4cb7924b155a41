# MIT License, see LICENSE of influx-recovery
"""Calls influx-recovery on a host and understands what it prints with --json."""

from __future__ import annotations

import json

OPTIONS = {
    "bolt_path": {"type": "path", "required": True},
    "program": {"type": "path", "default": "influx-recovery"},
    "ledger": {"type": "path"},
}
WRITING = {"reason": {"type": "str"}}


def call(module, words, *, data=None, expected=(0,)):
    """Run a command with --json; end the module where it fails.

    module: the AnsibleModule. words: the command and its options. data: for its standard input.
    expected: exit codes that are no failure. Gives its document and exit code.
    """
    parameters = module.params
    line = [parameters["program"], *words, "--json", f"--bolt-path={parameters['bolt_path']}"]
    for option in ("ledger", "reason"):
        if parameters.get(option):
            line.append(f"--{option}={parameters[option]}")
    code, printed, said = module.run_command(line, data=data)
    try:
        document = json.loads(printed)
    except ValueError:
        document = {}
    if code not in expected:
        error = document.get("error") or {}
        module.fail_json(
            msg=error.get("message") or said.strip() or f"influx-recovery ended with {code}",
            hint=error.get("hint"),
            rc=code,
        )
    return document, code


def change(module, words, *, data=None):
    """Make a change, or with check mode only plan it, and end the module with what came of it."""
    manner = ["--dry-run"] if module.check_mode else ["--yes"]
    document = call(module, [*words, *manner], data=data)[0]
    is_changed = document["is_needed"] if module.check_mode else document["is_changed"]
    plan = {key: value for key, value in document["plan"].items() if key != "permissions"}
    result = {
        "changed": is_changed,
        "plan": plan,
        "record_ids": document["record_ids"],
        "backup_path": document["backup_path"],
        "token_path": document.get("token_path"),
        "warnings": document["warnings"] if is_changed else [],
    }
    if module._diff:
        after = json.dumps(plan, indent=2, sort_keys=True) + "\n"
        result["diff"] = {"before": "" if is_changed else after, "after": after}
    module.exit_json(**result)
