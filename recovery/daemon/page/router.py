"""Which path leads to which screen, and what comes in front of all of them.

Lives here: `Page`: host and origin, the session, the token of a form, sending a form twice, the
table of screens. Must not live here: what a screen shows.

Invariants: nothing is shown without a session but the console, what says that there is none, and
static files. A form is carried out only with its own token.

Source: spec admin-daemon 2.3 and 4; HTML standard, form submission; RFC 9110, section 15.4.4.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import quote

from recovery.daemon.answer import STATUSES, Answer, ApiError, lose
from recovery.daemon.call import Call, Desk
from recovery.daemon.changes import refusal, worded
from recovery.daemon.origin import require_own_host, require_own_origin
from recovery.daemon.page import (
    backups,
    copies,
    deleted,
    doctor,
    home,
    ledger,
    maps,
    organizations,
    rebuilding,
    restoring,
    token_acts,
    token_making,
    tokens,
    user_acts,
    users,
)
from recovery.daemon.page.book import Book, NotYetKnown
from recovery.daemon.page.console import Console
from recovery.daemon.page.form import Form
from recovery.daemon.page.render import Renderer, redirect
from recovery.daemon.page.sessions import (
    COOKIE,
    ConsoleCode,
    PageSession,
    PageSessions,
)
from recovery.daemon.page.tops import is_of_page
from recovery.daemon.page.visit import (
    NO_SUCH_PAGE,
    NOTHING_CHANGED,
    SENT_BEFORE,
    Lifetime,
    PageDesk,
    Visit,
    caller_of,
)
from recovery.daemon.page.words import as_sentence
from recovery.daemon.paths import Paths
from recovery.daemon.request import Request
from recovery.daemon.throttle import Throttle
from recovery.daemon.worker import Worker
from recovery.errors import RecoveryError
from recovery.log import get_logger
from recovery.secret import Secret

LOG: Final = get_logger(__name__)
Screen = Callable[[Visit], Answer]
_STATIC: Final = "/static/"
WAIT_S: Final = 0.4
WAITS_MAX: Final = 2
"""So often and so long a screen waits for what takes long, before it says so."""
_FORM_TYPE: Final = "application/x-www-form-urlencoded"
NOT_OURS: Final = "This form is not of this session. Load its page again."
ONLY_THOSE: Final = "Only GET and POST are served here."
CRASHED: Final = (
    "Something went wrong in influx-recovery itself; its log has the place. If you had sent a "
    "form, Backups and undo lists whether it was carried out."
)
FROM_ELSEWHERE: Final = "This page must be opened from this machine (127.0.0.1)."
_TITLES: Final = {HTTPStatus.FORBIDDEN: "Not open", HTTPStatus.NOT_FOUND: "Not found"}


class Route(NamedTuple):
    """A path, and what is there.

    Attributes:
        path: Its parts in braces stand for any one part.
        get: Shows something.
        post: Carries a form out; None where there is none.
    """

    path: str
    get: Screen
    post: Screen | None = None


ROUTES: Final = (
    Route("/", home.show),
    Route("/tokens", tokens.list_tokens),
    Route("/tokens/status", tokens.list_tokens, token_acts.set_status),
    Route("/tokens/verify", token_acts.verify, token_acts.verify),
    Route("/tokens/new/read-write", token_making.read_write, token_making.make_read_write),
    Route("/tokens/new/all-access", token_making.all_access, token_making.make_all_access),
    Route("/tokens/new/custom", token_making.custom, token_making.make_custom),
    Route("/tokens/new/operator", token_making.operator, token_making.make_operator),
    Route("/tokens/{id}", tokens.show_token),
    Route("/tokens/{id}/description", tokens.show_token, token_acts.edit),
    Route("/tokens/{id}/clone", tokens.show_token, token_acts.clone),
    Route("/tokens/{id}/complete", token_acts.ask_complete, token_acts.complete),
    Route("/tokens/{id}/hash", token_acts.ask_hash, token_acts.hash_it),
    Route("/tokens/{id}/rotate", token_acts.ask_rotate, token_acts.rotate),
    Route("/tokens/{id}/delete", token_acts.ask_delete, token_acts.delete),
    Route("/users", users.list_users),
    Route("/users/new", user_acts.new, user_acts.make),
    Route("/users/{id}", users.show_user),
    Route("/users/{id}/password", user_acts.ask_password, user_acts.set_password),
    Route("/users/{id}/name", users.show_user, user_acts.rename),
    Route("/users/{id}/activate", users.show_user, user_acts.activate),
    Route("/users/{id}/deactivate", users.show_user, user_acts.deactivate),
    Route("/users/{id}/role", users.show_user, user_acts.set_role),
    Route("/users/{id}/instance", users.show_user, user_acts.own_instance),
    Route("/users/{id}/delete", user_acts.ask_delete, user_acts.delete),
    Route("/organizations", organizations.list_all),
    Route("/organizations/new", organizations.new, organizations.make),
    Route("/organizations/{id}", organizations.show),
    Route("/organizations/{id}/edit", organizations.show, organizations.edit),
    Route("/organizations/{id}/members", organizations.show, organizations.set_member),
    Route("/organizations/{id}/remove", organizations.show, organizations.remove_member),
    Route("/organizations/{id}/delete", organizations.ask_delete, organizations.delete),
    Route("/organizations/{id}/buckets", organizations.show, organizations.make_bucket),
    Route("/buckets/{id}", organizations.show_bucket, organizations.edit_bucket),
    Route("/buckets/{id}/delete", organizations.ask_delete_bucket, organizations.delete_bucket),
    Route("/map", maps.reach),
    Route("/map/file", maps.pages),
    Route("/doctor", doctor.show),
    Route("/doctor/repair", doctor.ask_repair, doctor.repair),
    Route("/doctor/rebuild", rebuilding.show),
    Route("/backups", backups.show),
    Route("/backups/undo/{number}", backups.ask_undo, backups.undo),
    Route("/backups/undo-all", backups.ask_undo_all, backups.undo_all),
    Route("/backups/deleted", deleted.show),
    Route("/backups/deleted/tokens/{id}", deleted.ask_token, deleted.bring_token),
    Route("/backups/deleted/users/{id}", deleted.ask_user, deleted.bring_user),
    Route("/backups/copy", copies.compare),
    Route("/backups/copy/delete", copies.ask_delete, copies.delete),
    Route("/backups/restore", restoring.ask, restoring.prepare),
    Route("/ledger", ledger.show),
    Route("/ledger.csv", ledger.as_csv),
    Route("/keep-open", home.keep_open),
    Route("/keys", home.keys),
    Route("/stop", home.ask_stop, home.stop),
)
_PATHS: Final = Paths(("", route.path, route) for route in ROUTES)


class Page:
    """Answers what a browser asks for."""

    def __init__(
        self, desk: Desk, worker: Worker, lifetime: Lifetime, code: ConsoleCode | None
    ) -> None:
        """Get ready; a short code, if there is one, opens the page once."""
        self._worker = worker
        self._desk: Final = PageDesk(
            desk=desk,
            renderer=Renderer(),
            sessions=PageSessions(desk.clock, desk.rng),
            book=Book(desk, worker),
            lifetime=lifetime,
        )
        self._console = Console(self._desk, worker, code)

    def rest(self) -> None:
        """Drop what was found out and nobody came back for."""
        self._desk.book.forget()

    def close(self) -> None:
        """Give up what is being found out for somebody."""
        self._desk.book.close()

    async def answer(self, request: Request, *, port: int | None, throttle: Throttle) -> Answer:
        """Answer a request that came to this port, or to a Unix socket, which has none."""
        if request.path.startswith(_STATIC):
            found = self._desk.renderer.static(request.path.removeprefix(_STATIC))
            return found or self._refused("There is no such file.", HTTPStatus.NOT_FOUND)
        try:
            require_own_host(request, port=port)
            require_own_origin(request, has_token=False)
            return await self._routed(request, throttle)
        except ApiError as error:
            return self.refused(error)
        except RecoveryError as error:
            LOG.warning("page.failed", error=type(error).__name__)
            return self._refused(as_sentence(worded(error)), HTTPStatus.SERVICE_UNAVAILABLE)
        except Exception as error:  # the page goes on whatever one request met
            LOG.error("page.crashed", exc_info=error)  # noqa: TRY400 # ours has no exception()
            return self._refused(CRASHED, HTTPStatus.INTERNAL_SERVER_ERROR)

    def refused(self, error: ApiError) -> Answer:
        """Say in front of every screen that a request is not answered."""
        error.forget()
        message = f"{as_sentence(error.message)} {NOTHING_CHANGED}"
        is_elsewhere = error.code == "forbidden"
        return self._refused(FROM_ELSEWHERE if is_elsewhere else message, STATUSES[error.code])

    async def _routed(self, request: Request, throttle: Throttle) -> Answer:
        method = "GET" if request.method == "HEAD" else request.method
        if method not in {"GET", "POST"}:
            return self._refused(ONLY_THOSE, HTTPStatus.METHOD_NOT_ALLOWED)
        form = _body(request) if method == "POST" else Form({})
        if request.path == "/console":
            return await self._console.answer(method, request, form, throttle)
        key = request.cookie(COOKIE)
        session = self._desk.sessions.find(Secret(key)) if key and key.isascii() else None
        if session is None or key is None:
            return self._without_session(method, request, form)
        if (method, request.path) == ("POST", "/leave"):
            return self._leave(session, key, form)
        return await self._shown(method, session, request, form)

    async def _shown(
        self, method: str, session: PageSession, request: Request, form: Form
    ) -> Answer:
        """Show a screen to somebody who may be here, or carry a form out."""
        found = _PATHS.find("", request.path)
        route, parts = found.target or Route(request.path, _not_found), found.parts
        if method == "GET":
            return await self._run(session, request, form, parts, route.get, None)
        if route.post is None:
            return self._refused("There is no form here.", HTTPStatus.METHOD_NOT_ALLOWED)
        _require_own_form(session, request.path, form)
        return await self._run(session, request, form, parts, route.post, route.get)

    def _leave(self, session: PageSession, key: str, form: Form) -> Answer:
        _require_own_form(session, "/leave", form)
        self._desk.sessions.close(Secret(key))
        return redirect("/console")

    async def _run(  # one for each thing that a screen needs
        self,
        session: PageSession,
        request: Request,
        form: Form,
        parts: dict[str, str],
        screen: Screen,
        again: Screen | None,
    ) -> Answer:
        """Show a screen or carry a form out, on the thread of the store.

        What takes long is waited for here, and then shown as being found out: the page asks again.
        """
        now_s = asyncio.get_running_loop().time()
        desk = self._desk.desk

        def job(*, is_last: bool) -> Answer:
            self._desk.book.is_patient = again is None
            once = form.get("once")
            if once in session.spent:
                led_to = session.spent[once]
                if led_to is not None:
                    return redirect(led_to)
            kept = None if again else session.kept.get(request.path)
            shown_again = screen if kept else again
            with Call(desk, request, parts, lambda tx: caller_of(session, tx, desk)) as call:
                visit = Visit(
                    page=self._desk,
                    call=call,
                    session=session,
                    asked=Form.of(request.raw_query),
                    form=kept or form,
                    now_s=now_s,
                    is_kept=kept is not None,
                )
                try:
                    call.caller  # noqa: B018 # refuses who may not be here any more
                    visit.refuse_tokens()
                    return _answered(screen, visit)
                except NotYetKnown as waiting:
                    if not is_last:
                        raise
                    seconds = int(waiting.seconds)
                    return visit.screen("waiting.html", what=waiting.what, seconds=seconds)
                except ApiError as error:
                    return visit.failed(error, shown_again)
                except RecoveryError as error:
                    return visit.failed(refusal(error), shown_again)

        for _ in range(WAITS_MAX):
            try:
                return await self._worker.on_store(partial(job, is_last=False), lose)
            except NotYetKnown as waiting:
                await asyncio.wait([asyncio.wrap_future(waiting.future)], timeout=WAIT_S)
        return await self._worker.on_store(partial(job, is_last=True), lose)

    def _without_session(self, method: str, request: Request, form: Form) -> Answer:
        if method == "POST" and request.path != "/leave":
            return self._console.ended(request.path, form)
        if not is_of_page(request.path):
            return self._refused(as_sentence(NO_SUCH_PAGE), HTTPStatus.NOT_FOUND)
        is_plain = request.path in {"/", "/leave"}
        return redirect("/console" + ("" if is_plain else f"?next={quote(request.path, safe='/')}"))

    def _refused(self, message: str, status: int) -> Answer:
        """Say something to somebody who has no session, or may not have one."""
        context = {
            "message": message,
            "title": _TITLES.get(HTTPStatus(status), "That did not work"),
        }
        return self._desk.renderer.page("refused.html", context, status=status)


def _not_found(_: Visit) -> Answer:
    raise ApiError("not found", NO_SUCH_PAGE)


def _answered(screen: Screen, visit: Visit) -> Answer:
    if visit.form.get("once") in visit.session.spent:
        return visit.failed(ApiError("conflict", SENT_BEFORE), None)
    answer = screen(visit)
    if visit.is_kept:  # what was typed comes back once
        del visit.session.kept[visit.path]
    return answer


def _body(request: Request) -> Form:
    """Read the fields of a form."""
    kind = request.headers.get("content-type", _FORM_TYPE).partition(";")[0].strip().lower()
    if kind != _FORM_TYPE:
        raise ApiError("invalid", "This is no form.")
    return Form.of(request.body.decode("latin-1"))


def _require_own_form(session: PageSession, path: str, form: Form) -> None:
    """Refuse what this session was not given for this path: `ApiError` 422, of the form alone."""
    once = form.get("once")
    if not once or not session.is_own(path, once, form.get("token")):
        raise ApiError("conflict", NOT_OURS)
