"""Which addresses are served."""

import contextlib
import socket
from pathlib import Path

import pytest

from recovery.daemon.sockets import (
    default_socket_path,
    listening_on_address,
    listening_on_path,
)
from recovery.errors import RefusedError


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "127.0.0.1.evil.test:0", "evil.test:0",
        "128.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:1²", "127.0.0.1", "8086", ":0",
        "::1:0", "127.1:0",
    ],
)  # fmt: skip
def test_no_address_is_served_that_can_be_reached_from_elsewhere(address: str) -> None:
    with pytest.raises(RefusedError):
        listening_on_address(address)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "127.0.0.2:0"])
def test_addresses_of_this_machine_are_served(address: str) -> None:
    (opened,) = listening_on_address(address)
    with opened:
        assert opened.getsockname()[0].startswith("127.0.0.")


@pytest.mark.parametrize("address", ["localhost:0", "LOCALHOST:0"])
def test_nobody_else_can_have_the_other_address_of_localhost(address: str) -> None:
    opened = listening_on_address(address)
    with contextlib.ExitStack() as closing:
        names = [closing.enter_context(one).getsockname()[:2] for one in opened]
        assert names == [("127.0.0.1", names[0][1]), ("::1", names[0][1])]
    with socket.socket(socket.AF_INET6) as other:
        other.bind(("::1", 0))
        other.listen()
        with pytest.raises(RefusedError):
            listening_on_address(f"localhost:{other.getsockname()[1]}")


def test_a_socket_is_not_made_where_others_may_exchange_its_folder(tmp_path: Path) -> None:
    wide = tmp_path / "wide"
    wide.mkdir()
    wide.chmod(0o777)
    (tmp_path / "link").symlink_to(wide)
    for path in (wide / "run" / "http.sock", tmp_path / "link" / "run" / "http.sock"):
        with pytest.raises(RefusedError, match="which others may change"), listening_on_path(path):
            pass
        assert not path.exists()
    wide.chmod(0o1777)
    with listening_on_path(wide / "run" / "http.sock"):
        pass


def test_the_socket_is_in_a_place_of_its_user() -> None:
    assert str(default_socket_path({}, is_root=True)) == "/run/influx-recovery/http.sock"
    found = default_socket_path({"XDG_RUNTIME_DIR": "/run/user/7"}, is_root=False)
    assert str(found) == "/run/user/7/influx-recovery/http.sock"
    with pytest.raises(RefusedError):
        default_socket_path({"XDG_RUNTIME_DIR": "here"}, is_root=False)
