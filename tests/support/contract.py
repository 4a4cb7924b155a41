"""The contract with clients: requests in order, and what a real server answered to them.

Lives here: `Player`, which sends the requests of a file in `tests/data/api` and compares the
answers, `normalised`, and `records_of`. Must not live here: the answers.

Invariants: what differs from run to run has a name instead: a value that a step saves has that
step's name for it, other IDs, tokens and times are all the same. Lists of records are compared as
sets, unless their order is part of the contract.
"""

import base64
import json
import lzma
import re
import string
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from recovery.metastore.store import MetaStore
from recovery.model.ids import Id
from tests.support.served import Reply, Served

FOLDER: Final = Path(__file__).parents[1] / "data" / "api"
CHECKED: Final = (
    "Content-Type", "X-Platform-Error-Code", "X-Influxdb-Build", "Set-Cookie", "Allow", "Location",
    "WWW-Authenticate", "Access-Control-Allow-Origin",
)  # fmt: skip
PATTERNS: Final = (
    (re.compile(r"\$influxdb2-sha(?:256|512)\$[A-Za-z0-9_=-]+"), "<hash>"),
    (re.compile(r"[A-Za-z0-9_-]{86}=="), "<token>"),
    (re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z"), "<time>"),
    (re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [0-9:]{8} GMT"), "<date>"),
    (re.compile(r"(?<![0-9A-Za-z_-])[0-9a-f]{16}(?![0-9A-Za-z_-])"), "<id>"),
)
_WORDS_OF_GO: Final = re.compile(
    r"(?:invalid character |unexpected EOF|json: cannot unmarshal )[^\n]*"
)


def steps(name: str) -> Iterator[dict[str, Any]]:
    """Give the steps of a file, one JSON object each."""
    for line in lzma.decompress((FOLDER / f"{name}.jsonl.xz").read_bytes()).splitlines():
        yield json.loads(line)


def steps_of(name: str) -> list[dict[str, Any]]:
    """Give the steps of one set of `sets`; where it only has other answers, those of `full`."""
    own = [step for step in steps("sets") if step["set"] == name]
    if "method" in own[-1]:
        return own
    others = {step["name"]: step["expected"] for step in own}
    return [
        {**step, "expected": others.get(step["name"], step.get("expected"))}
        for step in steps("full")
    ]


class Names:
    """What the values of this run are called."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def save(self, wanted: Mapping[str, str], body: Any, cookie: str | None) -> None:  # noqa: ANN401 # JSON
        """Keep values of an answer by the paths that a step says."""
        for name, path in wanted.items():
            if path.startswith("cookie:"):
                found = re.search(rf"{path[7:]}=([^;]*)", cookie or "")
                value = found[1] if found else None
            else:
                value = _at(body, path)
            if isinstance(value, str):
                self.values[name] = value

    def filled(self, value: Any) -> Any:  # noqa: ANN401 # JSON
        """Put values in the places of `$name`."""
        if isinstance(value, str):
            return string.Template(value).safe_substitute(self.values)
        if isinstance(value, list):
            return [self.filled(one) for one in value]
        if isinstance(value, dict):
            return {self.filled(key): self.filled(one) for key, one in value.items()}
        return value

    def text(self, text: str) -> str:
        """Put names in the places of values."""
        for name, value in self.values.items():
            if len(value) >= 6:
                text = text.replace(value, f"<{name}>")
        for pattern, word in PATTERNS:
            text = pattern.sub(word, text)
        return _WORDS_OF_GO.sub("<words>", text)


def _at(body: Any, path: str) -> Any:  # noqa: ANN401 # JSON
    """Follow a path such as `buckets[name=_tasks].id`; None when it leads nowhere."""
    for part in path.split("."):
        name, _, condition = part.partition("[")
        body = body.get(name) if isinstance(body, dict) else None
        if condition and isinstance(body, list):
            key, _, wanted = condition.rstrip("]").partition("=")
            body = next((one for one in body if one.get(key) == wanted), None)
    return body


def normalised(names: Names, body: Any, level: str) -> Any:  # noqa: ANN401 # JSON
    """Make an answer comparable.

    Args:
        names: What values are called.
        body: The parsed body; None for none.
        level: How strictly the step is compared: "exact", "exact-order", "bag", "shape", "status".

    Returns:
        What must be the same.
    """
    if level in {"status", "none"}:
        return None
    named = _map(body, names.text)
    if level == "shape":
        return _shape(named)
    if level == "bag":
        return sorted(named, key=json.dumps)
    if level != "exact-order" and isinstance(named, dict):
        return {key: _as_set(value) for key, value in named.items()}
    return named


def _map(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 # JSON
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_map(one, change) for one in value]
    if isinstance(value, dict):
        return {change(key): _map(one, change) for key, one in value.items()}
    return value


def _as_set(value: Any) -> Any:  # noqa: ANN401 # JSON
    if isinstance(value, list) and all(isinstance(one, dict) and "id" in one for one in value):
        return sorted(value, key=lambda one: json.dumps(one, sort_keys=True))
    return value


_BCRYPT: Final = re.compile(r"\$2a\$10\$.{53}")
_OF_ENGINE: Final = {"migrationsv1", "v1_tsm1_metadata", "sessionsv1", "idsv1"}
"""What requests do not write, or write in another way: the catalogue is compared by its names."""


def records_of(store: Path) -> Counter[tuple[str, str, str]]:
    """Read all that requests have written, with names in the place of IDs.

    Args:
        store: A store.

    Returns:
        Table, key and value of each entry.
    """
    with MetaStore.open(store, write=False) as opened, opened.view() as tx:
        names = {one.id: f"<user {one.name}>" for one in tx.users.walk([])}
        names |= {one.id: f"<org {one.name}>" for one in tx.organizations.walk([])}
        names |= {
            one.id: f"<bucket {one.name} {names.get(one.org_id or one.id)}>"
            for one in tx.buckets.walk([])
        }

        def named(content: bytes) -> str:
            text = _BCRYPT.sub("<bcrypt>", content.decode("utf-8", "replace"))
            for pattern, word in PATTERNS[:-1]:
                text = pattern.sub(word, text)
            return re.sub(r"[0-9a-f]{16}", lambda one: names.get(Id(one[0]), "<id>"), text)

        return Counter(
            (table, named(key), named(value))
            for table in tx.table_names()
            if table not in _OF_ENGINE
            for key, value in tx.table(table).items()
        )


def _shape(value: Any) -> Any:  # noqa: ANN401 # JSON
    if isinstance(value, dict):
        return {key: _shape(one) for key, one in value.items()}
    return f"list of {len(value)}" if isinstance(value, list) else type(value).__name__


def _body_of(reply: Reply) -> Any:  # noqa: ANN401 # JSON
    try:
        return json.loads(reply.body) if reply.body.strip() else None
    except ValueError:
        return reply.body.decode()


def _look_away(_: dict[str, Any], __: Reply) -> None:
    return None


class Player:
    """Sends requests in order, and notes what is not as it should be."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self._names = Names()

    def play(
        self, step: dict[str, Any], look: Callable[[dict[str, Any], Reply], None] = _look_away
    ) -> list[str]:
        """Send one request.

        Args:
            step: It, with what is expected.
            look: Is shown the answer.

        Returns:
            What is different, one line each.
        """
        if "values" in step:  # what the store has already is called
            self._names.values.update(step["values"])
            return []
        reply = self.ask(step)
        self._names.save(step.get("save", {}), _body_of(reply), reply.header("Set-Cookie"))
        look(step, reply)
        return self.judge(step, reply)

    def judge(self, step: dict[str, Any], reply: Reply) -> list[str]:
        """Compare an answer; it need not be one that was given. As `play`."""
        body = _body_of(reply)
        if step["level"] == "none":
            return []
        expected = step["expected"]
        found = {
            "status": reply.status,
            "headers": {
                name: self._names.text(value)
                for name in CHECKED
                if (value := reply.header(name)) is not None
            },
            "body": normalised(self._names, body, step["level"]),
        }
        if "code" in expected:  # a wanted deviation, of which only this is laid down
            found = {"status": reply.status, "code": reply.header("X-Platform-Error-Code")}
        elif "headers" not in expected:
            found = {"status": reply.status}
        return [
            f"{step['name']}: {key}: expected {expected[key]!r}, found {found[key]!r}"
            for key in expected
            if expected[key] != found[key]
        ]

    def ask(self, step: dict[str, Any]) -> Reply:
        """Send one request, and look at nothing."""
        headers = {**self._auth(step.get("auth")), **self._names.filled(step.get("headers", {}))}
        body: object = None
        if "json" in step:
            body = self._names.filled(step["json"])
        elif "body" in step:
            body = self._names.filled(step["body"]).encode("utf-8", "surrogateescape")
        path = self._names.filled(step["path"])
        return self.served.ask(step["method"], path, body=body, headers=headers)

    def _auth(self, auth: str | None) -> dict[str, str]:
        if auth is None:
            return {}
        kind, _, rest = auth.partition(":")
        if kind == "token":
            return {"Authorization": f"Token {self._names.values[rest]}"}
        if kind == "cookie":
            return {"Cookie": f"influxdb-oss-session={self._names.values[rest]}"}
        if kind == "basic":
            pair = rest.replace("/", ":", 1).encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        return {"Authorization": self._names.filled(rest)}
