# MIT License, see LICENSE of influx-recovery
"""What the modules say alike of their options."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of every module, and of those that read or write."""

    DOCUMENTATION = r"""
options:
  bolt_path:
    description: The store, the file influxd.bolt on the host.
    type: path
    required: true
  program:
    description: Where influx-recovery is on the host.
    type: path
    default: influx-recovery
  ledger:
    description: The record of what was done; the program has one by itself.
    type: path
"""

    READING = r"""
options:
  live:
    description: Read a snapshot while the server runs.
    type: bool
    default: true
attributes:
  check_mode:
    description: Stops after the plan.
    support: full
  diff_mode:
    description: Shows the plan, without secrets.
    support: none
"""

    WRITING = r"""
options:
  reason:
    description: Why this is done, for the ledger.
    type: str
attributes:
  check_mode:
    description: Stops after the plan.
    support: full
  diff_mode:
    description: Shows the plan, without secrets.
    support: full
"""
