"""Pictures of the page for the README and the manual.

    .venv/bin/python -m tests.page.pictures

Lives here: a small store with names that say something, and which screens are shown. Writes
`man/pictures/*.png` anew, with Debian's Chromium through Playwright.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import (
    ACTIVE,
    INACTIVE,
    new_authorization,
)
from recovery.model.bucket import DAY_NS, TYPE_USER
from recovery.model.gojson import format_time
from recovery.model.ids import Id, IdSource
from recovery.model.mapping import MEMBER
from recovery.model.password import hash_password
from recovery.model.permission import Permission, all_access_permissions, operator_permissions
from recovery.model.token import TokenForm
from recovery.secret import Secret
from recovery.services.tenancy.writing import (
    BucketWish,
    write_bucket,
    write_empty_store,
    write_organization,
    write_role,
    write_user,
)
from tests.support.ports import FixedClock
from tests.support.run_cli import PROJECT
from tests.support.served import Served, serving
from tests.support.stores import SeededRng

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER: Final = PROJECT / "man" / "pictures"
CHROMIUM: Final = "/usr/bin/chromium"
BEGAN: Final = datetime(2024, 3, 1, 9, 30, tzinfo=UTC)
LEVEL: Final = 21
WIDTH: Final = 960
HEIGHT: Final = 640
USUAL_PATH: Final = "/var/lib/influxdb/influxd.bolt"


def main() -> int:
    """Take all pictures; return the exit code."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 # a development dependency

    FOLDER.mkdir(exist_ok=True)
    with _served() as served, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        _take_all(page, served)
        browser.close()
    return 0


def _take_all(page: "Page", served: Served) -> None:
    root = f"http://127.0.0.1:{served.port}"
    page.goto(root)
    page.fill("#key", served.key)
    page.click("button:has-text('Open')")
    _take(page, "overview")
    for name, path in (("tokens", "/tokens"), ("map", "/map")):
        page.goto(root + path)
        _take(page, name)
    page.goto(f"{root}/tokens/new/read-write")
    page.fill("#description", "iot-center-device")
    for action in ("read", "write"):
        page.check(f"li:has-text('iot-center') input[name={action}]")
    page.evaluate("scrollTo(0, document.querySelector('.panes').offsetTop - 24)")
    _take(page, "generate")
    page.click("button.main:has-text('Save')")
    _take(page, "once")
    page.goto(f"{root}/map/file")
    _take(page, "file")


def _take(page: "Page", name: str) -> None:
    page.evaluate("document.activeElement.blur()")
    # The usual place, and not a temporary folder with another name each time.
    page.evaluate(f"document.querySelector('.where bdi').textContent = '{USUAL_PATH}'")
    page.screenshot(path=FOLDER / f"page-{name}.png")


@contextmanager
def _served() -> Iterator[Served]:
    with TemporaryDirectory(prefix="influxdb-") as folder:
        path = Path(folder) / "influxd.bolt"
        MetaStore.create(path, level=LEVEL, fill=_fill)
        with serving(path) as served:
            yield served


def _fill(tx: MetaTx) -> None:
    rng = SeededRng(7)
    clock = FixedClock(BEGAN)
    ids = IdSource(clock, rng)
    write_empty_store(tx, level=LEVEL, ids=ids, rng=rng, now=format_time(BEGAN))
    admin, iot, mia = (write_user(tx, name=name, ids=ids) for name in ("admin", "iot", "mia"))
    tx.passwords.put(admin, hash_password(Secret("a password to look at")))
    now = format_time(BEGAN)
    org = write_organization(tx, name="main", description="", owner_id=admin, ids=ids, now=now)
    for user in (iot, mia):
        write_role(tx, org_id=org, user_id=user, role=MEMBER)
    center, telemetry, _ = (
        write_bucket(
            tx,
            BucketWish(name=name, description="", kind=TYPE_USER, retention_ns=days * DAY_NS),
            org_id=org,
            ids=ids,
            now=now,
        )
        for name, days in (("iot-center", 0), ("telemetry", 30), ("archive", 0))
    )

    def permit(bucket: Id, *actions: str) -> list[Permission]:
        return [Permission(action=a, type="buckets", id=bucket, org_id=org) for a in actions]

    everything = all_access_permissions(LEVEL, org_id=org, user_id=mia)
    for days, user, description, status, permissions in (
        (0, admin, "admin's Token", INACTIVE, operator_permissions(LEVEL)),
        (40, iot, "gateway", ACTIVE, permit(center, "read", "write")),
        (90, mia, "grafana", ACTIVE, permit(center, "read") + permit(telemetry, "read")),
        (200, mia, "notebooks", ACTIVE, everything),
        (480, Id("0b4f7e2d11223344"), "telegraf-old", ACTIVE, permit(telemetry, "write")),
    ):
        clock.moment = BEGAN + timedelta(days=days)
        token = Secret(rng.token_bytes(48).hex())
        authorization = new_authorization(
            authorization_id=ids.snowflake(),
            token=token,
            form=TokenForm.SHA256,
            description=description,
            org_id=org,
            user_id=user,
            permissions=permissions,
            now=format_time(clock.moment),
            status=status,
        )
        tx.authorizations.insert(authorization)


if __name__ == "__main__":
    sys.exit(main())
