"""Recipes are filled with what a machine has, quoted as each file wants it, and never overwrite."""

import os
import shlex
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from recovery.discovery.host import Host
from recovery.errors import ConflictError, NotFoundError, RefusedError
from recovery.services.recipes import ASSUMED, PLACE, Value, fill, recipes, write
from tests.support.fake_system import STORE, FakeSystem

ODD = '/srv/it\'s a "disk" 100%/$HOME'


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return FakeSystem(tmp_path / "root").host()


def filled(name: str, host: Host, **given: str) -> dict[str, str]:
    return {file.name: file.text for file in fill(name, host, bolt_path=None, given=given).files}


def test_every_file_of_the_folder_belongs_to_a_recipe() -> None:
    folder = files("recovery") / "recipes"
    place = Path(str(folder))
    there = {
        str(path.relative_to(place))
        for path in place.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    } - {"recipes.toml"}
    assert there == {source for recipe in recipes() for source in recipe.files.values()}
    assert len(tomllib.loads((folder / "recipes.toml").read_text())) == len(recipes())


@pytest.mark.parametrize("name", [recipe.name for recipe in recipes()])
def test_no_place_is_left_open(name: str, host: Host) -> None:
    for text in filled(name, host).values():
        assert PLACE.findall(text) == []


def test_a_value_stays_one_word_of_the_shell(host: Host) -> None:
    text = filled("docker", host, container=ODD)["recover-docker.sh"]
    line = next(line for line in text.splitlines() if line.startswith("container="))
    assert shlex.split(line) == [f"container={ODD}"]


def test_a_value_stays_one_text_of_yaml(host: Host) -> None:
    text = filled("compose", host, program=ODD)["compose.recovery.yaml"]
    service = yaml.safe_load(text)["services"]["influx-recovery"]
    assert service["volumes"][0]["source"] == ODD.replace("$", "$$")  # which Compose reads as $
    assert service["user"] == "1000:1000"


def test_a_value_stays_one_word_of_a_unit(host: Host) -> None:
    text = filled("backup", host, store="/srv/a b/100%.bolt")["influx-recovery-backup.service"]
    assert '--bolt-path "/srv/a b/100%%.bolt" ' in text


def test_what_this_machine_has_goes_in_before_what_is_custom(tmp_path: Path) -> None:
    system = FakeSystem(tmp_path / "root")
    system.install_package()
    store = system.store("/var/lib/influxdb/influxd.bolt", STORE)
    system.run_container("metrics", mounts={})
    found = fill("systemd", system.host(), bolt_path=None, given={}).values
    assert Value(name="store", text=str(store), source="found") in found
    given = fill("systemd", system.host(), bolt_path=None, given={"store": "/srv/x"}).values
    assert Value(name="store", text="/srv/x", source="given") in given
    assert Value(name="unit", text="influxdb.service", source="found") in found
    container = fill("docker", system.host(), bolt_path=None, given={}).values
    assert Value(name="container", text="metrics", source="found") in container
    unit = fill("systemd", FakeSystem(tmp_path / "other").host(), bolt_path=None, given={}).values
    assert Value(name="unit", text=ASSUMED["UNIT"], source="assumed") in unit


@pytest.mark.parametrize(
    ("name", "given"),
    [("dockers", {}), ("docker", {"unit": "x.service"}), ("docker", {"engine": "nerdctl"})],
)
def test_what_there_is_not_is_named(name: str, given: dict[str, str], host: Host) -> None:
    with pytest.raises(NotFoundError, match="there are: "):
        fill(name, host, bolt_path=None, given=given)


@pytest.mark.parametrize("given", [{"uid": "root"}, {"container": ""}, {"container": "a\nb"}])
def test_what_cannot_stand_in_a_file_is_refused(given: dict[str, str], host: Host) -> None:
    with pytest.raises(RefusedError):
        fill("docker", host, bolt_path=None, given=given)


def test_files_are_written_once_and_scripts_can_be_run(tmp_path: Path, host: Host) -> None:
    recipe = fill("compose", host, bolt_path=None, given={})
    made = write(recipe, tmp_path / "new" / "folder")
    assert [path.stat().st_mode & 0o777 for path in made] == [0o644, 0o755]
    before = made[0].read_bytes()
    made[1].unlink()
    with pytest.raises(ConflictError):
        write(recipe, tmp_path / "new" / "folder")
    assert (made[0].read_bytes(), made[1].exists()) == (before, False)


def test_a_path_whose_bytes_are_no_text_is_written_as_it_is(tmp_path: Path, host: Host) -> None:
    store = os.fsdecode(b"/srv/\xff/influxd.bolt")
    (made,) = write(fill("rescue", host, bolt_path=store, given={}), tmp_path)
    assert os.fsencode(store) in made.read_bytes()


@pytest.mark.parametrize("name", ["synology", "qnap", "home-assistant"])
def test_what_a_share_brought_is_made_a_program_before_it_is_typed(name: str, host: Host) -> None:
    text = "".join(filled(name, host).values())
    assert 0 < text.find("\nchmod 700 influx-recovery\n") < text.index("\n./influx-recovery ")
