"""What to do about an error of the system."""

import errno
import os
from pathlib import Path

import pytest

from recovery.remedy import advice
from recovery.system_advice import advice_on, reason_of

CODES = set(errno.errorcode)


@pytest.mark.parametrize("code", sorted(CODES - {errno.ENOSPC, errno.EDQUOT}))
def test_space_is_made_only_where_space_is_missing(code: int) -> None:
    assert "make space" not in advice(advice_on(code))


def test_a_full_disk_and_a_full_quota_are_two_things() -> None:
    assert advice_on(errno.ENOSPC, otherwise="name another") == ("make space there", "name another")
    assert "quota" in advice(advice_on(errno.EDQUOT))


@pytest.mark.parametrize("code", [errno.EPERM, errno.EACCES])
def test_root_is_not_told_to_become_root(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "as root" not in advice(advice_on(code))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "as root" in advice(advice_on(code))


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_who_owns_what_is_refused_is_not_told_to_become_the_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / "a b"
    path.mkdir() if kind == "folder" else path.touch()
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    assert f"as the user whom the {kind} belongs to" in advice(advice_on(errno.EACCES, path=path))
    if os.getuid() == 0:
        os.chown(path, 1000, -1)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid)
    assert f"(chmod {'u+rwx' if kind == 'folder' else 'u+rw'} '{path}')" in advice(
        advice_on(errno.EACCES, path=path)
    )


def test_an_immutable_file_is_named_to_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "chattr" in advice(advice_on(errno.EPERM))


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_another_disk_is_no_way_out_of_what_is_not_the_disk(code: int) -> None:
    assert "disk" not in str(advice_on(code, otherwise="name a file on another disk"))


def test_a_failing_disk_is_looked_at_first() -> None:
    assert str(advice_on(errno.EIO)).startswith("look at the disk, which fails")
    assert advice_on(None) == "look at the disk and at the kernel log"


def test_the_words_are_those_of_the_system() -> None:
    assert reason_of(OSError(errno.EIO, "x")) == os.strerror(errno.EIO)
    assert reason_of(OSError("odd")) == "OSError"
