"""Put the one file together: the launcher, and behind it a zip archive of all that it imports.

Lives here: what goes into the archive, in which form and order. Must not live here: how CPython and
the launcher are built (interpreter.sh), and what happens at the start (launcher.c, start.py).

Invariants: the same inputs give the same bytes: members are sorted, have one date, and hold
bytecode without the paths or dates of this machine. Every file of an installed package goes in but
what no running program reads, so a new template, style sheet or schema needs no word here.

Run by the interpreter that is built in, because bytecode is of its version:
`python bundle.py LAUNCHER STDLIB SITE TARGET`.
"""

import hashlib
import importlib.util
import marshal
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

MEMBER_DATE: Final = (2026, 1, 1, 0, 0, 0)
PACKAGES: Final = ("bolt_store", "recovery")
MADE_FROM: Final = PurePosixPath("made-from")
RECIPES: Final = PurePosixPath("recovery/recipes")
"""Modules in it are handed out and never imported."""
EXTENSIONS: Final = PurePosixPath("extensions")
NOT_READ: Final = (".c", ".h", ".pyi", ".pyx", ".pxd", ".pyc", ".rst")
NOT_IMPORTED: Final = frozenset(
    {
        "__phello__", "ctypes", "curses", "dbm", "ensurepip", "idlelib", "lib2to3", "pydoc_data",
        "test", "tkinter", "turtle.py", "turtledemo", "venv",  # no terminal program, no pip, no C
        "bin", "share", "pip",  # sqlite-utils installs its plug-ins with pip; here are none
        "tzdata",  # sqlite-utils asks dateutil for dates; all times here are UTC
        "RECORD", "direct_url.json", "INSTALLER", "REQUESTED",  # say in which folder it was made
        "__pycache__", "site-packages",
    }
)  # fmt: skip


def members(stdlib: Path, site: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Give what goes into the archive.

    Args:
        stdlib: The folder Lib of the interpreter.
        site: A folder into which the program and its packages were installed.

    Yields:
        Name and content, in the order of the names.
    """
    found = dict(_files(stdlib)) | dict(_files(site))
    found[PurePosixPath("start.py")] = Path(__file__).with_name("start.py")
    for name, path in sorted(found.items()):
        if name.suffix == ".py" and RECIPES not in name.parents:
            yield name.with_suffix(".pyc"), bytecode(name, path.read_bytes())
        elif name.suffix == ".so":
            module = ".".join((*name.parent.parts, name.name.partition(".")[0]))
            yield EXTENSIONS / f"{module}.so", path.read_bytes()
        else:
            yield name, path.read_bytes()
    yield MADE_FROM, digest_of(site).encode()


def digest_of(folder: Path) -> str:
    """Say from which sources a bundle was made.

    Args:
        folder: Where the packages of the program are.

    Returns:
        A SHA-256 over the names and contents of their files, in hexadecimal.
    """
    digest = hashlib.sha256()
    for name, path in sorted(_files(folder)):
        if name.parts[0] in PACKAGES:
            content = path.read_bytes()
            digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def bytecode(name: PurePosixPath, source: bytes) -> bytes:
    """Compile a module as zipimport reads it.

    Args:
        name: Its name in the archive, which tracebacks will show.
        source: Its text.

    Returns:
        The content of a .pyc that is never compared with its source.
    """
    code = compile(source, str(name), "exec", dont_inherit=True)
    is_hash_unchecked = (1).to_bytes(4, "little")
    return (
        importlib.util.MAGIC_NUMBER
        + is_hash_unchecked
        + importlib.util.source_hash(source)
        + marshal.dumps(code)
    )


def _files(folder: Path) -> Iterator[tuple[PurePosixPath, Path]]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in NOT_IMPORTED]
        for name in names:
            path = Path(place, name)
            if name not in NOT_IMPORTED and path.suffix not in NOT_READ:
                yield PurePosixPath(path.relative_to(folder)), path


def main(argv: list[str]) -> None:
    """Write the file.

    Args:
        argv: The launcher, the folders of the standard library and of the packages, the target.
    """
    launcher, stdlib, site, target = map(Path, argv)
    made = target.with_suffix(".new")  # somebody may be running the one before
    made.write_bytes(launcher.read_bytes())
    with zipfile.ZipFile(made, "a") as archive:
        for name, content in members(stdlib, site):
            member = zipfile.ZipInfo(str(name), MEMBER_DATE)
            member.external_attr = 0o644 << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, content, compresslevel=9)
    made.chmod(0o755)
    made.replace(target)


if __name__ == "__main__":
    main(sys.argv[1:])
