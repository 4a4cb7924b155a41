"""The first module that the one file runs: it makes extension modules importable, and starts.

Lives here: how a compiled module is loaded out of the archive. Must not live here: what the program
does, which is `recovery`.

Invariants: nothing is written to a disk where the kernel has memory files, so a machine whose disks
are full, read-only or mounted without execution can still be helped. Where it has none (before
Linux 3.17, without /proc, or forbidden), a private file in TMPDIR takes the place, and is gone
before its module is first used.
"""

import importlib.machinery
import memory_file
import os
import sys
import zipimport
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from types import ModuleType

_ARCHIVE = zipimport.zipimporter(sys.executable)
_FOLDER = os.path.join(sys.executable, "extensions")


class _Loader(ExtensionFileLoader):
    """Loads one compiled module from its bytes."""

    def __init__(self, name: str, content: bytes) -> None:
        super().__init__(name, os.path.join(_FOLDER, f"{name}.so"))
        self._content = content

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        with _file_with(spec.name, self._content) as path:
            return ExtensionFileLoader(spec.name, path).create_module(
                importlib.machinery.ModuleSpec(spec.name, None, origin=path)
            )


class ExtensionFinder:
    """Finds compiled modules in the archive; asked last, so only for what nobody else has."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Say how a module is loaded; None where it is not one of these.

        Args:
            name: Its full name.
            path: Where its package is.
            target: A module to be loaded again, which does not happen here.
        """
        del path, target
        try:
            content = _ARCHIVE.get_data(os.path.join(_FOLDER, f"{name}.so"))
        except OSError:
            return None
        loader = _Loader(name, content)
        return importlib.machinery.ModuleSpec(name, loader, origin=loader.path)


@contextmanager
def _file_with(name: str, content: bytes) -> Iterator[str]:
    """Give a path that dlopen can read the bytes from.

    A memory file stays open until the program ends: its path has its number, and dlopen takes a
    second library of the same path for the first one.
    """
    try:
        memory = memory_file.create(name)
        path = f"/proc/self/fd/{memory}"
        os.stat(path)
    except OSError:
        with _private_file(content) as path:
            yield path
        return
    with open(memory, "wb", closefd=False) as file:
        file.write(content)
    yield path


@contextmanager
def _private_file(content: bytes) -> Iterator[str]:
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile(suffix=".so") as file:
        file.write(content)
        file.flush()
        yield file.name


sys.meta_path.append(ExtensionFinder)
sys.frozen = True

from recovery.__main__ import run

run()
