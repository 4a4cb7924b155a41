"""A token file: what is made sure before the change, and what is said of what cannot be."""

import errno
import os
import stat
from pathlib import Path

import pytest

from recovery.cli.deliver import FileDestination, ListDestination
from recovery.errors import DeliveryError, RefusedError
from recovery.remedy import Run
from recovery.secret import Secret
from tests.support.as_other_user import run_as_nobody

TOKEN = Secret("canary-delivered-token-0123456789")
RECORD_ID = "00000000000003e9"


def test_the_room_is_there_before_the_token(tmp_path: Path) -> None:
    path = tmp_path / "token"
    destination = FileDestination(path)
    assert destination.open(89) == ()
    assert path.stat().st_size > 88
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert destination.deliver(TOKEN, record_id=RECORD_ID) == ()
    assert path.read_text() == f"{TOKEN.reveal()}\n"


def test_very_many_tokens_are_written_as_they_are(tmp_path: Path) -> None:
    tokens = Secret("".join(f"{number},\u00e4\u2028\U0001f511\n" for number in range(9000)))
    destination = ListDestination(tmp_path / "tokens")
    destination.open(tokens.length_bytes + 1)
    destination.deliver(tokens, record_id=RECORD_ID)
    assert (tmp_path / "tokens").read_bytes() == f"{tokens.reveal()}\n".encode()


@pytest.mark.parametrize("call", ["pwrite", "fsync"])
def test_a_file_without_room_is_refused_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(RefusedError, match="No space left"):
        FileDestination(tmp_path / "token").open(89)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_tokens_of_a_rotation_that_are_lost_can_be_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """There is no single one to delete: only undo brings the old ones back."""
    destination = ListDestination(tmp_path / "tokens")
    destination.open(89)

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, call, fail)
    if call == "fsync":  # written, and perhaps not on the disk: better kept than lost
        warnings = destination.deliver(TOKEN, record_id=RECORD_ID)
        assert all("cannot be synced" in one for one in warnings)
        assert (warnings != ()) == (tmp_path / "tokens").exists()
        return
    with pytest.raises(DeliveryError, match=RECORD_ID) as caught:
        destination.deliver(TOKEN, record_id=RECORD_ID)
    assert isinstance(caught.value.hint, Run)
    assert caught.value.hint.operation == "store undo"
    assert TOKEN.reveal() not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_list_that_was_never_opened_is_not_delivered(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError) as caught:
        ListDestination(tmp_path / "tokens").deliver(TOKEN, record_id=RECORD_ID)
    assert isinstance(caught.value.hint, Run)


def failing_sync(monkeypatch: pytest.MonkeyPatch, *, of_folder: bool) -> None:
    real = os.fsync

    def sync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) is of_folder:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)


def test_a_folder_that_cannot_be_synced_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_sync(monkeypatch, of_folder=True)
    destination = FileDestination(tmp_path / "token")
    (warning,) = destination.open(89)
    assert "cannot be synced" in warning
    assert destination.deliver(TOKEN, record_id=RECORD_ID) == ()
    assert (tmp_path / "token").read_text() == f"{TOKEN.reveal()}\n"


def test_a_token_that_is_written_and_not_synced_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = FileDestination(tmp_path / "token")
    destination.open(89)
    failing_sync(monkeypatch, of_folder=False)
    (warning,) = destination.deliver(TOKEN, record_id=RECORD_ID)
    assert "cannot be synced" in warning
    assert TOKEN.reveal() not in warning
    assert (tmp_path / "token").read_text() == f"{TOKEN.reveal()}\n"


def test_a_token_that_cannot_be_written_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = FileDestination(tmp_path / "token")
    destination.open(89)

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(DeliveryError, match=RECORD_ID):
        destination.deliver(TOKEN, record_id=RECORD_ID)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_folder_that_takes_files_and_cannot_be_read_is_good_enough() -> None:
    code = """
with tempfile.TemporaryDirectory() as place:
    folder = Path(place) / "drop"
    folder.mkdir(mode=0o300)
    destination = deliver.FileDestination(folder / "token")
    print(len(destination.open(89)))
    print(len(destination.deliver(secret.Secret("x" * 88), record_id="00000000000003e9")))
    print(len((folder / "token").read_text()))
    folder.chmod(0o700)
"""
    imports = "tempfile, shutil; from recovery import secret; from recovery.cli import deliver"
    assert run_as_nobody(code, imports=imports).split() == ["1", "0", "89"]
