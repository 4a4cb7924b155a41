"""One request of the page while it is answered, on the thread of the store.

Lives here: `Visit`, and what the screens share: plans, changes, the line about what was done, the
box about what went wrong. Must not live here: screens.

Invariants: a form is carried out once, however often it is sent: the second time it leads where the
first did. What goes wrong is said on the screen that it was asked from, with what was typed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import quote

import msgspec

from recovery.daemon.access import Caller
from recovery.daemon.answer import STATUSES, Answer, ApiError
from recovery.daemon.call import Call
from recovery.daemon.changes import Made
from recovery.daemon.page.cut import PAGE_ROWS, Cut, prefixed
from recovery.daemon.page.form import (
    IN_ADDRESS,
    NOT_KEPT,
    SHOWN_AGAIN,
    FieldError,
    Form,
)
from recovery.daemon.page.render import Renderer, redirect
from recovery.daemon.page.sessions import PageSession, PageSessions
from recovery.daemon.page.words import Place, advice_of, as_sentence, done_words, record_of
from recovery.daemon.rights import Rights
from recovery.errors import NotFoundError, PasswordError, RecoveryError, RefusedError
from recovery.log.redaction import holds_token
from recovery.metastore.transaction import MetaTx
from recovery.model.ids import Id, parse_id
from recovery.secret import Secret
from recovery.services.changes.plan import Manner, Plan, Planner
from recovery.services.tenancy.bucket_changes import LONG_RETENTION, SHORT_RETENTION

if TYPE_CHECKING:
    from recovery.daemon.call import Desk
    from recovery.daemon.journal import JournalEntry
    from recovery.daemon.page.book import Book
    from recovery.services.session import Session

NOBODY: Final = Id("0000000000000000")
"""What no record is: the ID that is asked about where a record names no owner."""
NOTHING_CHANGED: Final = "Nothing was changed."
NOT_ALLOWED: Final = "Your user may not do this: open the page with the console key."
CHANGED_MEANWHILE: Final = (
    "this was changed elsewhere since the form was shown; look at it, and send it again"
)
SENT_BEFORE: Final = (
    "This form was sent before, and what it made has been shown. If a new secret was not copied, "
    "delete what it belongs to and make another."
)
NO_SUCH_PAGE: Final = "there is no such page"
INACTIVE: Final = "Your user is inactive."
MAY_NOT_BE_TOKENS: Final = frozenset({"description", "name", "reason"})
"""Fields that are compared with every token of the store, however short it is."""
OF_RETENTION: Final = frozenset({LONG_RETENTION, SHORT_RETENTION})
REPAIR: Final = "serve store repair"
STEPS_SHOWN: Final = 60
"""Of a plan, at once."""
SIZE_BYTES_MAX: Final = 60_000
"""Of a page."""
NAVIGATION: Final = (
    ("/tokens", "API Tokens", "t"),
    ("/users", "Users", "u"),
    ("/organizations", "Organizations", "o"),
    ("/map", "Map", "m"),
    ("/doctor", "Doctor", "d"),
    ("/backups", "Backups and undo", "b"),
    ("/ledger", "Ledger", "l"),
)

OPEN_TO_ALL: Final = 3
"""So many of them show to each user what is its own; the others are for operators."""


class Lifetime(Protocol):
    """How long the daemon goes on."""

    def remaining_s(self, now_s: float) -> float | None:
        """Say how many seconds are left if nobody asks for anything; None for ever."""
        ...

    def longest_s(self, now_s: float) -> float | None:
        """Say how many seconds are left however much is asked for; None for ever."""
        ...

    def end(self, cause: str) -> None:
        """End it."""
        ...


class PageDesk(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that screens are made with, besides what answers of the API need.

    Attributes:
        book: What was found out about the store and holds until the next change.
    """

    desk: "Desk"
    renderer: Renderer
    sessions: PageSessions
    book: "Book"
    lifetime: Lifetime


@dataclass(slots=True, kw_only=True)
class Visit:
    """One request.

    Attributes:
        call: The request as the API has it: the records, who asks, changes.
        asked: The fields of the URL.
        form: The fields of the body.
        now_s: The time, on the clock of `Lifetime`.
        is_kept: Whether the fields of the body were typed before the session ended, and are to be
            shown again.
        problem: What went wrong with the form that is shown again; "" when nothing did.
        fault: The field that it stands at, and what it says there.
    """

    page: PageDesk
    call: Call
    session: PageSession
    asked: Form
    form: Form = field(repr=False)
    now_s: float
    is_kept: bool = False
    problem: str = ""
    fault: tuple[str, str] = ("", "")
    status: int = HTTPStatus.OK

    @property
    def tx(self) -> MetaTx:
        """The records, as they are now."""
        return self.call.tx

    @property
    def rights(self) -> Rights:
        """What may be done."""
        return self.call.rights

    @property
    def path(self) -> str:
        """The path, as it was asked for."""
        return self.call.request.path

    @property
    def is_operator(self) -> bool:
        """Whether everything may be done."""
        return self.rights.is_operator(self.tx.level)

    @property
    def places(self) -> tuple[tuple[str, str, str], ...]:
        """The pages that may be looked at: path, title, key."""
        return NAVIGATION if self.is_operator else NAVIGATION[:OPEN_TO_ALL]

    def id(self, name: str = "id") -> Id:
        """Read an ID of the path; raise `ApiError` when it is none, as no page has it then."""
        found = parse_id(self.call.parts[name])
        if found is None:
            raise ApiError("not found", NO_SUCH_PAGE)
        return found

    def place_of(self, bucket: str, record_id: str | None) -> Place:
        """As `record_of`; a record that cannot be read has no page to lead to."""
        place, found = record_of(bucket, record_id), parse_id(record_id or "")
        gets: dict[str, Callable[[Id], object]] = {
            "/tokens": self.tx.authorizations.get,
            "/users": self.tx.users.get,
            "/organizations": self.tx.organizations.get,
            "/buckets": self.tx.buckets.get,
        }
        get = gets.get(place.path.rpartition("/")[0])
        is_there = found is not None and get is not None and get(found) is not None
        return place if is_there else place._replace(path="")

    def user_of(self, form: Form, name: str) -> Id | None:
        """Read a field that names a user, by ID or by name; None when there is no such user."""
        text = form.line(name).strip()
        return parse_id(text) or self.tx.users.indexed_id(text)

    def organization_of(self, form: Form, name: str) -> Id | None:
        """Read a field that names an organization, as `user_of`."""
        text = form.line(name).strip()
        return parse_id(text) or self.tx.organizations.indexed_id(text)

    def may(
        self, what: str, *, one: Id | None = None, org: Id | None = None, user: Id | None = None
    ) -> bool:
        """As `Rights.may`; also of what has no owner, so that it can be seen here and mended."""
        return self.rights.may(what, one=one, org=org or NOBODY, user=user or NOBODY)

    def require(self, what: str, *, one: Id, org: Id | None = None, user: Id | None = None) -> None:
        """As `Rights.require`, and as `may`."""
        self.rights.require(what, one=one, org=org or NOBODY, user=user or NOBODY)

    def require_operator(self) -> None:
        """Refuse what only an operator may do or see, by `ApiError` 403."""
        if not self.is_operator:
            raise ApiError("forbidden", NOT_ALLOWED)

    def require_seen(self, state: object) -> None:
        """Refuse a form that was filled in front of another state, as in a second window.

        Args:
            state: What the form was shown with, as its field `seen`.

        Raises:
            ApiError: It was changed meanwhile.
        """
        if self.form.get("seen") != str(state):
            raise ApiError("conflict", CHANGED_MEANWHILE)

    def plan(self, planner: Planner, session: "Session | None" = None) -> Plan:
        """Say what a change would do, without doing it.

        Args:
            session: Where to look; None for the store that is served.
        """
        looked_at = session or self.page.desk.session
        return looked_at.propose(planner, Manner(is_dry_run=True)).plan

    def change(self, planner: Planner) -> Made:
        """Change the store; raise `ApiError` when that is refused or fails."""
        return self.call.change(planner, why=self.form.line("reason"))

    def changed(self, planner: Planner, then: str) -> Answer:
        """Change the store, and lead to a page that says so."""
        return self.led(self.change(planner), then)

    def changed_when_sure(
        self,
        planner: Planner,
        then: str,
        *,
        warned_by: Planner | None = None,
        **asked: Any,  # noqa: ANN401 # as ask_plan
    ) -> Answer:
        """Change the store, but ask first where the plan warns of something.

        Args:
            then: The path of the page that says what was done.
            warned_by: Whose warnings count, if not those of the planner.
            asked: What else is said in the question, as for `ask_plan`.

        Returns:
            The question, or the answer to the form.
        """
        if not self.form.has("sure"):
            plan = self.plan(planner)
            if warned_by is not None:
                plan = msgspec.structs.replace(plan, warnings=self.plan(warned_by).warnings)
            if plan.warnings and plan.is_needed:
                kept = {
                    name: self.form.get(name)
                    for name in self.form.values
                    if name not in {"once", "token"}
                }
                return self.ask_plan(plan, hidden={**kept, "sure": "1"}, **asked)
        return self.changed(planner, then)

    def ask(self, planner: Planner, **asked: Any) -> Answer:  # noqa: ANN401 # as ask_plan
        """Ask whether to make a change; what else is said is as for `ask_plan`.

        Some plans read every token, and nobody else is kept waiting for that.
        """
        plan = self.page.book.beside(
            ("plan", self.path),
            "Planning the change",
            lambda one: self.plan(planner, one),
            is_for_once=True,
        )
        return self.ask_plan(plan, **asked)

    def ask_plan(  # noqa: PLR0913 # what a question needs
        self,
        plan: Plan,
        *,
        title: str,
        button: str,
        back: str,
        sentence: str = "",
        is_danger: bool = False,
        typed: str | None = None,
        extra: tuple[str, str] | None = None,
        hidden: Mapping[str, str] = MappingProxyType({}),
        name: str = "",
    ) -> Answer:
        """Show what a change would do, and ask.

        Args:
            button: The yes.
            back: Where the no leads.
            sentence: What else is worth knowing.
            is_danger: Whether the button says no by its looks.
            typed: What has to be typed; None for nothing.
            extra: Name and words of a box that can be ticked; None for none.
            hidden: Further fields that come back with the yes.
            name: What it is about, as stored; its page is where the no leads.
        """
        return self.screen(
            "confirm.html",
            title=title,
            plan=plan,
            button=button,
            back=back,
            sentence=sentence,
            is_danger=is_danger,
            typed=typed,
            extra=extra,
            hidden=dict(hidden),
            name=name,
            cut=self.cut(plan.steps, STEPS_SHOWN),
        )

    def led(self, made: Made, then: str) -> Answer:
        """Lead to a page that says what was done."""
        number = self.page.desk.changes.count if made.is_changed else 0
        then, mark, place = then.partition("#")
        path = f"{then}{'&' if '?' in then else '?'}done={number}{mark}{place}"
        self.session.spend(self.form.get("once"), path)
        return redirect(path)

    def shown_once(self, template: str, **context: object) -> Answer:
        """Answer a form with a page that shows a secret, which no other page ever does."""
        self.session.spend(self.form.get("once"), None)
        return self.screen(template, made=self._entry(self.page.desk.changes.count), **context)

    def cut(self, rows: Sequence[object], size: int = PAGE_ROWS, name: str = "") -> Cut:
        """Cut the page that was asked for out of a list; a name tells two of one page apart."""
        number, wanted = (self.asked.get(prefixed(name, one)) for one in ("page", "rows"))
        return Cut.of(rows, number, size, wanted=wanted, name=name)

    def back_to(self, path: str) -> str:
        """Give the place in a list from which a button of it was pressed, or else its path."""
        back = self.form.get("back")
        is_there = back.startswith((f"{path}?", f"{path}#"))
        return back if is_there and back.isascii() and back.isprintable() else path

    def screen(self, template: str, **context: object) -> Answer:
        """Make a page of a template.

        Args:
            context: What it names besides what every page has. Of the longest list that is cut,
                fewer rows are shown where they are so long that the whole would be too large.
        """
        everything = {**self._everywhere(), **context}
        answer = self.page.renderer.page(template, everything, status=self.status)
        while len(answer.body) > SIZE_BYTES_MAX:
            cuts = {name: one for name, one in everything.items() if isinstance(one, Cut)}
            name = max(cuts, key=lambda one: len(cuts[one].rows), default="")
            if not name or cuts[name].size == 1:
                break
            everything[name] = cuts[name].halved()
            answer = self.page.renderer.page(template, everything, status=self.status)
        return answer

    def refuse_tokens(self) -> None:
        """Refuse a token where it would be shown, and forget what was typed there.

        Raises:
            FieldError: There is one in a form.
        """
        for name in self.asked.values:
            if any(map(holds_token, self.asked.all(name))):
                self.asked, self.problem = self.asked.without(name), IN_ADDRESS
        for name in self.form.values:
            texts = self.form.all(name)
            is_token = name in SHOWN_AGAIN and any(map(holds_token, texts))
            if is_token or (name in MAY_NOT_BE_TOKENS and any(map(self._is_token, texts))):
                self.form = self.form.without(name)
                raise FieldError(name, NOT_KEPT)

    def _is_token(self, text: str) -> bool:
        return bool(text) and self.tx.authorizations.find(Secret(text.strip())) is not None

    def failed(self, error: ApiError, again: "Callable[[Visit], Answer] | None") -> Answer:
        """Say what went wrong, on the screen that it was asked from."""
        self.problem = self.worded(error)
        self.fault = _fault_of(error, self.form)
        self.status = STATUSES[error.code]
        if again is not None:
            try:
                return again(self)
            except ApiError as other:
                self.problem = self.worded(other)
        is_nowhere = error.code == "not found"
        return self.screen("error.html", title="Not found" if is_nowhere else "That did not work")

    def worded(self, error: ApiError) -> str:
        """Put an error into the two sentences that every error here has."""
        error.forget()
        cause = error.__cause__
        if isinstance(cause, RecoveryError):  # it says itself whether anything was changed
            return as_sentence(f"{cause}; {advice_of(cause)}")
        message = error.message
        if error.code == "unauthorized":
            message = f"Your user may not do this ({message})."
        is_silent = self.page.desk.changes.stopped_by is not None or error.code == "not found"
        return as_sentence(message) + ("" if is_silent else f" {NOTHING_CHANGED}")

    def _everywhere(self) -> dict[str, object]:
        changes = self.page.desk.changes
        facts = self.page.desk.session.facts()
        done = self._entry(_number(self.asked.get("done")))
        remaining_s = self.page.lifetime.remaining_s(self.now_s)
        top = f"/{self.path.split('/')[1]}"
        return {
            "navigation": self.places,
            "here_path": self.path,
            "here": "/organizations" if top == "/buckets" else top,
            "store_path": str(facts.path),
            "is_read_only": not self.page.desk.session.store.is_writable,
            "is_stopped": changes.stopped_by is not None,
            "change_count": changes.count,
            "stops_in_min": None if remaining_s is None else max(1, round(remaining_s / 60)),
            "stops_in_s": None if remaining_s is None else round(remaining_s),
            "longest_s": self.page.lifetime.longest_s(self.now_s),
            "visitor": self.call.caller.name,
            "is_operator": self.is_operator,
            "problem": self.problem,
            "fault": self.fault,
            "is_kept": self.is_kept,
            "done": done,
            "done_words": done_words(done.operation) if done else "",
            # What stays after a repair is on the doctor's page, with the names that it has there.
            "done_warnings": done.warnings[:3] if done and done.operation != REPAIR else (),
            "is_unneeded": self.asked.get("done") == "0",
            "new_form": self._new_form,
            "form": self.form,
            "q": lambda text: quote(text, safe=""),
        }

    def _new_form(self, action: str) -> Mapping[str, str]:
        """Draw the number of a form, and its token."""
        once = self.page.sessions.new_once()
        return {"once": once, "token": self.session.form_token(action, once)}

    def _entry(self, number: int) -> "JournalEntry | None":
        entries = self.page.desk.changes.journal.entries
        return next((one for one in reversed(entries) if one.number == number), None)


def _fault_of(error: ApiError, form: Form) -> tuple[str, str]:
    """Tell at which field an error stands, and what it says there; both "" where at none."""
    cause = error.__cause__
    at, said = "", ""
    match cause:
        case PasswordError():
            at, said = "password", cause.reason
        case NotFoundError():
            at = next((one for one in (cause.kind, "owner") if form.has(one)), "")
            said = f"there is no {cause.kind} {cause.name}"
        case RefusedError() if form.has("retention") and cause.reason in OF_RETENTION:
            at, said = "retention", cause.reason
        case RefusedError() if form.has("name"):  # it is taken, or no server would take it
            at, said = "name", cause.reason
    if isinstance(error, FieldError):
        at, said = error.field, error.message
    return (at, as_sentence(said)) if at else ("", "")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1  # noqa: PLR2004 # digits enough


def caller_of(visit_session: PageSession, tx: MetaTx, desk: "Desk") -> Caller:
    """Find out who has opened the page; `ApiError` 403 when the user is gone or inactive."""
    if visit_session.user_id is None:
        return desk.access.console_caller(tx)
    user = tx.users.get(visit_session.user_id)
    if user is None or user.is_inactive:
        raise ApiError("forbidden", INACTIVE)
    return desk.access.session_caller(tx, user)
