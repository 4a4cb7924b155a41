"""How a command is allowed to show secrets.

Lives here: `disclose`, between an option that asks for secrets and the note in the ledger. Must not
live here: what is shown.
"""

from recovery.cli.context import Context
from recovery.cli.options import Options
from recovery.model.ids import Id
from recovery.services.disclosure import Disclosure
from recovery.services.store_facts import StoreFacts


def disclose(
    facts: StoreFacts,
    operation: str,
    options: Options,
    context: Context,
    *,
    record_ids: tuple[Id, ...] = (),
) -> Disclosure:
    """Write down that secrets are going to be shown, before the first one is.

    Args:
        operation: The command, with the option that asks for secrets.
        options: Their `--ledger` and `--reason`.
        record_ids: Whose secrets, where it is not those of all.
    """
    from recovery.cli.recording import open_ledger  # noqa: PLC0415 # only this needs the ledger

    return Disclosure.noted(
        open_ledger(options, context, facts.real_path),
        facts,
        operation=operation,
        reason=options.reason,
        record_ids=record_ids,
    )
