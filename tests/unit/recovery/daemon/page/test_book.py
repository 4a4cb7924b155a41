"""What takes long is found out beside the thread of the store, and never of two states."""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from bolt_store.errors import DBClosedError
from recovery.daemon.page.book import TRIES_MAX, Book, NotYetKnown
from recovery.daemon.worker import Worker
from recovery.model.ids import Id
from recovery.services.session import Session
from tests.support.stores import make_store

if TYPE_CHECKING:
    from recovery.daemon.call import Desk


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    with Session.open(made.path, write=True) as session:
        yield session


@pytest.fixture
def book(session: Session) -> Iterator[Book]:
    worker = Worker()
    book = Book(cast("Desk", SimpleNamespace(session=session)), worker)
    book.is_patient = True
    yield book
    book.close()
    worker.close()


def names(session: Session) -> tuple[list[str], int]:
    with session.view() as view:
        return [one.name for one in view.tx.users.walk([])], threading.get_ident()


def asked(book: Book, *, is_long: bool = True) -> tuple[list[str], int]:
    return book.beside("names", "Looking", names, is_long=is_long)


def waited(book: Book) -> None:
    with pytest.raises(NotYetKnown) as raised:
        asked(book)
    raised.value.future.result(timeout=20)


def test_it_is_found_out_on_another_thread_and_kept(session: Session, book: Book) -> None:
    waited(book)
    found, thread = asked(book)
    assert (found, asked(book)) == (names(session)[0], (found, thread))
    assert thread != threading.get_ident()


def test_what_may_hold_a_secret_is_given_once_and_kept_for_nobody(book: Book) -> None:
    waited(book)
    for _ in range(2):
        found = book.beside("names", "Looking", names, is_long=True, is_for_once=True)
        assert found[1] != threading.get_ident()
        waited(book)
    book.forget()
    waited(book)


def test_what_is_short_or_asked_for_by_a_form_is_found_out_at_once(book: Book) -> None:
    assert asked(book, is_long=False)[1] == threading.get_ident()
    book.is_patient = False
    assert asked(book)[1] == threading.get_ident()


def test_a_change_meanwhile_makes_it_be_found_out_again_and_in_the_end_at_once(
    session: Session, book: Book
) -> None:
    for number in range(TRIES_MAX):
        waited(book)
        with session.store.update() as tx:
            tx.users.insert(Id(f"{number + 1:016x}"), f"new{number}")
    found, thread = asked(book)
    assert thread == threading.get_ident()
    assert found == names(session)[0]


def test_at_the_end_it_is_given_up(book: Book) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(one: Session) -> object:
        begun.set()
        go_on.wait(20)
        return names(one)

    with pytest.raises(NotYetKnown) as raised:
        book.beside("slow", "Looking", slow, is_long=True)
    assert begun.wait(20)
    book.close()
    go_on.set()
    with pytest.raises(DBClosedError):
        raised.value.future.result(timeout=20)
