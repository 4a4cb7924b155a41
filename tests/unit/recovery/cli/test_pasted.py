"""Command lines as they come from web pages, word processors and other systems."""

# ruff: noqa: RUF001 # signs that look like others are what this is about

import shlex
from typing import Final

import pytest

from recovery.cli.parser import understand
from recovery.cli.pasted import explained
from recovery.cli.usage import UsageError
from recovery.errors import NotFoundError, RecoveryError
from recovery.model.display import quoted

MISTAKE: Final = UsageError(problem="something", hint="else")
LIST: Final = "auth list --org myorg --json"
MINT: Final = "auth create-operator --org myorg --username admin --dry-run"
PASTED: Final = {
    LIST: [
        ["auth", "list", "–org", "myorg", "--json"],
        ["auth", "list", "—org", "myorg", "—json"],
        ["auth", "list", "––org", "myorg", "-–json"],
        ["auth", "list", "‑‑org", "myorg", "‐‐json"],
        ["auth", "list", "−−org", "myorg", "--json"],
        ["auth\u00a0list", "--org", "myorg", "--json"],
        ["auth", "list\u00a0--org", "myorg", "--json"],
        ["auth", "list", "--org\u00a0myorg", "--json"],
        ["auth", "list", "--org\u202fmyorg\u3000--json"],
        ["auth", "list", "\u00a0--org", "myorg", "--json\u00a0"],
        ["auth", "list", "--org", "myorg", "--json\r"],
        ["auth", "list", "--org", "myorg", "--json", "\r"],
        ["auth", "list", "--org", "myorg", "\\", "--json"],
        ["auth", "list", "--org", "myorg", "\\\n--json"],
        ["auth", "list", "--org", "myorg", "--json\\"],
        ["auth", "list", "--org", "myorg", "\\\r\n--json"],
        ["\ufeffauth", "list", "--org", "myorg", "--json"],
        ["auth", "list\u200b", "--org", "myorg", "--json"],
        ["auth", "list", "--o\u00adrg", "myorg", "--json"],
        ["auth", "list", "--org", "myorg", "\u2060", "--json"],
        ["auth list --org myorg --json"],
        ["root@nas:~# influx-recovery auth list --org myorg --json"],
        ["influxd-recovery", "auth", "list", "--org", "myorg", "--json"],
        ["auth", "list --org", "myorg", "--json"],
        ["auth", "list", "--org myorg", "--json"],
        ["auth", "list", "—org", "myorg\u00a0--json\r"],
        ["auth", "list", "list", "--org", "myorg", "--json"],
        ["auth", "list", "auth", "list", "--org", "myorg", "--json"],
        ["influx-recovery", "sudo", "influx-recovery", "auth", "list", "--org", "myorg", "--json"],
        *(
            [*before.split(), *LIST.split()]
            for before in (
                *("exec", "run", "python3 -m", "1.", "*", "`influx-recovery"),
                *("$", "#", "~ #", "root@nas:~#", "[root@nas /]$", "sudo", "influx", "%"),
                *("influx-recovery", "./influx-recovery", "/opt/bin/influx-recovery", "doas"),
                *("# influx-recovery", "ann@nas:~$ sudo influx-recovery", "influx-recovery:"),
                "docker exec -it influxdb influx-recovery",
            )
        ),
    ],
    "auth create --read-buckets -d sudo": [
        ["sudo", "auth", "create", "--read-buckets", "-d", "sudo"],
    ],
    "auth list --json --org myorg": [
        ["--org", "myorg", "auth", "list", "--json"],
        ["auth", "--org", "<myorg>", "list", "--json"],
    ],
    "auth delete 08371db24dcc8000 08371deae98c8000": [
        ["auth", "delete", "08371db24dcc8000,08371deae98c8000"],
        ["auth", "delete", "<08371db24dcc8000>", "'08371deae98c8000',"],
        ["auth", "delete", "0x08371db24dcc8000", "(08371deae98c8000):"],
        ["auth", "delete", "08371db2", "4dcc8000", "08371dea\ne98c8000"],
        ["auth", "delete", "08371db24dcc8000 /", "0837", "1dea", "e98c", "8000"],
        ["auth", "delete", "#08371db24dcc8000", ",", "ID=08371deae98c8000"],
    ],
    "auth list --org=myorg": [
        ["auth", "list", "--org=", "myorg"],
        ["auth", "list", "--org", "=", "myorg"],
        ["auth", "list", "--org", "=myorg"],
        ["auth", "list", "–org=myorg"],
        ["auth", "list", "–org", "=", "“myorg”"],
        ["auth", "list", "--org=“myorg”", "\r"],
    ],
    MINT: [
        ["auth", "create–operator", *MINT.split()[2:]],
        ["auth", "create‑operator", *MINT.split()[2:]],
        [*MINT.split()[:-1], "—dry-run"],
        [*MINT.split()[:-1], "–dry–run"],
        ["auth", "create-operator", "--org", "“myorg”", "–username", "‘admin’", "--dry-run"],
    ],
    "auth create --org 'my org' -d 'a – b' --read-bucket x": [
        ["auth", "create", "--org", "“my", "org”", "–d", "a – b", "--read-bucket", "x"],
        ["auth", "create", "--org", "„my", "org“", "–d", "a – b", "--read-bucket", "«x»"],
    ],
}


def _argv(argv: list[str]) -> str:
    return " ".join(map(quoted, argv))


@pytest.mark.parametrize(
    ("argv", "meant"),
    [pytest.param(argv, meant, id=_argv(argv)) for meant, all_ in PASTED.items() for argv in all_],
)
def test_what_came_along_is_said_and_the_line_without_it_is_proposed(
    argv: list[str], meant: str
) -> None:
    """Nothing is done that was not typed: the line is only proposed, and it is understood."""
    error = explained(argv, MISTAKE)
    assert isinstance(error, UsageError)
    proposed = str(error.hint).removeprefix("type influx-recovery ")
    assert shlex.split(proposed) == shlex.split(meant)
    understand(shlex.split(proposed))
    assert str(error).endswith("; nothing was done")
    assert error is not MISTAKE


@pytest.mark.parametrize(
    "argv",
    [
        ["auth", "lst", "--json"],
        ["auth", "lst", "--org", "a – b"],
        ["auth", "list", "--orgx", "“a”"],
        ["auth", "create", "-d", "“a”", "--nothing"],
        ["auth", "list", "--", "–x"],
        ["auth", "lst", "--org", "influx-recovery"],
        ["auth", "create", "--nothing", "-d", "influx-recovery", "auth", "list"],
        ["$", "auth", "lst"],
    ],
)
def test_a_mistake_of_another_kind_keeps_its_own_answer(argv: list[str]) -> None:
    assert explained(argv, MISTAKE) is MISTAKE


def test_a_name_in_curled_quotes_is_named_without_them() -> None:
    def missing() -> NotFoundError:
        return NotFoundError(kind="user", name="“a”", existing=["a", "b"], hint="name one")

    error = explained(["user", "show", "--username", "“a”"], missing())
    assert "“" not in str(error.hint)
    assert str(error.hint).startswith("type influx-recovery user show --username a, because ")
    error = explained(["user", "show", "--username=“a”"], missing())
    assert str(error.hint).startswith("type influx-recovery user show --username=a, because ")
    assert explained(["user", "show", "--username", "“c”"], missing()).hint == "name one"


@pytest.mark.parametrize(
    "argv",
    [
        ["auth", "list", "—json", "--user", "A9Ovdl8SmP-" * 8],
        ["user", "update", "--username", "a", "–yes", "--password", "hunter22"],
        ["user", "update", "--username", "a", "–yes", "-p=hunter22"],
    ],
)
def test_what_may_be_a_secret_is_not_repeated(argv: list[str]) -> None:
    error = explained(argv, MISTAKE)
    assert argv[-1].removeprefix("-p=") not in f"{error}{error.hint}"


def test_a_password_in_the_place_of_a_user_is_not_repeated() -> None:
    def answer(*argv: str) -> str:
        missing = NotFoundError(kind="user", name=argv[-1], existing=["a"], hint="name one")
        return str(explained(argv, missing))

    for words in (["user", "password"], ["user", "update"], ["passwd"]):
        assert answer(*words, "hunter22x").startswith("there is no user of that name (there is: a)")
    assert "grafana01" in answer("user", "show", "grafana01")
    assert answer("user", "show", "A9Ovdl8SmP-" * 8).startswith("there is no user (88 characters)")


def test_a_word_of_the_help_for_which_nothing_was_put_is_not_proposed() -> None:
    assert explained(["auth", "show", "<ID>"], MISTAKE) is MISTAKE


def test_several_names_in_one_are_to_be_named_one_by_one() -> None:
    def answer(*argv: str) -> str:
        missing = NotFoundError(kind="bucket", name=argv[-1], existing=["a", "b"], hint="look")
        return str(explained(argv, missing).hint)

    assert answer("auth", "create", "--read-bucket", "a,b").startswith("name them one by one")
    assert answer("auth", "create", "--read-bucket", "c,d") == "look"
    assert answer("auth", "list", "--org", "a.") == "name a without the sign beside it"


def test_an_error_of_another_kind_is_let_through() -> None:
    error = RecoveryError("no", hint="none")
    assert explained(["auth", "list", "—json"], error) is error
