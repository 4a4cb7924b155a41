"""How many small mistakes in the code do the tests notice?

Run on demand: `python -m tests.bench.mutation` for all of `TARGETS`, or with modules and tests of
your own: `python -m tests.bench.mutation recovery/model/standing.py tests/unit/recovery/model`.

Lives here: the mistakes, and a driver that plays them one by one. Each is made in the syntax tree
and never in a file: a process is forked off, which has the test runner loaded and nothing of ours,
compiles the changed tree in place of the module, and runs the tests until the first one fails. A
mutant that no test fails on survives, and is printed; one that runs too long counts as noticed.
Mutants that mean the same as the original are not told apart: a rate of 100 % cannot be reached.
"""

import argparse
import ast
import copy
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Final

import hypothesis  # noqa: F401 # loaded before the fork, so that each child has it for nothing
import msgspec  # noqa: F401 # as above
import pytest

PROJECT: Final = Path(__file__).parents[2]
TESTS: Final = "tests/unit/recovery"
MODEL: Final = f"{TESTS}/model"
SERVICES: Final = f"{TESTS}/services"
TARGETS: Final[dict[str, tuple[str, ...]]] = {
    "recovery/model/standing.py": (f"{MODEL}/test_standing.py", f"{SERVICES}/test_access.py"),
    "recovery/model/permission.py": (
        f"{MODEL}/test_permission.py",
        "tests/property/test_permission.py",
        f"{SERVICES}/authorizations/test_listing.py",
    ),
    "recovery/services/changes": (f"{SERVICES}/changes", f"{SERVICES}/test_session.py"),
    "recovery/services/authorizations": (f"{SERVICES}/authorizations", f"{SERVICES}/changes"),
    "recovery/services/tenancy": (f"{SERVICES}/tenancy", f"{SERVICES}/changes"),
}
PATIENCE_S: Final = 120
"""Of the processor, for all tests of a mutant."""
WAITS_MAX: Final = 4
"""So many times the time of the tests as they are may a mutant take, and this much besides:"""
WAIT_S: Final = 10
SURVIVED: Final = 0

_SWAPS: Final[dict[type[ast.AST], type[ast.AST]]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_NAMES: Final = {"any": "all", "all": "any", "min": "max", "max": "min"}
_BLOCKS: Final = ("body", "orelse", "finalbody")


def mutants(tree: ast.Module) -> Iterator[tuple[str, ast.Module]]:
    """Make every mistake once.

    Args:
        tree: A module.

    Yields:
        Where and what, and the whole module with that one mistake.
    """
    nodes = list(_code(tree))
    for index, node in enumerate(nodes):
        for number, _ in enumerate(_mistakes(copy.deepcopy(node))):
            other = copy.deepcopy(tree)
            place = list(_code(other))[index]
            for at, name in enumerate(_mistakes(place)):
                if at == number:
                    yield f"{getattr(node, 'lineno', 0)}: {name}", ast.fix_missing_locations(other)
                    break


def _code(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk through what is carried out.

    No docstrings, annotations and decorators, no words of f-strings, no arguments of a class such
    as `frozen`.
    """
    yield tree
    for name, field in ast.iter_fields(tree):
        is_manner = name == "keywords" and isinstance(tree, ast.ClassDef)
        if (
            name in {"annotation", "returns", "decorator_list"}
            or is_manner
            or isinstance(tree, ast.JoinedStr)
        ):
            continue
        for child in field if isinstance(field, list) else [field]:
            is_prose = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            if isinstance(child, ast.AST) and not is_prose:
                yield from _code(child)


def _mistakes(node: ast.AST) -> Iterator[str]:
    """Make the mistakes that are possible at one place, one after the other, each for a moment."""
    match node:
        case ast.Compare(ops=[op, *_]) if type(op) in _SWAPS:
            node.ops = [_SWAPS[type(op)](), *node.ops[1:]]  # type: ignore[list-item] # an operator
            yield f"{type(op).__name__} became {type(node.ops[0]).__name__}"
        case ast.BoolOp(op=op) | ast.BinOp(op=op) if type(op) in _SWAPS:
            node.op = _SWAPS[type(op)]()  # type: ignore[assignment] # as above
            yield f"{type(op).__name__} became {type(node.op).__name__}"
        case ast.UnaryOp(op=ast.Not()):
            node.op = ast.UAdd()
            node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])
            yield "not was forgotten"
        case ast.Constant(value=bool() as value):
            node.value = not value
            yield f"{value} became {not value}"
        case ast.Constant(value=int() as value):
            node.value = value + 1
            yield f"{value} became {value + 1}"
        case ast.Constant(value=str() as value) if " " not in value:
            node.value = f"{value}~"
            yield f"{value[:30]!r} got a ~"
        case ast.Name(id=name) if name in _NAMES:
            node.id = _NAMES[name]
            yield f"{name} became {node.id}"
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            node.value = ast.Constant(None)
            yield "nothing is returned"
        case ast.If(test=test) | ast.IfExp(test=test):
            node.test = ast.Constant(value=True)
            yield "if became if True"
            node.test = ast.Constant(value=False)
            yield "if became if False"
            node.test = test
        case _:
            pass
    yield from _omissions(node)


def _omissions(node: ast.AST) -> Iterator[str]:
    """Leave out statements, each for a moment."""
    for name in _BLOCKS:
        block = getattr(node, name, None)
        if isinstance(node, ast.Module | ast.ClassDef) or not isinstance(block, list):
            continue
        for index, statement in enumerate(block):
            is_call = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
            if is_call or isinstance(statement, ast.AugAssign | ast.Raise | ast.Continue):
                block[index] = ast.Pass()
                yield f"line {statement.lineno} was forgotten"
                block[index] = statement


class _Changed(SourceLoader, MetaPathFinder):  # type: ignore[misc] # typeshed's two bases differ
    """Gives the changed module wherever the module is imported."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self._name, self._path, self._tree = name, path, tree

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Say that the module comes from here."""
        return spec_from_loader(fullname, self) if fullname == self._name else None

    def get_filename(self, fullname: str) -> str:  # noqa: ARG002 # there is only one
        """Say where the module comes from, for tracebacks."""
        return str(self._path)

    def get_data(self, path: str) -> bytes:
        return Path(path).read_bytes()

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._tree, self._path, "exec"), module.__dict__)  # noqa: S102 # its purpose


def is_noticed(
    path: Path, tree: ast.Module, tests: Sequence[str], wait_s: int = 10 * PATIENCE_S
) -> bool:
    """Run the tests on a changed module, in a process of its own.

    Args:
        path: The module.
        tree: What it became.
        tests: Files and folders of tests.
        wait_s: How long all of it may take, in seconds of the clock.

    Returns:
        Whether a test failed, or all of it took too long.
    """
    child = os.fork()
    if not child:
        signal.setitimer(signal.ITIMER_PROF, PATIENCE_S)  # a busy machine notices no mistake
        signal.alarm(wait_s)  # what waits for ever takes no time of the processor
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        parts = path.relative_to(PROJECT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        sys.meta_path.insert(0, _Changed(name, path, tree))
        options = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
        options += [
            "--timeout=0",
            "-W",
            "ignore::pytest.PytestAssertRewriteWarning",
        ]  # of what is loaded already
        os._exit(int(pytest.main([*options, *tests])))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) != SURVIVED


def measure(target: Path, tests: Sequence[str]) -> tuple[int, int]:
    """Play all mistakes in a module or folder, and print those that nobody notices.

    Args:
        target: The module or folder.
        tests: Files and folders of tests.

    Returns:
        How many mistakes were noticed, and how many were made.
    """
    noticed = made = 0
    for path in [target] if target.is_file() else sorted(target.rglob("*.py")):
        tree = ast.parse(path.read_bytes())
        is_imported = is_noticed(path, ast.parse("raise ImportError"), tests)
        start = time.monotonic()
        if not is_imported or is_noticed(path, tree, tests):
            raise SystemExit(f"the tests do not import {path}, or fail on it as it is")
        wait_s = WAIT_S + WAITS_MAX * round(time.monotonic() - start)
        for what, mutant in mutants(tree):
            made += 1
            if is_noticed(path, mutant, tests, wait_s):
                noticed += 1
            else:
                print(f"{path.relative_to(PROJECT)}:{what}", flush=True)
    return noticed, made


def main() -> None:
    """Measure what the command line names, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("module", nargs="?", help="a module or folder (default: all TARGETS)")
    parser.add_argument("tests", nargs="*", help="its tests (default: those of TARGETS)")
    found = parser.parse_args()
    os.chdir(PROJECT)
    targets = TARGETS if found.module is None else {found.module: tuple(found.tests)}
    for name, tests in targets.items():
        start = time.monotonic()
        noticed, made = measure(PROJECT / name, tests or TARGETS[name])
        took_s = time.monotonic() - start
        rate = noticed / made if made else 1.0  # a module of types alone has nothing to mistake
        print(f"{name}: {noticed} of {made} noticed, {rate:.1%}, in {took_s:.0f} s")


if __name__ == "__main__":
    main()
