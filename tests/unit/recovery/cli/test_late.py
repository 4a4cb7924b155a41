"""What is put off at a start: the real thing is there at its first use."""

import subprocess

import pytest

from tests.support.source import bare_python

START = (
    "import importlib, sys\n"
    "from recovery.cli.late import MSGSPEC, PATHLIB, import_msgspec, put_off\n"
    "with put_off(PATHLIB): import_msgspec(); import msgspec, pathlib\n"
    "assert not {*PATHLIB, *MSGSPEC} & {*sys.modules}\n"
)


def run(code: str) -> str:
    """Run code in a Python that has imported both packages as the program does."""
    words = bare_python(START + code)
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("print(pathlib.PurePosixPath('/a b').as_uri())", "file:///a%20b"),
        ("print(msgspec.json.schema(int))", "{'type': 'integer'}"),
        ("print(msgspec.json.schema_components([int])[0])", "({'type': 'integer'},)"),
        ("print(msgspec.inspect.type_info(bool))", "BoolType()"),
        ("import platform, uuid; print(platform.system(), uuid._LINUX, uuid.uuid4().version)", ""),
        ("import urllib.parse; print(urllib.parse.urlsplit('a://b').netloc)", "b"),
        ("import typing_extensions; print(typing_extensions.__name__)", "typing_extensions"),
        ("import decimal; print(decimal.Decimal('1.5') * 2)", "3.0"),
        ("import typing; print(typing.ForwardRef('int').__forward_code__.co_names)", "('int',)"),
        ("import datetime; print(datetime.datetime.strptime('2026', '%Y').year)", "2026"),
        ("import datetime as d, pickle; print(pickle.loads(pickle.dumps(d.UTC)))", "UTC"),
        (
            "import datetime as d; print(msgspec.json.decode(b'\"2026-01-31\"', type=d.date))",
            "2026-01-31",
        ),
    ],
)
def test_what_is_put_off_is_there_when_it_is_used(code: str, printed: str) -> None:
    assert run(code) == (printed or "Linux True 4")


def test_what_is_used_meanwhile_is_the_real_thing() -> None:
    code = (
        "with put_off({'colorsys': {}, 'calendar': {}}):\n"
        "    import colorsys; print(colorsys.ONE_THIRD < 1)\n"
        "print(type(sys.modules['colorsys']).__name__)\n"
        "import calendar; print(type(calendar).__name__)"
    )
    assert run(code).split() == ["True", "module", "module"]
