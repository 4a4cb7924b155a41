"""Which addresses are served."""

import pytest

from recovery.daemon.sockets import default_socket_path, listening_on_address
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


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0", "LOCALHOST:0", "127.0.0.2:0"])
def test_addresses_of_this_machine_are_served(address: str) -> None:
    with listening_on_address(address) as opened:
        assert opened.getsockname()[0].startswith("127.0.0.")


def test_the_socket_is_in_a_place_of_its_user() -> None:
    assert str(default_socket_path({}, is_root=True)) == "/run/influx-recovery/http.sock"
    found = default_socket_path({"XDG_RUNTIME_DIR": "/run/user/7"}, is_root=False)
    assert str(found) == "/run/user/7/influx-recovery/http.sock"
    with pytest.raises(RefusedError):
        default_socket_path({"XDG_RUNTIME_DIR": "here"}, is_root=False)
