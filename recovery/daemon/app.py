"""The application: from a connection's request to its answer.

Lives here: `Application`, an ASGI application: heads and bodies of requests, the order of origin,
authentication and routing, and how an answer is sent. Must not live here: the table of routes
(`recovery.daemon.routes`), and what they answer.

Invariants: nothing under /api/v2 and /private is answered to who may not ask, not even whether it
exists. A list is sent in slices, each read in a job of its own, so that others get in between; its
first slice decides the status.

Source: InfluxDB v2.9.1 http/platform_handler.go, http/authentication_middleware.go; ASGI 3.0, HTTP;
spec admin-daemon 1.1 to 1.3, 2.3, 3.3.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, cast

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.types import Receive, Scope, Send

from recovery.daemon.access import UNAUTHORIZED, token_of
from recovery.daemon.answer import NOT_ALLOWED, Answer, ApiError, Headers, lose
from recovery.daemon.call import Call, Desk, Handler, Reply, Slow
from recovery.daemon.changes import refusal
from recovery.daemon.origin import require_own_host, require_own_origin
from recovery.daemon.page.tops import is_of_page
from recovery.daemon.protocol import Connection
from recovery.daemon.request import Request, parse_query, path_of
from recovery.daemon.routes import (
    METHODS,
    NOT_SERVED,
    PATH_NOT_FOUND,
    find_route,
    is_of_api,
    needs_caller,
)
from recovery.daemon.throttle import Throttle
from recovery.daemon.worker import Worker
from recovery.errors import RecoveryError
from recovery.log import get_logger

if TYPE_CHECKING:
    from recovery.daemon.page.router import Page
    from recovery.secret import Secret

LOG: Final = get_logger(__name__)
BODY_SIZE_BYTES_MAX: Final = 1 << 20
_TOO_LARGE: Final = "a body has at most 1 MiB here"


class Application:
    """Answers requests.

    Attributes:
        own_headers: What every answer carries.
    """

    def __init__(self, desk: Desk, worker: Worker, load_page: "Callable[[], Page]") -> None:
        """Get ready; what a browser is shown is made by `load_page` when one asks."""
        self._load_page = load_page
        self._page: Page | None = None
        self._desk = desk
        self._worker = worker
        self._throttle = Throttle()
        self._in_hand_count = 0
        self._last_asked_s: float | None = None
        self.own_headers: Final[Headers] = (
            (b"X-Influxdb-Build", b"OSS"),
            (b"X-Influxdb-Version", desk.settings.version.encode()),
        )

    def rest(self) -> None:
        """Use a time in which nobody asks for anything; on the thread of the store."""
        self._desk.changes.look()
        if self._page is not None:
            self._page.rest()

    def close(self) -> None:
        """Give up what is being found out for the page."""
        if self._page is not None:
            self._page.close()

    def last_asked_s(self, now_s: float) -> float | None:
        """Say when, on the loop's clock, a request was in hand for the last time; None before."""
        return now_s if self._in_hand_count else self._last_asked_s

    async def on_store(self, job: Callable[[], None]) -> None:
        """Do something on the thread of the store, between two requests."""
        await self._worker.on_store(job)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI asks for it."""
        if scope["type"] != "http":
            return
        self._in_hand_count += 1
        try:
            answer = await self._answer(HttpRequest(scope, receive))
            await self._send(answer, _connection(scope), send)
        except ClientDisconnect:
            return
        finally:
            self._in_hand_count -= 1
            self._last_asked_s = asyncio.get_running_loop().time()

    async def _answer(self, http: HttpRequest) -> Answer:
        try:
            connection = _connection(http.scope)
            request = await _read(http, connection)
            if is_of_page(request.path) or _is_astray(request):
                if self._page is None:
                    self._page = self._load_page()
                return await self._page.answer(
                    request, port=connection.port, throttle=self._throttle
                )
            require_own_host(request, port=connection.port)
            require_own_origin(request, has_token=token_of(request) is not None)
            return await self._guarded(request)
        except ApiError as error:
            if self._page is not None and is_of_page(http.url.path):
                return self._page.refused(error)
            return error.answer()
        except RecoveryError as error:
            LOG.warning("request.failed", error=type(error).__name__)
            return refusal(error).answer()
        except ClientDisconnect:
            raise
        except Exception as error:  # the loop goes on whatever one request met
            LOG.error("request.crashed", exc_info=error)  # noqa: TRY400 # ours has no exception()
            return ApiError("internal error", "an internal error has occurred").answer()

    async def _guarded(self, request: Request) -> Answer:
        """Let nobody guess tokens fast."""
        try:
            return await self._routed(request)
        except ApiError as error:
            is_guess = request.cookies or token_of(request) is not None
            if error is UNAUTHORIZED and is_guess and needs_caller(request):
                now_s = asyncio.get_running_loop().time()
                await asyncio.sleep(self._throttle.note_token(now_s))
            raise

    async def _routed(self, request: Request) -> Answer:
        """Find the handler, after it is known who asks where that is asked for."""
        if request.method not in METHODS:
            return NOT_ALLOWED
        found = find_route(request.method, request.path)
        if found.handler is not None and found.is_light and not needs_caller(request):
            return self._light(found.handler, request, found.parts)
        if found.handler is None and not needs_caller(request):
            is_known = found.is_known or (request.method == "OPTIONS" and is_of_api(request.path))
            return NOT_ALLOWED if is_known else PATH_NOT_FOUND.answer()

        def job() -> Reply:
            with Call(self._desk, request, found.parts) as call:
                if needs_caller(request):
                    call.caller  # noqa: B018 # refuses who may not ask
                if found.handler is not None:
                    return found.handler(call)
                if found.gate is not None:
                    found.gate(call)
                if found.is_known:
                    return NOT_ALLOWED
                raise NOT_SERVED if found.is_elsewhere else PATH_NOT_FOUND

        reply = await self._worker.on_store(job, lose)
        if isinstance(reply, Answer):
            return reply
        return await self._slow(reply, request, found.parts)

    def _light(self, handler: Handler, request: Request, parts: Mapping[str, str]) -> Answer:
        """Answer at once what needs no store."""
        with Call(self._desk, request, parts) as call:
            reply = handler(call)
        if not isinstance(reply, Answer):
            raise TypeError("a route that needs no store has nothing slow to do")
        return reply

    async def _slow(
        self,
        slow: "Slow[bool] | Slow[Secret] | Slow[Secret | None]",
        request: Request,
        parts: Mapping[str, str],
    ) -> Answer:
        """Do the slow part; who guesses passwords is not let do that fast."""
        loop = asyncio.get_running_loop()
        if slow.is_guess:
            self._throttle.require_sign_in(loop.time())
        done = await self._worker.on_passwords(slow.work)

        def job() -> Answer:
            with Call(self._desk, request, parts) as call:
                if needs_caller(request):
                    call.caller  # noqa: B018 # it may have lost its rights meanwhile
                return slow.then(call, done)  # type: ignore[arg-type] # of the same Slow

        try:
            return await self._worker.on_store(job)
        except ApiError as error:
            if slow.is_guess and error.code in {"unauthorized", "forbidden"}:
                self._throttle.note_sign_in(loop.time())
            raise

    async def _send(self, answer: Answer, connection: Connection, send: Send) -> None:
        """Send an answer whole, or slice by slice."""
        headers = [*self.own_headers, *answer.headers]
        if answer.content_type is not None:
            headers.insert(0, (b"Content-Type", answer.content_type))
        if answer.slices is None and answer.status != 204:  # noqa: PLR2004 # No Content
            headers.append((b"Content-Length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        has_more = answer.slices is not None
        await send({"type": "http.response.body", "body": answer.body, "more_body": has_more})
        while answer.slices is not None and has_more and not connection.is_lost:
            piece = await self._worker.on_store(self._next_slice(answer))
            has_more = piece is not None
            await send({"type": "http.response.body", "body": piece or b"", "more_body": has_more})
        if answer.when_lost is not None and await connection.has_lost_answer():
            await self._worker.on_store(answer.when_lost)

    def _next_slice(self, answer: Answer) -> "_SliceJob":
        return _SliceJob(self._desk, answer)


class _SliceJob:
    """Reads the next slice in a view of its own."""

    def __init__(self, desk: Desk, answer: Answer) -> None:
        self._desk = desk
        self._answer = answer

    def __call__(self) -> bytes | None:
        if self._answer.slices is None:
            return None
        with self._desk.session.store.view() as tx:
            return self._answer.slices.next(tx)


def _is_astray(request: Request) -> bool:
    """Tell whether a person looks for a page that nobody has, as those of the user interface."""
    if request.method != "GET" or is_of_api(request.path):
        return False
    found = find_route("GET", request.path)
    is_nothing = found.handler is None and not found.is_known and not found.is_elsewhere
    return is_nothing and "text/html" in request.headers.get("accept", "")


def _connection(scope: Scope) -> Connection:
    return cast("Connection", scope["state"]["connection"])


async def _read(http: HttpRequest, connection: Connection) -> Request:
    """Read head and body of a request.

    Raises:
        ApiError: The body is too large.
        ClientDisconnect: The client has gone.
    """
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in http.scope["headers"]:
        name = raw_name.decode("latin-1").lower()
        value = raw_value.decode("utf-8", "surrogateescape")
        if name == "cookie":
            cookies.append(value)
        headers.setdefault(name, value)
    if int(headers.get("content-length", 0)) > BODY_SIZE_BYTES_MAX:
        raise ApiError("request too large", _TOO_LARGE)
    body = bytearray()
    async for chunk in http.stream():
        body += chunk
        if len(body) > BODY_SIZE_BYTES_MAX:
            raise ApiError("request too large", _TOO_LARGE)
    raw_path: bytes = http.scope["raw_path"]
    return Request(
        method=http.method,
        path=path_of(raw_path.partition(b"?")[0]),
        query=parse_query(http.scope["query_string"].decode("utf-8", "surrogateescape")),
        raw_query=http.scope["query_string"].decode("latin-1"),
        headers=headers,
        cookies=tuple(cookies),
        body=bytes(body),
        peer="" if connection.peer is None else connection.peer.words,
    )
