"""store report, with the real program."""

import json
from pathlib import Path

from tests.support.run_cli import Cli
from tests.support.stores import make_store


def test_the_report_is_written_and_the_store_is_left_alone(cli: Cli, tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    cli.run_here(
        *("auth", "set-inactive", made.reader, "--yes", "--reason", "it <leaked>"),
        *("--bolt-path", made.path),
    )
    before = made.path.read_bytes()
    done = cli.run_here("store", "report", "report.html", "--bolt-path", made.path, "--json")
    document = json.loads(done.stdout)
    target = Path(document["target_path"])
    page = target.read_text()
    target.unlink()
    assert (done.code, document["finding_count"], document["problems"]) == (0, 0, [])
    assert "auth set-inactive" in page
    assert "it &lt;leaked&gt;" in page
    assert made.path.read_bytes() == before


def test_a_name_that_is_taken_is_refused_before_anything_is_read(cli: Cli, tmp_path: Path) -> None:
    taken = tmp_path / "report.html"
    taken.write_text("mine")
    refused = cli.run_here("store", "report", taken, "--bolt-path", tmp_path / "nowhere")
    assert refused.code == 7
    assert str(taken) in refused.error
    assert taken.read_text() == "mine"


def test_without_a_file_it_says_what_is_missing(cli: Cli) -> None:
    refused = cli.run_here("store", "report")
    assert (refused.code, "FILE" in refused.error) == (2, True)
