"""From a template to an answer, and static files.

Lives here: `Renderer`: the templates' environment, the headers of pages, static files by the hash
of their content. Must not live here: what is shown.

Invariants: every text is escaped by the environment, and a name that a template does not know is an
error. A page is never stored; a static file may be for ever, because another content has another
name.

Source: Jinja2 3.1, API; Content Security Policy 3; Fetch standard, "append a request Origin
header"; spec admin-daemon 2.4 and 3.5.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from recovery.daemon.answer import Answer, Headers
from recovery.daemon.page.words import as_sentence, author_words
from recovery.drawing import style
from recovery.drawing.svg import shortened
from recovery.log.redaction import UNMISTAKABLE
from recovery.model.display import displayed, size_text

PACKAGE: Final = "recovery.daemon.page"
HTML: Final = b"text/html; charset=utf-8"
SAFETY: Final[Headers] = (
    (
        b"Content-Security-Policy",
        (
            b"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
            b"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        ),
    ),
    (b"X-Content-Type-Options", b"nosniff"),
    # "no-referrer" would make browsers send "Origin: null" with forms, as foreign pages may do.
    # Nothing here links to another origin, so no path leaves this one.
    (b"Referrer-Policy", b"same-origin"),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
)
_NOT_STORED: Final = (b"Cache-Control", b"no-store")
_FOR_EVER: Final = (b"Cache-Control", b"public, max-age=31536000, immutable")
_TYPES: Final = {
    "css": b"text/css; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
}
_BRIEF_COLUMNS: Final = 90


class Renderer:
    """Makes pages of templates."""

    def __init__(self) -> None:
        """Read the static files; templates are compiled when they are first used."""
        self._static: dict[str, tuple[bytes, bytes]] = {}
        self._names: dict[str, str] = {}
        for one in sorted(files(PACKAGE).joinpath("static").iterdir(), key=lambda one: one.name):
            stem, _, kind = one.name.rpartition(".")
            if kind in _TYPES:
                content = one.read_bytes()
                if kind == "css":
                    content = style().encode() + content
                name = f"{stem}-{hashlib.sha256(content).hexdigest()[:16]}.{kind}"
                self._static[name] = (content, _TYPES[kind])
                self._names[one.name] = f"/static/{name}"
        self._environment = Environment(
            loader=PackageLoader(PACKAGE),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(
            shown=displayed,
            sentence=as_sentence,
            author=author_words,
            brief=brief,
            day=day,
            moment=moment,
            size=size_text,
            count=count,
        )
        self._environment.globals.update(static=self._names.__getitem__, token_pattern=UNMISTAKABLE)

    def page(
        self, template: str, context: Mapping[str, object], *, status: int = HTTPStatus.OK
    ) -> Answer:
        """Make a page."""
        text = self._environment.get_template(template).render(context)
        return Answer(
            status=status,
            body=text.encode("utf-8", "replace"),
            content_type=HTML,
            headers=(*SAFETY, _NOT_STORED),
        )

    def static(self, name: str) -> Answer | None:
        """Give a static file; None when there is none of this name."""
        found = self._static.get(name)
        if found is None:
            return None
        return Answer(
            status=HTTPStatus.OK,
            body=found[0],
            content_type=found[1],
            headers=(*SAFETY, _FOR_EVER),
        )


def redirect(path: str, *more: tuple[bytes, bytes]) -> Answer:
    """Lead to another page, with GET: 303, so that a reload repeats nothing."""
    location = (b"Location", path.encode("ascii"))
    return Answer(status=HTTPStatus.SEE_OTHER, headers=(location, *SAFETY, _NOT_STORED, *more))


def own_path(path: str) -> str:
    """Take a path of this host, and the first screen for anything else."""
    is_path = path.startswith("/") and not path.startswith("//") and "\\" not in path
    is_plain = path.isascii() and path.isprintable() and " " not in path
    return path if is_path and is_plain else "/"


def brief(text: str, columns: int = _BRIEF_COLUMNS) -> str:
    """Shorten a text for a list, and make it safe to look at."""
    return shortened(text, columns)


def day(text: str) -> str:
    """Shorten a stored time to its day; what is no time stays as it is."""
    return text[:10] if len(text) > 10 and text[10] == "T" else displayed(text)  # noqa: PLR2004 # YYYY-MM-DD


def moment(value: str | datetime) -> str:
    """Write a time to the second, UTC."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    if len(value) < 19 or value[10] != "T":  # noqa: PLR2004 # YYYY-MM-DDTHH:MM:SS
        return displayed(value)
    return f"{value[:10]} {value[11:19]} UTC"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Write a number of things: "1 token", "1,234 tokens"."""
    name = noun if number == 1 else plural or f"{noun}s"
    return f"{number:,} {name}"
