"""Headless writing: all edits of a fitting or none, bytes kept, and nobody else's work taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inglenook.app.writing import write_all
from inglenook.errors import FileExists, FileMissing, InglenookError, StaleError
from inglenook.review.fitting import CreateFile, DeleteFile, RenameFile, TextEdit
from inglenook.review.ground import Span
from inglenook.workspace.documents import Documents
from inglenook.workspace.jail import Jail


class Place:
    """A workspace of one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.documents = Documents([Jail(str(root), name="w")])

    def put(self, name: str, data: bytes) -> None:
        (self.root / name).write_bytes(data)

    def text(self, name: str, new: str, *, line: int = 0) -> TextEdit:
        path = self.documents.admit(name)
        return TextEdit(path, self.documents.read(path).text, (Span(line, line + 1, (new,), "h1"),))

    def create(self, name: str, text: str) -> CreateFile:
        return CreateFile(self.documents.admit(name), text, "h2")

    def delete(self, name: str) -> DeleteFile:
        path = self.documents.admit(name)
        return DeleteFile(path, self.documents.read(path).text, "h3")

    def rename(self, name: str, to: str) -> RenameFile:
        return RenameFile(self.documents.admit(name), self.documents.admit(to), "h4")

    def bytes(self) -> dict[str, bytes]:
        return {p.relative_to(self.root).as_posix(): p.read_bytes() for p in sorted(self.root.rglob("*")) if p.is_file()}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_every_kind_of_edit_is_written(place: Place) -> None:
    place.put("bom.py", b"\xef\xbb\xbfone\r\ntwo\r\n")
    place.put("old.py", b"x\n")
    place.put("gone.py", b"y\n")
    write_all(
        place.documents,
        [place.text("bom.py", "ONE\r\n"), place.create("new/deep/n.py", "n"), place.rename("old.py", "moved.py"), place.delete("gone.py")],
    )
    assert place.bytes() == {"bom.py": b"\xef\xbb\xbfONE\r\ntwo\r\n", "moved.py": b"x\n", "new/deep/n.py": b"n"}


def test_a_file_that_changed_leaves_all_files_untouched(place: Place) -> None:
    place.put("a.py", b"a\n")
    place.put("b.py", b"b\n")
    edits = [place.text("a.py", "A\n"), place.text("b.py", "B\n")]
    place.put("b.py", b"mine\n")
    before = (place.root / "a.py").stat()
    with pytest.raises(StaleError, match=r"b\.py"):
        write_all(place.documents, edits)
    after = (place.root / "a.py").stat()
    assert place.bytes() == {"a.py": b"a\n", "b.py": b"mine\n"}
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_was_written_is_taken_back_when_a_later_edit_fails(place: Place) -> None:
    place.put("bom.py", b"\xef\xbb\xbfone\r\ntwo")
    place.put("old.py", b"x\n")
    place.put("there.py", b"already\n")
    edits: list[Any] = [place.text("bom.py", "ONE\r\n"), place.rename("old.py", "moved.py"), place.create("n.py", "n")]
    edits.append(CreateFile(place.documents.admit("there.py"), "other", "h9"))
    before = place.bytes()
    with pytest.raises(InglenookError) as caught:
        write_all(place.documents, edits)
    assert "there.py" in str(caught.value)
    assert place.bytes() == before


def test_a_deleted_file_comes_back_with_its_bom(place: Place) -> None:
    place.put("there.py", b"already\n")
    place.put("gone.py", b"\xef\xbb\xbfy\n")
    blocker = CreateFile(place.documents.admit("gone.py"), "again", "h8")  # its place is wanted, so it is deleted first
    edits = [place.delete("gone.py"), blocker, CreateFile(place.documents.admit("there.py"), "other", "h9")]
    before = place.bytes()
    with pytest.raises(InglenookError):
        write_all(place.documents, edits)
    assert place.bytes() == before


def test_work_of_somebody_else_is_not_taken_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.put("a.py", b"a\n")
    place.put("there.py", b"already\n")
    edits = [place.text("a.py", "A\n"), CreateFile(place.documents.admit("there.py"), "other", "h9")]
    written = place.documents.write

    def write_and_meddle(path: Any, text: str, *, expect: str | None) -> None:
        written(path, text, expect=expect)
        if path.rel == "a.py":
            place.put("a.py", b"A\nand more of mine\n")

    monkeypatch.setattr(place.documents, "write", write_and_meddle)
    with pytest.raises(StaleError, match="1 of the files written before could not be taken back"):
        write_all(place.documents, edits)
    assert place.bytes()["a.py"] == b"A\nand more of mine\n"


def test_a_file_may_move_to_where_one_was_deleted(place: Place) -> None:
    place.put("a.py", b"a\n")
    place.put("b.py", b"b\n")
    write_all(place.documents, [place.delete("b.py"), place.rename("a.py", "b.py")])
    assert place.bytes() == {"b.py": b"a\n"}


def test_a_file_that_vanished_is_told(place: Place) -> None:
    place.put("a.py", b"a\n")
    edits = [place.text("a.py", "A\n")]
    (place.root / "a.py").unlink()
    with pytest.raises((FileMissing, StaleError), match=r"a\.py"):
        write_all(place.documents, edits)


def test_an_existing_file_is_never_created_over(place: Place) -> None:
    place.put("a.py", b"a\n")
    with pytest.raises((FileExists, StaleError)):
        write_all(place.documents, [CreateFile(place.documents.admit("a.py"), "b", "h1")])
    assert place.bytes() == {"a.py": b"a\n"}
