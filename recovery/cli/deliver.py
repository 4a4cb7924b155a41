"""The one way out for a new token, and the one place that it goes to.

Lives here: the three places (terminal, new file, stdout) and the choice between them. Must not live
here: anything else that is printed.

Invariants: a token is delivered once, to one place, which was opened before the store was changed.
It never goes into an argument, a log, an exception or a message. A token file is new and has mode
0600 from its first moment; it is on the disk before the store is changed, so that no token is made
that nobody has, and goes away again when it is certain that the store was not changed. Elsewhere,
after a failed delivery, the authorization is in force and its token is lost: the error names the ID
to delete.
"""

import contextlib
import errno
import os
import select
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from recovery.cli.confirm import controlling_terminal, has_terminal, write_all
from recovery.cli.table import tabbed, wrap
from recovery.cli.usage import UsageError
from recovery.errors import (
    ConflictError,
    DeliveryError,
    RefusedError,
    StoreAccessError,
    WriteFailedError,
)
from recovery.model.display import displayed
from recovery.new_file import ClaimedFile, require_free
from recovery.secret import Secret
from recovery.system_advice import reason_of

if TYPE_CHECKING:
    from recovery.services.changes.facts import PlanFacts
    from recovery.services.changes.ports import TokenDestination

_CANNOT_RESERVE: Final = frozenset(
    {errno.EOPNOTSUPP, errno.EINVAL, errno.ENODEV, errno.ENOSYS, errno.EBADF}
)
_WRITTEN_CHARACTERS: Final = 1 << 16
"""Of what is delivered into a file, encoded at once: of a rotation that is 100,000 tokens."""
_NAME_ANOTHER: Final = "name a new file with --token-file, or use --token-stdout"


def choose_destination(
    *, token_file: str | None, is_stdout: bool, stdout: TextIO
) -> "TokenDestination":
    """Choose where the token goes; without a place, refuse before the store is touched.

    Args:
        token_file: Path of a new file, if one was named.
        is_stdout: Whether stdout was asked for in words.

    Raises:
        RefusedError: No place was named and there is no terminal, or the file exists.
    """
    if token_file is not None:
        return choose_file(token_file)
    if is_stdout:
        return StdoutDestination(stdout)
    if not has_terminal():
        raise RefusedError(
            reason="there is no terminal to show the token on, and no other place was named",
            hint="add --token-file PATH or --token-stdout",
        )
    return TerminalDestination()


def choose_file(token_file: str) -> "TokenDestination":
    """Choose a new file; raise `RefusedError` where it exists."""
    return FileDestination(_free(token_file))


def _free(token_file: str) -> Path:
    """Refuse a file that exists; found again when it is opened, but nobody should wait for it."""
    path = Path(token_file)
    try:
        require_free(path)
    except ConflictError:
        raise _exists(path) from None
    return path


def require_own_stdout(*, is_json: bool, is_token: bool) -> None:
    """Refuse, by `UsageError`, a token and a JSON document on the same standard output."""
    if is_json and is_token:
        raise UsageError(
            problem="--json and --token-stdout both claim standard output",
            hint="use --token-file PATH with --json",
        )


class TerminalDestination:
    """The controlling terminal, wherever stdout goes."""

    def __init__(self) -> None:
        self._opened = contextlib.ExitStack()
        self._terminal = -1

    def open(self, secret: Secret) -> tuple[str, ...]:  # noqa: ARG002 # of the protocol
        """Open the terminal; raise `RefusedError` when it has gone."""
        try:
            self._terminal = self._opened.enter_context(controlling_terminal())
        except OSError as error:
            raise RefusedError(
                reason=f"the terminal cannot be opened ({error.strerror})", hint=_NAME_ANOTHER
            ) from None
        return ()

    def deliver(self, secret: Secret, *, record_id: str) -> tuple[str, ...]:
        """Show the token on a line of its own, to be copied whole, or raise `DeliveryError`."""
        try:
            columns = self._columns()
            around = (self._head(record_id), self._note(secret, columns))
            head, note = (_fitted(text, columns) for text in around)
            write_all(self._terminal, f"{head}{secret.reveal()}\n\n{note}".encode())
        except OSError as error:
            raise _undelivered(record_id, error) from None
        finally:
            self._opened.close()
        return ()

    def _columns(self) -> int:
        """Measure the terminal; 0 where it does not say."""
        try:
            return os.get_terminal_size(self._terminal).columns
        except OSError:
            return 0

    @staticmethod
    def _note(secret: Secret, columns: int) -> str:
        """Say so when the terminal is too narrow to show it in one line."""
        if not 0 < columns < secret.length_bytes:
            return ""
        count = -(-secret.length_bytes // columns)
        lines = {2: "two", 3: "three"}.get(count, count)
        return f"(It takes {lines} lines here and is one word; --token-file takes it whole.)\n\n"

    @staticmethod
    def _head(record_id: str) -> str:
        """Say what follows."""
        return f"\nToken of authorization {record_id}, shown only this once:\n\n"

    def discard(self) -> None:
        """Close the terminal."""
        self._opened.close()


def _fitted(text: str, columns: int) -> str:
    """Break what stands beside a token to fit the terminal, where that tells its width."""
    lines = text.split("\n")
    return "\n".join(
        part for line in lines for part in (wrap(line, columns) if columns else [line])
    )


class ConsoleKeyDestination(TerminalDestination):
    """The controlling terminal, for the key of `serve`."""

    def open(self, secret: Secret) -> tuple[str, ...]:
        """Open the terminal; without one the key needs another place."""
        try:
            return super().open(secret)
        except RefusedError:
            raise RefusedError(
                reason="there is no terminal to show the console key on",
                hint="add --key-file PATH or --no-console-key, or name a command after --",
            ) from None

    @staticmethod
    def _head(record_id: str) -> str:  # noqa: ARG004 # there is none
        return "\nConsole key, an operator token until this ends, shown only this once:\n\n"


class ConsoleCodeDestination(TerminalDestination):
    """The controlling terminal, for the code that opens the page of `serve` once."""

    @staticmethod
    def _head(record_id: str) -> str:  # noqa: ARG004 # there is none
        return "For the page in a browser also this code, once and within ten minutes:\n\n"


class FileDestination:
    """A new file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._file: ClaimedFile | None = None
        self._warnings: list[str] = []

    def open(self, secret: Secret) -> tuple[str, ...]:
        """Write the token and a line feed, and wait until they are on the disk.

        Returns:
            A warning when its folder cannot be synced, so that a power cut may lose the name.

        Raises:
            RefusedError: Something is there already, or it cannot be made.
        """
        text = secret.reveal()
        name = displayed(str(self.path))
        try:
            self._file = ClaimedFile(self.path, on_unsynced=self._note)
            for start in range(0, len(text), _WRITTEN_CHARACTERS):
                self._file.write(text[start : start + _WRITTEN_CHARACTERS].encode())
            self._file.write(b"\n")
            self._file.settle()
        except ConflictError:
            raise _exists(self.path) from None
        except (StoreAccessError, WriteFailedError) as error:
            self.discard()
            cause = error.__cause__
            problem = reason_of(cause) if isinstance(cause, OSError) else "no reason given"
            raise RefusedError(
                reason=f"token file {name} cannot be made ({problem})", hint=_NAME_ANOTHER
            ) from None
        except BaseException:
            self.discard()
            raise
        return tuple(self._warnings)

    def deliver(self, secret: Secret, *, record_id: str) -> tuple[str, ...]:
        """Let the file stay, in which the token is; one that was taken away is made again."""
        if self._file is None:
            return ()
        self._warnings.clear()
        if not self._file.is_in_place:
            self._file.withdraw()
            try:
                self.open(secret)
            except RefusedError as error:
                raise _undelivered(record_id, error.reason) from None
            name = displayed(str(self.path))
            self._warnings.append(f"token file {name} was taken away meanwhile, and made again")
        self._file.keep()
        return tuple(self._warnings)

    def _note(self, error: OSError) -> None:
        """Take note of what is not on the disk; a token in doubt is better than none."""
        self._warnings.append(
            f"token file {displayed(str(self.path))} cannot be synced ({reason_of(error)}): copy "
            "the token before the machine can lose power"
        )

    def discard(self) -> None:
        """Remove the file, if the one at its path is still the one made here."""
        if self._file is not None:
            self._file.withdraw()


class StdoutDestination:
    """Standard output, with nothing else on it."""

    def __init__(self, stdout: TextIO) -> None:
        self._stdout = stdout

    def open(self, secret: Secret) -> tuple[str, ...]:
        """Raise `RefusedError` unless stdout takes something; it may be closed."""
        try:
            self._stdout.flush()
            _require_room(
                self._stdout.fileno(), secret.length_bytes + len(self._written("").encode())
            )
        except OSError as error:
            raise RefusedError(
                reason=f"standard output takes no token ({error.strerror})",
                hint="use --token-file PATH",
            ) from None
        return ()

    def deliver(self, secret: Secret, *, record_id: str) -> tuple[str, ...]:
        """Print the token and a line feed, or raise `DeliveryError`."""
        try:
            self._stdout.flush()
            write_all(self._stdout.fileno(), self._written(secret.reveal()).encode())
        except OSError as error:
            raise _undelivered(record_id, error) from None
        return ()

    def discard(self) -> None:
        """Do nothing: nothing was written."""

    def _written(self, token: str) -> str:
        return f"{token}\n"


class TableDestination(StdoutDestination):
    """Standard output, with the row in which `influxd recovery auth create-operator` has the token.

    For scripts that cut it out of there. Others' tokens, which influxd prints too, are not in it.

    Attributes:
        facts: Of the plan, which is there before the token is.

    Source: influxdb v2.9.1 cmd/influxd/recovery/auth/auth.go PrintAuth.
    """

    facts: "PlanFacts"

    def _written(self, token: str) -> str:
        facts = self.facts
        permissions = facts["permissions"]
        row = {
            "ID": facts["authorization_id"],
            "User Name": facts["user"],
            "User ID": facts["user_id"],
            "Description": facts["description"],
            "Token": token,
            "Permissions": f"[{' '.join(map(str, permissions))}]",
        }
        values = [displayed(str(value)) for value in row.values()]
        return "".join(f"{line}\n" for line in tabbed(tuple(row), [values]))


def path_of(destination: "TokenDestination | None") -> Path | None:
    """Say in which new file a token is, by its absolute path; None when it is in none."""
    return destination.path.absolute() if isinstance(destination, FileDestination) else None


def environment_of_child(
    environ: Mapping[str, str], *, host: str, key: Secret, configs_path: Path
) -> dict[str, str]:
    """Make the environment of the one command that a store is served for.

    Args:
        configs_path: A place for the configurations of the influx CLI, with nothing in it, so that
            those of this user are not used.
    """
    return {
        **environ,
        "INFLUX_HOST": host,
        "INFLUX_TOKEN": key.reveal(),
        "INFLUX_CONFIGS_PATH": str(configs_path),
    }


def stored_text(secret: Secret) -> str:
    """Give away what a store holds of a token, for a listing that was asked for it in words."""
    return secret.reveal()


def _require_room(descriptor: int, room_bytes: int) -> None:
    """Raise `OSError` unless what is behind a descriptor would take a token now."""
    os.write(descriptor, b"")  # fails at once where nothing can be written
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        try:
            os.posix_fallocate(descriptor, status.st_size, room_bytes)
        except OSError as error:
            if error.errno not in _CANNOT_RESERVE:
                raise
        os.ftruncate(descriptor, status.st_size)
        return
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    if any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0)):
        raise BrokenPipeError(errno.EPIPE, "whoever was to read it has gone")


def _exists(path: Path) -> RefusedError:
    return RefusedError(
        reason=f"token file {displayed(str(path))} exists already and is never overwritten",
        hint="name a new file with --token-file",
    )


def _undelivered(record_id: str, error: OSError | str) -> DeliveryError:
    problem = error if isinstance(error, str) else error.strerror
    return DeliveryError(
        authorization_id=record_id,
        problem=problem or "no reason given",
        hint="run the command again for another token, and when influxd runs delete the lost one: "
        f"influx auth delete --id {record_id}",
    )
