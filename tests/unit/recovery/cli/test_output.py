"""What a person sees where a result was cut short."""

import io

import pytest

from recovery.cli.output import Output


class _Screen(io.StringIO):
    """A terminal on which Ctrl-C comes in the midst of a row."""

    def write(self, text: str) -> int:
        super().write(text[:3])
        raise KeyboardInterrupt

    def isatty(self) -> bool:
        return self.is_terminal

    is_terminal = True


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_error_behind_a_row_that_was_cut_short_begins_on_a_line_of_its_own(
    *, is_terminal: bool
) -> None:
    screen, said = _Screen(), io.StringIO()
    screen.is_terminal = is_terminal
    output = Output(stdout=screen, stderr=said, environ={})
    with pytest.raises(KeyboardInterrupt):
        output.line("a row")
    output.error("interrupted; nothing was changed", "run it again")
    start = "\n" if is_terminal else ""
    assert said.getvalue() == (
        f"{start}error: interrupted; nothing was changed\nhint: run it again\n"
    )


def test_a_command_ends_with_its_sentence() -> None:
    screen = _Wide()
    output = Output(stdout=screen, stderr=screen, environ={"COLUMNS": "60"})
    output.prose(
        f"Next: look, with influx-recovery store find. {'The backup stays. ' * 4}".rstrip()
    )
    assert max(map(len, screen.getvalue().splitlines())) <= 60


class _Wide(io.StringIO):
    def isatty(self) -> bool:
        return True
