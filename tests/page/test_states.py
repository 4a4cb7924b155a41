"""The page on stores that are not as they should be: damaged records, nothing in it, odd names."""

import json
import os
import shutil
from pathlib import Path

from recovery.daemon.page.book import EXAMINED_AT_ONCE_BYTES_MAX
from recovery.metastore.transaction import MetaTx
from recovery.model.ids import Id
from recovery.services.tenancy.choosing import UserChoice
from recovery.services.tenancy.user_changes import DeleteUser
from tests.support.backup_folder import write_backup_folder
from tests.support.canaries import leaks
from tests.support.engine_files import write_engine
from tests.support.real_stores import unpack_real_store
from tests.support.run_cli import Cli
from tests.support.served import serving
from tests.support.stores import OPERATOR_TOKEN, READER_TOKEN, change, edit, make_store
from tests.support.visitor import Visitor


def test_doctor_shows_what_is_wrong_and_repairs_it_with_its_plan(tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    cli = Cli(tmp_path / "home")

    def lose_the_index(tx: MetaTx) -> None:
        for key, value in list(tx.table("userindexv1").items()):
            if value == made.bob.encode():
                tx.table("userindexv1").delete(key)

    edit(made.path, lose_the_index)
    with serving(made.path) as running:
        visitor = Visitor(running)
        assert "1 finding" in visitor.get("/").text
        found = visitor.get("/doctor").text
        assert "Effect:" in found
        assert made.bob in found
        asked = visitor.get("/doctor/repair")
        assert made.bob in asked.text
        stale = visitor.send(asked, "/doctor/repair", {"plan": "0" * 32})
        assert (stale.status, "is of an earlier state" in stale.text) == (422, True)
        done = visitor.do("/doctor/repair", "/doctor/repair")
        assert "Done." in done.text
        assert "Nothing is wrong." in done.text
        visitor.fill("/stop", "/stop")
        running.process.wait(timeout=20)
    assert cli.run_here("--bolt-path", made.path, "store", "check").code == 0


def test_the_first_screen_says_why_a_server_does_not_start(tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    edit(made.path, lambda tx: tx.table("idsv1").put(b"id", b"08"))
    with serving(made.path) as running:
        visitor = Visitor(running)
        for path in ("/", "/doctor"):
            text = visitor.get(path).text
            assert "InfluxDB will not start: 1 reason." in text
            assert "ID of the server is the ID of the instance" in text
            assert "/doctor/repair" in visitor.get(path).links
        assert "ID of the server is the ID of the instance" in visitor.get("/doctor/repair").text


def test_no_link_leads_to_a_record_that_cannot_be_read(tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)

    def break_one_of_each(tx: MetaTx) -> None:
        for table in ("authorizationsv1", "usersv1", "organizationsv1", "bucketsv1"):
            tx.table(table).put(b"0c0000000000000a", b"no JSON")

    edit(made.path, break_one_of_each)
    with serving(made.path) as running:
        visitor = Visitor(running)
        for path in ("/", "/doctor"):
            page = visitor.get(path)
            assert "0c0000000000000a" in page.text
            links = [one for one in page.links if one.startswith("/")]
            assert [one for one in links if visitor.get(one).status != 200] == []


def test_a_large_store_is_looked_at_while_others_are_answered(tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    os.truncate(made.path, EXAMINED_AT_ONCE_BYTES_MAX + 4096)
    with serving(made.path) as running:
        visitor = Visitor(running)
        screens = ("/", "/tokens", "/map", "/map/file", "/doctor", "/doctor/repair")
        first = {path: visitor.get(path) for path in screens}
        assert all(page.status == 200 for page in first.values())
        assert "InfluxDB will start" in first["/doctor"].text  # it is waited for a while
        assert "4 API tokens" in first["/tokens"].text
        visitor.do("/tokens", "/tokens/status", {"deactivate": made.reader})
        assert "inactive" in visitor.get(f"/tokens/{made.reader}").text


def test_a_token_of_a_deleted_user_is_called_dead(tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    user = UserChoice(name=None, user_id=made.bob)
    change(made.path, DeleteUser(user=user, with_tokens=False))
    with serving(made.path) as running:
        visitor = Visitor(running)
        assert "dead" in visitor.get("/tokens?find=status:dead").text
        assert "2 of 4 API tokens" in visitor.get("/tokens?find=status:dead").text
        page = visitor.get(f"/tokens/{made.reader}").text
        assert "This token cannot be used: its user does not exist" in page
        refused = visitor.fill(f"/tokens/{made.reader}", f"/tokens/{made.reader}/clone")
        assert refused.status == 404
        assert "nothing was changed; look at Users to see who there is." in refused.text
        assert "deleted user" in visitor.get("/map").text
        assert Id(made.bob) not in visitor.get("/users").text


def test_a_token_without_an_owner_is_shown_and_can_be_deleted(tmp_path: Path) -> None:
    """The API refuses it, as the server does."""
    made = make_store(tmp_path / "influxd.bolt", level=21)

    def lose_owner(tx: MetaTx) -> None:
        record = tx.table("authorizationsv1").get(made.reader.encode()) or b""
        fields = {name: value for name, value in json.loads(record).items() if name != "userID"}
        tx.table("authorizationsv1").put(made.reader.encode(), json.dumps(fields).encode())

    edit(made.path, lose_owner)
    with serving(made.path) as running:
        visitor, page = Visitor(running), f"/tokens/{made.reader}"
        assert page in visitor.get("/tokens").links
        assert running.ask(
            "DELETE", f"/api/v2/authorizations/{made.reader}", token=running.key
        ).json == {
            "code": "invalid",
            "message": "invalid id for permission: invalid ID",
        }
        visitor.do(f"{page}/delete", f"{page}/delete")
        assert page not in visitor.get("/tokens").links


def test_a_store_with_nothing_in_it_says_what_to_do(tmp_path: Path) -> None:
    store = unpack_real_store("influxd-2.9.1-fresh", tmp_path / "influxd.bolt")
    with serving(store) as running:
        visitor = Visitor(running)
        for path, sentence in (
            ("/", "There is nothing to recover in it."),
            ("/tokens", "This store has no API tokens."),
            ("/users", "This store has no users."),
            ("/organizations", "This store has no organizations."),
            ("/map", "This store has no users, roles or tokens."),
            ("/map/file", "The pages of the file"),
            ("/tokens/new/read-write", "the store has none"),
            ("/doctor", "InfluxDB will start"),
        ):
            reply = visitor.get(path)
            assert (reply.status, sentence in reply.text) == (200, True), path
        path = "/tokens/new/operator"
        refused = visitor.fill(path, path, {"act": "save", "understood": "1"})
        assert (refused.status, "the store has none" in refused.text) == (400, True)


def test_a_backup_is_prepared_for_a_restore_and_the_command_is_shown(tmp_path: Path) -> None:
    held = make_store(tmp_path / "influxd.bolt", level=21)
    store = unpack_real_store("influxd-2.9.1-used", tmp_path / "backed-up.bolt")
    folder = tmp_path / "backup"
    write_backup_folder(folder, store)
    path = "/backups/restore"
    with serving(held.path) as running:
        visitor = Visitor(running)
        looked = visitor.fill(path, path, {"folder": str(folder), "act": "look"})
        assert "It needs a prepared copy." in looked.text
        assert not folder.with_name("backup.prepared").exists()
        made = visitor.send(looked, path, {"act": "prepare"})
        assert f"--token TOKEN {folder}.prepared" in made.text
        assert folder.with_name("backup.prepared").is_dir()
        assert "prepare-restore" in visitor.get("/ledger").text
        for wrong in ("backup", "/nosuch/folder"):
            refused = visitor.fill(path, path, {"folder": wrong, "act": "prepare"})
            assert (refused.status in {400, 422}, "othing was changed" in refused.text) == (
                True,
                True,
            )


def test_a_copy_is_compared_and_deleted_and_the_backup_of_the_session_stays(tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    name = f"{made.path.name}.20260101T000000Z.user-delete.backup"
    other = shutil.copyfile(made.path, made.path.with_name(name))
    delete = "/backups/copy/delete"
    with serving(made.path) as running:
        visitor = Visitor(running)
        asked = visitor.get(f"{delete}?name={name}")
        assert "store undo needs it" in asked.text  # the ledger knows nothing of this store
        refused = visitor.send(asked, delete, {"typed": "influxd.bolt"})
        assert (refused.status, "what was typed is not" in refused.text.lower()) == (400, True)
        running.ask("POST", "/api/v2/users", token=running.key, body={"name": "carol"})
        compared = visitor.get(f"/backups/copy?name={name}")
        assert ("added" in compared.text, "carol" in compared.text) == (True, True)
        assert not leaks((OPERATOR_TOKEN, READER_TOKEN), compared.body.encode())
        done = visitor.fill(f"{delete}?name={name}", delete)
        assert f"The copy {name} was deleted" in visitor.get(done.location).text
        assert not other.exists()
        assert "store backups prune" in visitor.get("/ledger").text
        (own,) = tmp_path.glob("*.serve.backup")
        kept = visitor.get(f"{delete}?name={own.name}")
        assert (kept.status, "until the session has ended" in kept.text) == (422, True)
        for path in (f"{delete}?name=..%2Fkey", f"/backups/copy?name={made.path.name}"):
            assert visitor.get(path).status == 404
        assert own.exists()


def test_the_plan_of_a_rebuild_says_what_lies_on_disk_and_writes_nothing(tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    write_engine(tmp_path / "engine")
    before = sorted(tmp_path.rglob("*"))
    with serving(made.path) as running:
        visitor = Visitor(running)
        assert "/doctor/rebuild" in visitor.get("/doctor").links
        text = visitor.get("/doctor/rebuild").text
        assert "What a rebuild would write" in text
        assert "On disk, and not in this store" in text
        assert "owns everything, and gets an operator token" in text
    after = {one for one in tmp_path.rglob("*") if "ledger" not in one.name}
    assert after - set(before) <= {made.path.with_name("console.key")}


def test_a_button_of_the_list_leads_back_to_where_it_was(tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    with serving(made.path) as running:
        visitor = Visitor(running)
        page = "/tokens?find=bob&sort=owner"
        reply = visitor.fill(page, "/tokens/status", {"deactivate": made.reader})
        assert reply.location == "/tokens?find=bob&sort=owner&done=1"
        assert f'value="{made.reader}" aria-describedby="t{made.reader}" autofocus>' in (
            visitor.get(reply.location).body
        )
        sent = {"activate": made.reader, "back": "https://evil.test/"}
        assert visitor.fill(page, "/tokens/status", sent).location == "/tokens?done=2"
