"""The forecast is the server's: held against what real influxd did with broken stores."""

import shutil
from pathlib import Path

import pytest

from recovery.discovery.candidate import Files
from recovery.services.doctor.check import Examination, Outlook
from tests.support.doctor import examined, words
from tests.support.verdicts import Case, break_store, cases, every, odd, refusals, siblings, ways_in

STEP = 85
"""The default run takes a part of the cases that is spread over all kinds."""
REFUSAL_STEP = 20


def examination(folder: Path, case: Case) -> Examination:
    """Break the store, and examine it with all that belongs to it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    store = break_store(folder, case)
    files = Files(sqlite_path=folder / "influxd.sqlite", engine_path=folder / "engine")
    return examined(store, files)


def forecast(folder: Path, case: Case) -> Outlook:
    verdict = examination(folder, case).verdict
    forecasts = {one.server: one.outlook for one in (verdict.likely, *verdict.others)}
    # The first campaign has stores that 2.9.1 migrates, or of which it reads no level.
    return forecasts[case.server] if case.base else verdict.outlook


def expected(case: Case) -> Outlook:
    if not case.starts:
        return Outlook.DOES_NOT_START
    return Outlook.STARTS if case.gets_in else Outlook.STARTS_LOCKED


def wrong(folder: Path, chosen: list[Case]) -> list[str]:
    return [one.name for one in chosen if forecast(folder, one) is not expected(one)]


def test_nothing_is_found_in_the_store_before_it_is_broken(tmp_path: Path) -> None:
    store = break_store(tmp_path, Case(name="whole", ops=[], starts=True, gets_in=True))
    files = Files(sqlite_path=tmp_path / "influxd.sqlite")
    whole = examined(store, files)
    assert words(whole) == ()
    assert whole.advice == ()


def test_a_part_of_the_forecasts_is_what_the_server_did(tmp_path: Path) -> None:
    chosen = list(every(STEP))
    assert len({one.starts for one in chosen}) == 2
    assert wrong(tmp_path / "store", chosen) == []


@pytest.mark.parametrize(
    "name",
    [
        "27 2.7 opid: upper key, index upper (2.7)",
        "raw raw opid: without id (raw)",
        "raw hash opid: under other key (hash)",
        "27 op: authorizationsv1 then Token='x' (2.7)",
        "27 instance: userresourcemappingsv1 then resourceType=None (2.7)",
        "raw hash urm instance without resourceID (hash)",
        "raw hash urm instance member (hash)",
        "raw D ids a bucket (hash)",
        "27 D ids a bucket (2.7)",
    ],
)
def test_who_gets_in_is_counted_as_the_server_does(tmp_path: Path, name: str) -> None:
    [one] = [one for one in ways_in() if one.name == name]
    assert forecast(tmp_path / "store", one) is expected(one)


def silent(folder: Path, chosen: list[Case]) -> list[str]:
    refused = [one for one in chosen if one.fails]
    assert refused
    return [one.name for one in refused if not examination(folder, one).findings]


def test_a_part_of_what_the_server_refuses_to_show_has_a_finding(tmp_path: Path) -> None:
    assert silent(tmp_path / "store", list(refusals()[::REFUSAL_STEP])) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_whatever_the_server_refuses_to_show_has_a_finding(tmp_path: Path) -> None:
    assert silent(tmp_path / "store", list(refusals())) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_forecast_is_what_the_server_did(tmp_path: Path) -> None:
    assert len(cases()) > 2000
    assert len(siblings()) > 1000
    assert len(odd()) > 800
    assert len(ways_in()) > 2000
    assert wrong(tmp_path / "store", list(every(1))) == []
