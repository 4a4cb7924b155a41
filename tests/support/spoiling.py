"""Answers that are not as they should be.

Lives here: `spoilt`, which changes one thing of an answer in every way that a client would notice.
Must not live here: who has to notice it (`tests.support.contract`).
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.support.contract import CHECKED
from tests.support.served import Reply


def spoilt(reply: Reply) -> Iterator[tuple[str, Reply]]:
    """Change one thing at a time.

    Args:
        reply: An answer.

    Yields:
        What was changed, and the answer with that change: first the status, then each header that
        counts, then each name and value of the body.
    """
    yield "status", replace(reply, status=reply.status + 1)
    for at, (name, value) in enumerate(reply.headers):
        if name in CHECKED:
            others = reply.headers[:at] + reply.headers[at + 1 :]
            yield f"header {name} dropped", replace(reply, headers=others)
            yield (
                f"header {name} in lower case",
                replace(reply, headers=(*others, (name.lower(), value))),
            )
    try:
        body = json.loads(reply.body)
    except ValueError:
        yield "body", replace(reply, body=reply.body + b"x")
        return
    for what, changed in _changed(body, "body"):
        yield what, replace(reply, body=json.dumps(changed).encode())


def _changed(value: Any, where: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 # JSON
    """Change one thing in a JSON value; the value itself is left as it is."""
    match value:
        case dict():
            yield f"{where} with another name", {**value, "more": 1}
            for key, one in value.items():
                yield f"{where}.{key} dropped", {k: v for k, v in value.items() if k != key}
                for what, changed in _changed(one, f"{where}.{key}"):
                    yield what, {**value, key: changed}
        case [first, *rest]:
            yield f"{where} without its first", rest
            for what, changed in _changed(first, f"{where}[0]"):
                yield what, [changed, *rest]
        case bool():
            yield f"{where} the other way", not value
        case str():
            yield f"{where} with another beginning", f"x{value}"
        case _:  # a number, null or an empty list
            yield f"{where} another", "x"
