"""The machine that is searched, as far as the search depends on it.

Lives here: `Host`. Must not live here: what is searched for.

Invariants: of an environment only the variables of influxd are kept, so that no password of another
program can get anywhere from here. Whatever a person names counts as it is; what a file under
`root` names counts from `root`.
"""

import os
import pwd
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

PREFIX: Final = "INFLUXD_"


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """Where to search.

    Attributes:
        environment: Variables of influxd that are set and not empty.
        working_folder: Relative paths start here.
        homes: Home folders to look into. The first is where an influxd started by this user would
            look, which is the home of the effective user by the system's list, not by `$HOME`.
        root: Root folder of the system: another place in tests, or for a disk mounted for rescue.
    """

    environment: Mapping[str, str]
    working_folder: Path
    homes: tuple[Path, ...]
    root: Path = Path("/")

    def __post_init__(self) -> None:
        """Drop what has nothing to do with influxd, and what is empty, which counts as unset."""
        kept = influxd_variables(self.environment)
        msgspec.structs.force_setattr(self, "environment", kept)

    def __repr__(self) -> str:
        return f"Host(root={self.root!r})"  # variables may hold secrets, a vault's token for one

    @classmethod
    def here(cls, environment: Mapping[str, str]) -> "Host":
        """Describe this machine as this process sees it; HOME and SUDO_USER count, too."""
        sudo_user = environment.get("SUDO_USER")  # nobody's name would be looked for everywhere
        homes = [
            _home_of(os.geteuid()),
            environment.get("HOME"),
            _home_of(sudo_user) if sudo_user else None,
        ]
        try:
            working_folder = Path.cwd()
        except OSError:  # it has been removed
            working_folder = Path("/")
        return cls(
            environment=_at_home(environment),
            working_folder=working_folder,
            homes=tuple(dict.fromkeys(Path(home) for home in homes if home)),
        )

    def inside(self, path: str | Path) -> Path:
        """Find an absolute path that a file under the root folder names."""
        return self.root / str(path).lstrip("/")

    def seen_from_inside(self, path: Path) -> str:
        """Write a path as the system itself would write it."""
        if path.is_relative_to(self.root):
            return f"/{path.relative_to(self.root)}"
        return str(path)


def _at_home(environment: Mapping[str, str]) -> dict[str, str]:
    """Put the home folder for a tilde that no shell saw, unless there is a folder of that name."""
    return {
        name: str(Path(value).expanduser())
        if name.startswith(PREFIX) and value.startswith("~/") and not Path("~").is_dir()
        else value
        for name, value in environment.items()
    }


def influxd_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Pick the variables that influxd reads and that are not empty."""
    return {name: value for name, value in environment.items() if name.startswith(PREFIX) and value}


def _home_of(user: int | str) -> str | None:
    """Look up a home folder in the system's list of users."""
    try:
        entry = pwd.getpwuid(user) if isinstance(user, int) else pwd.getpwnam(user)
    except KeyError:
        return None
    return entry.pw_dir
