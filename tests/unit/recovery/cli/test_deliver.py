"""A token file: what is made sure before the change, and what is said of what cannot be."""

import errno
import os
import stat
from pathlib import Path
from shutil import rmtree

import pytest

from recovery.cli.deliver import FileDestination
from recovery.errors import DeliveryError, RefusedError
from recovery.secret import Secret
from tests.support.as_other_user import run_as_nobody

TOKEN = Secret("canary-delivered-token-0123456789")
RECORD_ID = "00000000000003e9"


def test_the_token_is_on_the_disk_before_the_change(tmp_path: Path) -> None:
    path = tmp_path / "token"
    destination = FileDestination(path)
    assert destination.open(TOKEN) == ()
    assert path.read_text() == f"{TOKEN.reveal()}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    destination.discard()
    assert not path.exists()


def test_a_token_in_a_file_is_delivered_whatever_fails_behind_the_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    destination = FileDestination(tmp_path / "token")
    destination.open(TOKEN)
    for call in ("write", "pwrite", "fsync", "ftruncate", "open"):
        monkeypatch.setattr(os, call, fail)
    assert destination.deliver(TOKEN, record_id=RECORD_ID) == ()
    monkeypatch.undo()
    destination.discard()
    assert (tmp_path / "token").read_text() == f"{TOKEN.reveal()}\n"


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_token_file_that_was_taken_away_before_the_delivery_is_made_again(
    tmp_path: Path, *, is_replaced: bool
) -> None:
    path = tmp_path / "token"
    destination = FileDestination(path)
    destination.open(TOKEN)
    path.unlink()
    if is_replaced:
        path.write_text("of somebody else")
        with pytest.raises(DeliveryError, match="exists already"):
            destination.deliver(TOKEN, record_id=RECORD_ID)
        assert path.read_text() == "of somebody else"
        return
    (warning,) = destination.deliver(TOKEN, record_id=RECORD_ID)
    assert "made again" in warning
    assert path.read_text() == f"{TOKEN.reveal()}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_token_whose_folder_is_gone_at_the_delivery_is_said_to_be_lost(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    destination = FileDestination(folder / "token")
    destination.open(TOKEN)
    rmtree(folder)
    with pytest.raises(DeliveryError, match=RECORD_ID):
        destination.deliver(TOKEN, record_id=RECORD_ID)


def test_very_many_tokens_are_written_as_they_are(tmp_path: Path) -> None:
    tokens = Secret("".join(f"{number},\u00e4\u2028\U0001f511\n" for number in range(9000)))
    FileDestination(tmp_path / "tokens").open(tokens)
    assert (tmp_path / "tokens").read_bytes() == f"{tokens.reveal()}\n".encode()


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_file_without_room_is_refused_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(RefusedError, match="No space left") as caught:
        FileDestination(tmp_path / "token").open(TOKEN)
    assert TOKEN.reveal() not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_synced_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def sync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    destination = FileDestination(tmp_path / "token")
    (warning,) = destination.open(TOKEN)
    assert "cannot be synced" in warning
    assert TOKEN.reveal() not in warning
    assert destination.deliver(TOKEN, record_id=RECORD_ID) == ()
    assert (tmp_path / "token").read_text() == f"{TOKEN.reveal()}\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_folder_that_takes_files_and_cannot_be_read_is_good_enough() -> None:
    code = """
with tempfile.TemporaryDirectory() as place:
    folder = Path(place) / "drop"
    folder.mkdir(mode=0o300)
    destination = deliver.FileDestination(folder / "token")
    token = secret.Secret("x" * 88)
    print(len(destination.open(token)))
    print(len(destination.deliver(token, record_id="00000000000003e9")))
    print(len((folder / "token").read_text()))
    folder.chmod(0o700)
"""
    imports = "tempfile, shutil; from recovery import secret; from recovery.cli import deliver"
    assert run_as_nobody(code, imports=imports).split() == ["1", "0", "89"]
