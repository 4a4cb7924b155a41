"""Modules that what we import takes for a part that no start uses.

Lives here: `put_off`, which has such a module loaded at its first use, and `import_msgspec`. Must
not live here: what is ours, which is imported where it is needed.

Invariants: nothing depends on what is put off, or on a package that still imports it: what is
used after all is the real thing, and what nobody imports has no effect. Only msgspec itself takes
no `Decimal` and no `UUID` for one: no record, document or option has any.
"""

import contextlib
import importlib
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType, ModuleType
from typing import Any, Final, TypeAlias

Functions: TypeAlias = Mapping[str, Callable[[], str] | None]
"""What is imported by name, and what stands for it where it is called at once."""

ABSENT: Final = None
"""A module whose importers go without it."""

PATHLIB: Final = MappingProxyType({"urllib.parse": {"quote_from_bytes": None}})
"""For `as_uri`; it brings `ipaddress` along. Python 3.13 does the same itself."""

MSGSPEC: Final[Mapping[str, Functions | None]] = MappingProxyType(
    {
        "msgspec._json_schema": {"schema": None, "schema_components": None},
        "msgspec.inspect": {},
        "decimal": {"Decimal": type("Decimal", (), {})},
        "typing_extensions": ABSENT,  # where that is there, as below starlette; else from typing
        "uuid": {"UUID": type("UUID", (), {}), "SafeUUID": type("SafeUUID", (), {"unknown": 0})},
    }
)


@contextlib.contextmanager
def put_off(modules: Mapping[str, Functions | None]) -> Iterator[None]:
    """Let what is imported meanwhile do without some modules until it uses them.

    All of them together are an eighth of a listing's work, and typing_extensions as much again.

    Args:
        modules: By name, what is imported from it by name; or `ABSENT`.
    """
    stand_ins: dict[str, Any] = {
        name: ABSENT if functions is ABSENT else _Late(name, functions)
        for name, functions in modules.items()
        if name not in sys.modules
    }
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


def import_msgspec() -> None:
    """Import msgspec without what no start needs of it: half as much work, a tenth of a listing's.

    It tries how a type in quotes is compiled, and the first `compile` of a process makes some
    hundred classes for syntax trees. Up to Python 3.11 `datetime` makes each of its classes twice.
    """
    if sys.version_info < (3, 12):
        with contextlib.suppress(ImportError):
            sys.modules.setdefault("datetime", importlib.import_module("_datetime"))
    vars(typing)["compile"] = lambda *_: None
    try:
        with put_off(MSGSPEC):
            importlib.import_module("msgspec")
    finally:
        del vars(typing)["compile"]


class _Late(ModuleType):
    """Stands for a module until something of it is used."""

    def __init__(self, name: str, functions: Functions) -> None:
        super().__init__(name)
        for function, at_once in functions.items():
            setattr(self, function, at_once or self._when_called(function))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 # whatever the module has
        if name.startswith("__"):  # asked by the import itself
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)

    def _when_called(self, name: str) -> Callable[..., Any]:
        def call(*args: object, **options: object) -> object:
            return self.__getattr__(name)(*args, **options)

        return call
