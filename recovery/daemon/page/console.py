"""The door: the console key, the code, or the password of a user.

Lives here: `Console`. Must not live here: sessions (`recovery.daemon.page.sessions`), and what
somebody may do then.

Invariants: a key or a password is never shown again, and in no URL. A user who does not exist takes
as long as a wrong password.

Source: spec admin-daemon 2.2, 2.6 and 4.1.
"""

import asyncio
from http import HTTPStatus
from typing import Final

from recovery.daemon.answer import Answer
from recovery.daemon.api.sign_in import NOBODYS_HASH
from recovery.daemon.page.form import Form, without_secrets
from recovery.daemon.page.render import own_path, redirect
from recovery.daemon.page.sessions import COOKIE, ConsoleCode, is_same, read_code
from recovery.daemon.page.visit import NOTHING_CHANGED, PageDesk
from recovery.daemon.passwords import faults_of
from recovery.daemon.request import Request
from recovery.daemon.throttle import Throttle
from recovery.daemon.worker import Worker
from recovery.model.ids import Id
from recovery.model.password import password_matches
from recovery.secret import Secret

PATH: Final = "/console"
WRONG_KEY: Final = "That is not the key of this run."
USED_CODE: Final = "The code has been used. Take the key from the terminal."
NO_MORE_CODE: Final = "Too many tries. Restart serve to get a new code."
WRONG_PASSWORD: Final = "That user name or password is not right."  # noqa: S105 # a sentence
INACTIVE: Final = "This user is inactive: open the page with the console key to activate it."
NO_KEY: Final = "This run has no console key: sign in as a user of the store."
NOT_OURS: Final = "This form is not of this run. Try again."
ENDED: Final = (
    f"Your session has ended. {NOTHING_CHANGED} Open the console again: it leads back to the form "
    "with what you typed, but for passwords and tokens."
)
NOTHING_TYPED: Final = Form({})


class Console:
    """Lets people in."""

    def __init__(self, page: PageDesk, worker: Worker, code: ConsoleCode | None) -> None:
        """Get ready; a short code, if there is one, opens the page once."""
        self._page = page
        self._worker = worker
        self._code = code
        self._preparing: asyncio.Future[None] | None = None  # a task that nobody holds may go

    async def answer(self, method: str, request: Request, form: Form, throttle: Throttle) -> Answer:
        """Show the door, or let somebody in; `ApiError` after too many passwords."""
        if method == "GET":
            self._preparing = asyncio.ensure_future(self._worker.on_store(self._page.book.prepare))
            return self._shown("", Form.of(request.raw_query).get("next"))
        following, kept = own_path(form.get("next")), without_secrets(Form.of(form.get("kept")))
        if not is_same(self._page.sessions.entry_token(PATH, form.get("once")), form.get("token")):
            return self._shown(NOT_OURS, following, kept, status=HTTPStatus.CONFLICT)
        if form.has("username"):
            problem, user_id = await self._user_of(form, throttle)
        else:
            problem, user_id = self._problem_of_key(form.get("key").strip()), None
        if problem:
            at = "username" if form.has("username") else "key"
            return self._shown(problem, following, kept, at=at, status=HTTPStatus.FORBIDDEN)
        key = self._page.sessions.open(user_id, {following: kept} if kept.values else {})
        return redirect(following, _cookie(key))

    def ended(self, path: str, form: Form) -> Answer:
        """Show the door to somebody who has sent a form after the end of the session.

        Args:
            path: Where the form was sent to; that way leads back to it.
            form: What was typed, which comes back with the key, but for secrets.
        """
        return self._shown(ENDED, path, without_secrets(form), status=HTTPStatus.UNAUTHORIZED)

    def _problem_of_key(self, typed: str) -> str:
        """Say what is wrong with a key or a code; "" when it is right."""
        code = read_code(typed)
        if code is not None and self._code is not None:
            if self._code.take(code):
                return ""
            if self._code.was_used:
                return USED_CODE
            return NO_MORE_CODE if self._code.is_out else WRONG_KEY
        access = self._page.desk.access
        if not access.has_console_key:
            return NO_KEY
        return "" if access.is_console_key(Secret(typed)) else WRONG_KEY

    async def _user_of(self, form: Form, throttle: Throttle) -> tuple[str, Id | None]:
        """Find the user who signs in, or say what is wrong."""
        loop = asyncio.get_running_loop()
        throttle.require_sign_in(loop.time())
        name, password = form.get("username"), form.secret("password")

        def stored() -> tuple[Id, bool, bytes] | None:
            with self._page.desk.session.view() as view:
                user_id = view.tx.users.indexed_id(name)
                user = None if user_id is None else view.tx.users.get(user_id)
                found = None if user is None else view.tx.passwords.get(user.id)
                return None if user is None or found is None else (user.id, user.is_inactive, found)

        known = await self._worker.on_store(stored)
        stored_hash = NOBODYS_HASH if known is None else known[2]
        is_right = await self._worker.on_passwords(lambda: password_matches(password, stored_hash))
        if known is None or not is_right:
            throttle.note_sign_in(loop.time())
            return WRONG_PASSWORD, None
        faults = faults_of(password, is_strong=self._page.desk.settings.strong_passwords)
        if faults:
            return f"InfluxDB does not take this password any more: {faults[0]}.", None
        return (INACTIVE, None) if known[1] else ("", known[0])

    def _shown(
        self,
        problem: str,
        following: str,
        kept: Form = NOTHING_TYPED,
        *,
        at: str = "",
        status: int = HTTPStatus.OK,
    ) -> Answer:
        once = self._page.sessions.new_once()
        return self._page.renderer.page(
            "console.html",
            {
                "problem": problem,
                "at": at,
                "next": own_path(following),
                "kept": kept.encoded,
                "once": once,
                "token": self._page.sessions.entry_token(PATH, once),
                "has_key": self._page.desk.access.has_console_key,
                "has_code": self._code is not None,
                "store_path": str(self._page.desk.session.store.file.path),
            },
            status=status,
        )


def _cookie(key: Secret) -> tuple[bytes, bytes]:
    """Write the one header that carries the key of a session."""
    text = f"{COOKIE}={key.reveal()}; Path=/; HttpOnly; SameSite=Strict"
    return b"Set-Cookie", text.encode("ascii")
