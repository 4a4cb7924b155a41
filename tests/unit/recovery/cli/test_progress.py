"""Interruption: at once where that is safe, later where it is not."""

import os
import signal

import pytest

from recovery.cli.progress import Progress, Stage
from recovery.kept import SIGNALS


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_stops_the_command_before_the_change(number: signal.Signals) -> None:
    progress = Progress()
    with pytest.raises(KeyboardInterrupt), progress.watching_signals():
        os.kill(os.getpid(), number)
    assert (progress.is_interrupted, progress.stage) == (True, Stage.BEFORE)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_waits_within_the_shield(number: signal.Signals) -> None:
    progress = Progress()
    done = False
    with progress.watching_signals(), progress.shield():
        os.kill(os.getpid(), number)
        done = True
    assert done
    assert (progress.is_interrupted, progress.stage) == (True, Stage.AFTER)


def test_a_failure_within_the_shield_leaves_the_outcome_open() -> None:
    progress = Progress()
    with pytest.raises(ZeroDivisionError), progress.shield():
        raise ZeroDivisionError
    assert progress.stage is Stage.WITHIN


def test_an_ignored_signal_stays_ignored_and_former_handlers_come_back() -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        before = signal.getsignal(signal.SIGINT)
        progress = Progress()
        with progress.watching_signals():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGINT) is not before
        assert not progress.is_interrupted
        assert signal.getsignal(signal.SIGINT) is before
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, former)
