"""Bad bytes: whatever is in the file, listing and planning end with rows, or an error in words."""

import re
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from recovery.errors import RecoveryError
from recovery.services.authorizations.creation import CreateAuthorization
from recovery.services.authorizations.listing import list_authorizations
from recovery.services.authorizations.new_token import FormChoice
from recovery.services.authorizations.permission_request import PermissionRequest
from recovery.services.changes.backup_rule import BackupEachChange
from recovery.services.changes.plan import Manner
from recovery.services.changes.ports import Ports
from recovery.services.tenancy.organization_listing import list_organizations
from recovery.services.tenancy.user_listing import list_users
from tests.support.hints import hint_of
from tests.support.ports import FixedClock
from tests.support.stores import (
    CHANGED_AT,
    ListRecorder,
    MemoryDestination,
    SeededRng,
    YesAudience,
    make_store,
    open_view,
    run_change,
)

PAGE: Final = 4096
SECRET: Final = "canary"
MIGRATION: Final = re.compile(rb'\{"id":"0{14}[0-9a-f]{2}","name"[^}]*\}')

flips = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(1, 255)), min_size=1, max_size=30)
swaps = st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=3)
lengths = st.one_of(st.none(), st.integers(0, 1 << 16))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A store with something of everything."""
    path = tmp_path_factory.mktemp("whole") / "influxd.bolt"
    make_store(path, level=21)
    return path.read_bytes()


def look_at_everything(path: Path) -> None:
    with open_view(path) as view:
        for listing in (list_users(view.tx), list_organizations(view.tx)):
            assert SECRET not in repr((list(listing.rows), listing.problems))
        authorizations = list_authorizations(view.tx)
        for row in authorizations.rows:
            assert len(row.id) == 16
        assert SECRET not in repr(authorizations.problems)


def mint(path: Path) -> None:
    """Mint, as a script would."""
    clock = FixedClock(CHANGED_AT)
    planner = CreateAuthorization(
        operation="auth create-operator",
        request=PermissionRequest(is_operator=True),
        username="alice",
        organization="acme",
        description=None,
        form=FormChoice.BY_STORE,
        server_hashes=None,
        clock=clock,
        rng=SeededRng(),
    )
    run_change(
        path,
        planner,
        manner=Manner(backups=BackupEachChange(clock)),
        ports=Ports(
            audience=YesAudience(),
            recorder=ListRecorder(),
            destination=MemoryDestination(),
        ),
    )


def ends_in_words(path: Path, content: bytes) -> None:
    """Do both; only errors that a person can read may come out, and none with a secret in it."""
    for work in (look_at_everything, mint):
        try:
            work(path)
            event(f"{work.__name__} succeeds")
        except RecoveryError as error:
            event(f"{work.__name__}: {type(error).__name__}")
            said = f"{error}{hint_of(error)}"
            assert "\n" not in said
            assert SECRET not in said
            assert path.read_bytes() == content
            assert [one.name for one in path.parent.iterdir()] == ["influxd.bolt"]
    for one in path.parent.iterdir():
        one.unlink()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=flips, swaps=swaps, length=lengths)
def test_damaged_bytes_end_in_rows_or_words(
    whole: bytes,
    tmp_path: Path,
    flips: list[tuple[int, int]],
    swaps: list[tuple[int, int]],
    length: int | None,
) -> None:
    content = bytearray(whole)
    for place, bits in flips:
        content[place % len(content)] ^= bits
    for one, other in swaps:
        first, second = slice(one * PAGE, (one + 1) * PAGE), slice(other * PAGE, (other + 1) * PAGE)
        content[first], content[second] = content[second], content[first]
    path = tmp_path / "influxd.bolt"
    path.write_bytes(content[:length])
    ends_in_words(path, bytes(content[:length]))


@pytest.fixture(scope="module")
def marks(whole: bytes) -> st.SearchStrategy[int]:
    """The places of quotes, braces and commas of records."""
    # The migrations fill most of a small store, and are all that is read once one is odd.
    rest = MIGRATION.sub(lambda found: bytes(len(found[0])), whole)
    return st.sampled_from([found.start() for found in re.finditer(rb'[][{}":,\\]', rest)])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_records_in_a_sound_file_end_in_rows_or_words(
    whole: bytes, marks: st.SearchStrategy[int], tmp_path: Path, data: st.DataObject
) -> None:
    """The bytes near quotes, braces and commas, where the tree has nothing to complain of."""
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(marks) + data.draw(st.integers(-2, 2))
        content[place] = data.draw(st.sampled_from(b'{}[]":,\\\x00\x1f\xc3\xff0aA '))
    path = tmp_path / "influxd.bolt"
    path.write_bytes(content)
    ends_in_words(path, bytes(content))
