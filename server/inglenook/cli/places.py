"""What the paths of a command line name: files and folders of the workspace, perhaps with lines behind them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from inglenook.agents.port import Focus
from inglenook.app.services import Services
from inglenook.errors import FileMissing, InputError
from inglenook.proposal.diff import lines as lines_of
from inglenook.workspace.grants import Place, place_of
from inglenook.workspace.paths import JailedPath

LINES = re.compile(r"(?P<file>.+):(?P<first>\d{1,18})(?:-(?P<last>\d{1,18}))?")
LOOKED_FOR = "Paths are looked for from here, then in the workspace folder."
COUNTED = "Lines count from 1: FILE:12 or FILE:12-30."

Say = Callable[[str], None]


def focuses_of(services: Services, words: Sequence[str], say: Say) -> tuple[Focus, ...]:
    """The files and folders that are named; the workspace folder itself is left out, since it is meant anyway. say: hears of lines
    that the file does not have. InputError, FileMissing, OutsideWorkspace."""
    found = [focus for focus in (_focus(services, word, say) for word in words) if focus is not None]
    if len(found) > 1 and (chosen := [focus for focus in found if focus.first is not None]):
        words_ = f"Lines of {chosen[0].path.shown} are named, and other files or folders too."
        raise InputError(words_, hint="Name that file alone; or leave the lines away.")
    return tuple(found)


def places_of(services: Services, words: Sequence[str]) -> tuple[Place, ...]:
    """What `--only` names, as places to grant; none for the whole folder. InputError, FileMissing, OutsideWorkspace."""
    named = [_named(services, word.rstrip("/") or word) for word in words]
    if any(lines is not None for _, lines in named):
        raise InputError("--only takes files and folders, not lines of them.", hint="Lines go behind a path of the task.")
    return () if any(path is None for path, _ in named) else tuple(place_of(services.documents, path) for path, _ in named if path)


def _focus(services: Services, word: str, say: Say) -> Focus | None:
    path, lines = _named(services, word)
    if lines is None:
        return Focus(path) if path is not None else None
    if path is None or services.documents.kind(path) != "file":
        raise InputError(f"{word} names lines of a folder.", hint="Lines go behind a file: FILE:12-30.")
    first, last = lines
    count = max(1, len(lines_of(services.documents.read(path).text)))
    if first >= count:
        has = f"{count:,} line{'s' * (count != 1)}"
        raise InputError(f"{path.shown} has only {has}; line {first + 1:,} is beyond its end.", hint=COUNTED)
    if last > count:
        say(f"{path.shown} ends with line {count:,}, so lines {first + 1:,}-{count:,} are meant.")
    return Focus(path, first, min(last, count))


def _named(services: Services, word: str) -> tuple[JailedPath | None, tuple[int, int] | None]:
    """A path (None: the workspace folder) and the 0-based lines behind it, the last excluded."""
    if not word:
        raise InputError("A path is empty.", hint="`.` is the folder that you are in.")
    lines = None
    found = LINES.fullmatch(word)
    if found and not Path(word).exists():
        word, first = found["file"], int(found["first"]) - 1
        last = int(found["last"] or found["first"])
        if first < 0 or last <= first:
            raise InputError(f"{found[0]} names no lines.", hint=COUNTED)
        lines = first, last
    place = Path(word).absolute()
    if not Path(word).exists():  # as the paths that we show are written: below the workspace folder
        place = next((there for jail in services.documents.folders if (there := Path(jail.root, word)).exists()), place)
    if any(place.resolve() == Path(jail.root).resolve() for jail in services.documents.folders):
        return None, lines
    path = services.documents.place(str(place))
    if services.documents.kind(path) is None:
        if Path(word).is_symlink():
            raise FileMissing(f"{word} is a link out of the folder, or to nothing.", hint="No link out of the folder is ever followed.")
        hint = f'The task is said first: inglenook run "{word}" PATH' if " " in word else LOOKED_FOR
        raise FileMissing(f"There is no file or folder {word}.", hint=hint)
    return path, lines
