"""Which command lets a user in who cannot sign in.

Lives here: the words for each obstacle. Must not live here: what is an obstacle
(`recovery.model.standing`).
"""

import shlex
from collections.abc import Iterable
from typing import Final

from recovery.model.display import displayed
from recovery.model.standing import Obstacle

_COMMANDS: Final = {
    Obstacle.NO_NAME: "influx-recovery user rename --id {id} --new-name NAME",
    Obstacle.NO_ENTRY: "influx-recovery store repair",
    Obstacle.NO_PASSWORD: "influx-recovery user update --id {id}",
    Obstacle.BAD_PASSWORD: "influx-recovery user update --id {id}",
    Obstacle.INACTIVE: "influx-recovery user activate --id {id}",
    Obstacle.NO_ROLE: "influx-recovery org add-owner --username {name}",
}


def and_then(obstacles: Iterable[Obstacle], *, user_id: str, name: str) -> str:
    """Name the commands that let a user in, one after the other.

    Args:
        obstacles: What is in the way.
        user_id: The user.
        name: Its name, not escaped.

    Returns:
        A command for each obstacle, without repeats, with "and then" between.
    """
    quoted = shlex.quote(displayed(name))
    words = (_COMMANDS[one].format(id=user_id, name=quoted) for one in obstacles)
    return ", and then ".join(dict.fromkeys(words))
