"""What reaches a log stream, through the real processors."""

import io
import json

from recovery import log
from recovery.log import LogFormat

Facts = dict[str, object]


def written(facts: Facts, *, event: str = "store.opened", log_format: LogFormat = "json") -> str:
    """Log one warning and return what reached the stream."""
    stream = io.StringIO()
    log.configure(log_format=log_format, level="debug", stream=stream)
    log.get_logger("recovery.somewhere").warning(event, **facts)
    log.configure(level="error", stream=io.StringIO())  # leave nothing behind for other tests
    return stream.getvalue()


def parsed(**facts: object) -> Facts:
    document: Facts = json.loads(written(facts))
    return document
