"""The one page that shows a new secret.

Lives here: `show_secret`, `show_password`. Must not live here: how the secret is made.

Invariants: the secret is in the answer to the POST that made it, and nowhere else: in no URL,
title, log or ledger, and in no answer to the same form sent again. If the client has gone before it
had the answer, the ledger says that nobody has it.

Source: spec admin-daemon 1.8 and 4.7.
"""

import csv
from dataclasses import replace

from recovery.daemon.answer import Answer
from recovery.daemon.changes import Made
from recovery.daemon.page.visit import Visit
from recovery.model.ids import Id
from recovery.secret import Secret
from recovery.services.authorizations.details import details_of
from recovery.services.reach import Names, Reaching, may_do


def show_secret(visit: Visit, made: Made) -> Answer:
    """Show a new token."""
    found = visit.tx.authorizations.get(Id(made.record_ids[-1]))
    details = None if found is None else details_of(visit.tx, found)
    grants = tuple(Reaching(Names(visit.tx)).of((details and details.permissions) or ()))
    answer = visit.shown_once(
        "once.html",
        secret="" if made.secret is None else _token_in(made.secret),
        token=details,
        words=may_do(grants, len((details and details.permissions) or ())),
        is_operator_token=details is not None and details.operator.is_operator,
        keeps_text=details is not None and details.token_form.value == "raw",
        address=visit.page.desk.settings.configuration.get("http-bind-address") or ":8086",
    )
    return replace(answer, when_lost=made.mark_lost)


def show_password(visit: Visit, password: Secret, *, name: str, then: str) -> Answer:
    """Show a password that was made for a user; "I have it" leads to `then`."""
    return visit.shown_once("once_password.html", secret=password.reveal(), name=name, then=then)


def _token_in(secret: Secret) -> str:
    """Give the token of a secret that is one, or is a list of one with a heading.

    A rotation hands over lines of ID, description and token; here it has one line.
    """
    text = secret.reveal()
    if "\n" not in text:
        return text
    return list(csv.reader(text.splitlines()))[-1][-1]
