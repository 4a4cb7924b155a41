"""The project's own files, as the tests of its architecture see them."""

import ast
import site
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("bolt_store", "recovery")
_FOLDERS: Final = (*PACKAGES, "tests", "man", "distribution", ".ci")
_FILES: Final = ("README.md", "pyproject.toml", "LICENSE", ".pre-commit-config.yaml", ".gitignore")
_TEXT: Final = {".py", ".md", ".toml", ".inc", ".8", ".go", ".txt", ".yaml", ".sh", ".c", ""}


def modules(*packages: str) -> Iterator[tuple[str, Path]]:
    """Give the name and the file of each module."""
    for package in packages or PACKAGES:
        for path in sorted((PROJECT / package).rglob("*.py")):
            parts = path.relative_to(PROJECT).with_suffix("").parts
            if "recipes" in parts[:-1]:  # handed out, never imported
                continue
            yield ".".join(part for part in parts if part != "__init__"), path


def text_files() -> Iterator[Path]:
    """Give every file of ours that holds text."""
    for folder in _FOLDERS:
        for path in sorted((PROJECT / folder).rglob("*")):
            if path.is_file() and path.suffix in _TEXT and not _is_built(path):
                yield path
    yield from (PROJECT / name for name in _FILES if (PROJECT / name).exists())


def scopes(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Give each node of a module with the dotted name of the function or class around it."""
    stack: list[tuple[str, ast.AST]] = [("", ast.parse(path.read_text()))]
    while stack:
        scope, node = stack.pop()
        yield scope, node
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            scope = f"{scope}.{node.name}".lstrip(".")
        stack += [(scope, child) for child in ast.iter_child_nodes(node)]


def _is_built(path: Path) -> bool:
    return "__pycache__" in path.parts or path.parent.name == "bin"


def bare_python(code: str) -> tuple[str, ...]:
    """Return a command line that runs code where an installed package would be.

    What makes an editable installation imports a lot before the first line of ours.
    """
    paths = [str(PROJECT), *site.getsitepackages()]
    return (sys.executable, "-S", "-c", f"import sys; sys.path += {paths!r}\n{code}")
