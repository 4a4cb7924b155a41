"""Somebody at the page, without a browser: links and forms, as they are in the HTML.

Lives here: `Visitor`, `PageReply`. Must not live here: what is expected of a page.
"""

import http.client
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urlencode

from tests.support.run_cli import PATIENCE_S
from tests.support.served import Served

Fields = Mapping[str, Sequence[str]]


@dataclass
class PageForm:
    """A form of a page.

    Attributes:
        action: Where it goes.
        method: "get" or "post".
        fields: What it sends if nothing is changed, without its buttons.
        buttons: Name and value of each button that has them.
    """

    action: str
    method: str
    fields: dict[str, str | list[str]] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    """Reads forms, links, and the text that a person sees."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[PageForm] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.pieces: list[str] = []
        self._form: PageForm | None = None
        self._select = ""
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.links.append(found.get("href", ""))
        elif tag == "form":
            self._form = PageForm(found.get("action", ""), found.get("method", "get"))
            self.forms.append(self._form)
        elif tag == "select":
            self._select = found.get("name", "")
        elif self._form is not None:
            self._control(self._form, tag, found)
        self._hidden += tag in {"script", "style", "title"}

    def _control(self, form: PageForm, tag: str, found: dict[str, str]) -> None:
        name = found.get("name", "")
        if tag == "input" and name:
            if found.get("type") != "checkbox":
                form.fields[name] = found.get("value", "")
            elif "checked" in found:
                ticked = form.fields.setdefault(name, [])
                if isinstance(ticked, list):
                    ticked.append(found.get("value", "on"))
        elif tag == "option" and self._select:
            if "selected" in found or self._select not in form.fields:
                form.fields[self._select] = found.get("value", "")
        elif tag == "button" and name:
            form.buttons.append((name, found.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        self._hidden -= tag in {"script", "style", "title"}

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(data)


@dataclass(frozen=True)
class PageReply:
    """An answer of the page."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str

    def header(self, name: str) -> str | None:
        """The first header of exactly this name."""
        return next((value for found, value in self.headers if found == name), None)

    @property
    def location(self) -> str:
        """Where it leads; "" for nowhere."""
        return self.header("Location") or ""

    def _read(self) -> _Reader:
        reader = _Reader()
        reader.feed(self.body)
        return reader

    @property
    def text(self) -> str:
        """What a person reads, with single blanks."""
        return " ".join(" ".join(self._read().pieces).split())

    @property
    def secret(self) -> str:
        """The secret that is shown this once."""
        found = re.search(r'id="secret" tabindex="0">([^<]+)<', self.body)
        assert found, self.text
        return unescape(found[1])

    @property
    def links(self) -> list[str]:
        return self._read().links

    @property
    def ids(self) -> list[str]:
        return self._read().ids

    @property
    def forms(self) -> list[PageForm]:
        return self._read().forms

    def form(self, action: str) -> PageForm:
        return next(one for one in self.forms if one.action == action)


class Visitor:
    """Somebody with a browser that keeps cookies and does as it is told.

    Attributes:
        cookie: The cookie of the session; "" before there is one.
    """

    def __init__(self, served: Served, *, enter: bool = True) -> None:
        """Go to the page; with `enter`, with the console key."""
        self._served = served
        self.cookie = ""
        if enter:
            self.enter(served.key)

    def ask(
        self,
        method: str,
        path: str,
        fields: Fields | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> PageReply:
        connection = http.client.HTTPConnection("127.0.0.1", self._served.port, timeout=PATIENCE_S)
        sent = dict(headers or {})
        if self.cookie:
            sent.setdefault("Cookie", self.cookie)
        body = None
        if fields is not None:
            body = urlencode(fields, doseq=True)
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        reply = PageReply(answer.status, tuple(answer.getheaders()), text)
        cookie = reply.header("Set-Cookie")
        if cookie is not None:
            self.cookie = cookie.partition(";")[0]
        return reply

    def get(self, path: str) -> PageReply:
        """Look at a page; the place on it is the browser's own business."""
        return self.ask("GET", path.partition("#")[0])

    def enter(self, key: str) -> PageReply:
        return self.fill("/console", "/console", {"key": key})

    def sign_in(self, username: str, password: str) -> PageReply:
        """Type a user name and a password."""
        page = self.get("/console")
        form = [one for one in page.forms if "username" in one.fields][0]  # noqa: RUF015 # clearer
        return self.ask(
            "POST", "/console", {**form.fields, "username": username, "password": password}
        )

    def fill(self, page: str, action: str, fields: Fields | None = None) -> PageReply:
        """Fill a form of a page and send it.

        Args:
            page: The path of the page.
            action: Where the form goes.
            fields: What is changed in it, and the button.

        Returns:
            The answer, not followed.
        """
        return self.send(self.get(page), action, fields)

    def send(self, page: PageReply, action: str, fields: Fields | None = None) -> PageReply:
        """Fill a form of a page that was fetched, and send it."""
        form = page.form(action)
        return self.ask("POST", action, {**form.fields, **(fields or {})})

    def do(self, page: str, action: str, fields: Fields | None = None) -> PageReply:
        """Fill a form, and follow where its answer leads."""
        reply = self.fill(page, action, fields)
        assert reply.status == 303, (reply.status, reply.text)
        return self.get(reply.location)
