"""Which command lets a user in who cannot sign in.

Lives here: the words for each obstacle. Must not live here: what is an obstacle
(`recovery.model.standing`).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from recovery.cli.hints import Named, command_line
from recovery.model.standing import Obstacle
from recovery.remedy import Input

DO_NOT_START: Final = (
    "Do not start influxd on this file: it is damaged, and influxd writes over what can be saved"
)
NEVER_SET_UP: Final = "Nobody has set this store up yet"
_OPERATIONS: Final = {
    Obstacle.NO_NAME: "user rename",
    Obstacle.NO_ENTRY: "store repair",
    Obstacle.NO_PASSWORD: "user update",
    Obstacle.BAD_PASSWORD: "user update",
    Obstacle.SESSION_FAILS: "store check",
    Obstacle.INACTIVE: "user activate",
    Obstacle.NO_ROLE: "org add-owner",
    Obstacle.LIST_FAILS: "store repair",
}


def first_steps(named: Named, path: Path) -> Iterator[str]:
    """Say what can be done with a store that nobody has set up: a command each, and its use."""
    setup = command_line("setup", {Input.STORE: str(path), **named, Input.USER: None})
    yield f"{setup}, to set it up"
    yield f"{command_line('store find', {})}, to look for another one, if users should be in it"


def and_then(obstacles: Iterable[Obstacle], named: Named, *, user_id: str, name: str) -> str:
    """Name the commands that let a user in, one after the other.

    Args:
        named: What was named at the command at hand, so that these are about the same store.
        name: Its name, not escaped.

    Returns:
        A command for each obstacle, without repeats, with "and then" between.
    """
    lines = []
    for obstacle in obstacles:
        operation = _OPERATIONS[obstacle]
        by_id = not operation.startswith("org ")  # there a user is named
        which = {Input.ID: user_id} if by_id else {Input.USER: name}
        lines.append(command_line(operation, {**named, **which}))
    return ", and then ".join(dict.fromkeys(lines))
