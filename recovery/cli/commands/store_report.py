"""The command that writes a report.

Lives here: `store report`. Must not live here: what is in it (`recovery.services.stores.report`).
"""

from pathlib import Path
from typing import Final

from recovery import __version__
from recovery.cli.context import Context
from recovery.cli.documents import StoreDocument
from recovery.cli.options import Command, Reading
from recovery.cli.recording import open_ledger
from recovery.cli.store import find_with_files, read_session, store_of
from recovery.cli.usage import required
from recovery.cli.words import Parser
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.new_file import require_free
from recovery.ports import SystemClock, SystemRng
from recovery.services.stores.report import report_on, write_report


class _Report(Reading, frozen=True):
    target: str | None


def _add_report(command: Parser) -> None:
    command.add_argument(
        "target", metavar="FILE", nargs="?", help="the new file, such as report.html (required)"
    )


class ReportDocument(StoreDocument, frozen=True, kw_only=True):
    """What --json prints.

    Attributes:
        problems: Which parts could not be read.
    """

    target_path: Path
    sentence: str
    finding_count: int
    problems: tuple[str, ...]


def _report(options: _Report, context: Context) -> ExitCode:
    target = Path(required(options.target, "FILE", "store report")).absolute()
    require_free(target)
    found = find_with_files(options, context)
    output = context.output
    with (
        read_session(found, options, output, needs_schema=False) as session,
        output.waiting("writing the report"),
    ):
        report = report_on(
            session,
            files=found.files,
            ledger=open_ledger(options, context, found.path, is_reading=True),
            tool_version=__version__,
            clock=SystemClock(),
            rng=SystemRng(),
        )
        write_report(report, target)
    sentence = report.examination.verdict.sentence
    for problem in report.problems:
        output.message(f"warning: not in the report: {problem}")
    if options.json:
        output.document(
            ReportDocument(
                store=store_of(found, report.facts),
                target_path=target,
                sentence=sentence,
                finding_count=len(report.examination.findings),
                problems=report.problems,
            )
        )
        return ExitCode.DONE
    output.prose(f"Report: {displayed(str(target))}")
    output.prose(f"Verdict: {displayed(sentence)}.")
    output.prose(
        "It holds no token, hash or password. It names users, organizations, buckets, tokens by "
        "their descriptions, paths and this machine: look at it before it is sent."
    )
    return ExitCode.DONE


REPORT: Final = Command(
    description="Write one page of HTML for a ticket: the verdict, every finding, who can reach "
    "what as a picture and as a table, a map of the pages of the file, what takes how much, and "
    "what was done last. It loads nothing and runs nothing, and no secret is in it. The file is "
    "new, mode 0600. The store is opened for reading only and nothing in it is changed. It cannot "
    "tell anything about time series.",
    example="store report /tmp/report.html",
    options=_Report,
    run=_report,
    add_options=_add_report,
    document=ReportDocument,
)
