"""What was deleted before this session, and the way back.

Lives here: the list of deleted users and tokens, and bringing one back. Must not live here: where
they are looked for and what is written (`recovery.services.undeletion`).

Invariants: what was found holds tokens: it stays in the memory of this process until its plan is
shown, or nobody asked for anything for five minutes. The list holds none.
"""

from collections.abc import Callable
from typing import Final

from recovery.daemon.answer import Answer
from recovery.daemon.page.copies import copies_here, history_of
from recovery.daemon.page.visit import STEPS_SHOWN, Visit
from recovery.services.changes.plan import Plan, Planner
from recovery.services.session import Session
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.undeletion.tokens import DeletedToken, UndeleteTokens, list_deleted_tokens
from recovery.services.undeletion.traces import Traces, deletions_of, gather, known_copies
from recovery.services.undeletion.users import DeletedUser, UndeleteUser, list_deleted_users

PATH: Final = "/backups/deleted"
WHAT: Final = "Looking for what was deleted"
Found = tuple[tuple[DeletedUser, ...], tuple[DeletedToken, ...], tuple[str, ...]]
Making = Callable[[Traces, dict[str, str]], Planner]


def show(visit: Visit) -> Answer:
    """Show what can be brought back."""
    visit.require_operator()
    users, tokens, problems = visit.page.book.beside(PATH, WHAT, lambda one: _listed(visit, one))
    return visit.screen(
        "deleted.html",
        users=visit.cut(users, STEPS_SHOWN, "users"),
        tokens=visit.cut(tokens, STEPS_SHOWN, "tokens"),
        problems=problems,
    )


def _listed(visit: Visit, session: Session) -> Found:
    traces, deletions = _found(visit, session)
    with session.view() as view:
        users = tuple(list_deleted_users(view.tx, traces, deletions))
        tokens = tuple(list_deleted_tokens(view.tx, traces, deletions))
    return users, tokens, tuple(traces.problems)


def _found(visit: Visit, session: Session) -> tuple[Traces, dict[str, str]]:
    """Look for what was deleted, and say which operation of the ledger deleted what, by ID."""
    history = history_of(visit)
    beside = {one.path: one.made_at for one in copies_here(visit)}
    traces = gather(session.store, known_copies(beside, history), has_own=True)
    return traces, deletions_of(history)


def _returning_token(visit: Visit) -> Making:
    ids = (visit.id(),)
    return lambda traces, deletions: UndeleteTokens(ids=ids, traces=traces, deletions=deletions)


def _returning_user(visit: Visit) -> Making:
    user = UserChoice(name=None, user_id=visit.id())
    with_tokens = visit.form.has("with_tokens")
    return lambda traces, _: UndeleteUser(user=user, traces=traces, with_tokens=with_tokens)


def _ask(visit: Visit, make: Making, noun: str, *, extra: tuple[str, str] | None = None) -> Answer:
    visit.require_operator()

    def planned(session: Session) -> Plan:
        return visit.plan(make(*_found(visit, session)), session)

    return visit.ask_plan(
        visit.page.book.beside(("return", visit.path), WHAT, planned, is_for_once=True),
        title=f"Bring this {noun} back?",
        button="Bring it back",
        back=PATH,
        name="Deleted",
        extra=extra,
    )


def _done(visit: Visit, make: Making, then: str) -> Answer:
    visit.require_operator()
    return visit.changed(make(*_found(visit, visit.page.desk.session)), then)


def ask_token(visit: Visit) -> Answer:
    """Ask whether to bring a token back, with the value that it had."""
    return _ask(visit, _returning_token(visit), "API token")


def bring_token(visit: Visit) -> Answer:
    """Bring it back."""
    return _done(visit, _returning_token(visit), f"/tokens/{visit.id()}")


def ask_user(visit: Visit) -> Answer:
    """Ask whether to bring a user back, with password and roles."""
    extra = ("with_tokens", "Bring its deleted tokens back too")
    return _ask(visit, _returning_user(visit), "user", extra=extra)


def bring_user(visit: Visit) -> Answer:
    """Bring it back."""
    return _done(visit, _returning_user(visit), f"/users/{visit.id()}")
