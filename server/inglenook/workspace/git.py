"""What git knows of a workspace folder, read only. A repository's own settings name programs to run; none of them is run.

GitPython starts `git` with the folder's repository named outright (so that no other is found), without the user's and the
system's settings, and with every setting overridden by which a repository makes git run something: hooks, file-system
monitors, filters, diff drivers, transports. A `.git` that is a file or a link (worktrees, submodules) leads elsewhere, and
is not followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio.to_thread

from inglenook.errors import ProcessError, WorkspaceError
from inglenook.workspace.jail import Jail
from inglenook.workspace.paths import JailedPath
from inglenook.workspace.policy import judge

SECONDS = 20.0
MOST_STAGED = 200  # files whose patches are read
MOST_OF_A_PATCH = 100_000  # bytes
_OVERRIDES = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.untrackedCache=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.sshCommand=false",
    "core.gitProxy=",
    "core.alternateRefsCommand=",
    "core.askPass=false",
    "core.editor=false",
    "core.pager=cat",
    "credential.helper=",
    "diff.external=",
    "log.showSignature=false",
    "gpg.program=false",
    "protocol.allow=never",
    "submodule.recurse=false",
    "status.submoduleSummary=false",
    "gc.auto=0",
    "maintenance.auto=false",
)
_DRIVER_KEYS = {"filter": ("clean", "smudge", "process"), "diff": ("command", "textconv"), "merge": ("driver",)}


@dataclass(frozen=True)
class Status:
    """How the folder differs from its last commit. changed: tracked files that were edited, added or deleted, staged or not."""

    changed: tuple[JailedPath, ...]
    untracked: tuple[JailedPath, ...]


@dataclass(frozen=True)
class Staged:
    """What the next commit would hold. names: the files, below their folder, new names of renamed ones; patches: the change of each
    text that may be shown, as `git diff` writes it; withheld: files that are kept from agents, or are none of ours to name. since:
    when the last commit was made, UTC, ISO 8601 ("" before the first)."""

    names: tuple[str, ...] = ()
    patches: tuple[str, ...] = ()
    withheld: int = 0
    since: str = ""


class Git:
    """The repository at the top of one workspace folder, if there is one."""

    def __init__(self, jail: Jail) -> None:
        self._jail = jail

    def is_repository(self) -> bool:
        """Whether the folder itself holds a repository's `.git` folder."""
        there = self._jail.stat(self._jail.inside(".git"))
        head = self._jail.stat(self._jail.inside(".git/HEAD"))
        elsewhere = self._jail.stat(self._jail.inside(".git/commondir"))
        folder = there is not None and there.kind == "dir" and not there.link
        return folder and head is not None and head.kind == "file" and elsewhere is None

    async def head(self) -> str | None:
        """The hash of the last commit; None before the first, and where there is no repository. Raises ProcessError."""
        if not self.is_repository():
            return None
        code, out = await self._run(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])
        return out.decode("ascii", "replace").strip() or None if code == 0 else None

    async def tracked(self) -> tuple[JailedPath, ...]:
        """The files in the index; () where there is no repository. Raises ProcessError, WorkspaceError."""
        if not self.is_repository():
            return ()
        return self._paths((await self._checked(["ls-files", "-z", "--cached"])).split(b"\0"))

    async def status(self) -> Status:
        """Edited and untracked files; nothing where there is no repository. Raises ProcessError, WorkspaceError."""
        if not self.is_repository():
            return Status((), ())
        drivers = await self._drivers()
        command = ["status", "--porcelain=v1", "-z", "--no-renames", "--ignore-submodules=all", "--untracked-files=all"]
        lines = (await self._checked(command, overrides=drivers)).split(b"\0")
        untracked = [line[3:] for line in lines if line.startswith(b"?? ")]
        changed = [line[3:] for line in lines if len(line) > 3 and not line.startswith((b"?? ", b"!! "))]
        return Status(self._paths(changed), self._paths(untracked))

    async def staged(self) -> Staged:
        """What is staged; nothing where there is no repository. Raises ProcessError, WorkspaceError."""
        if not self.is_repository():
            return Staged()
        drivers = await self._drivers()
        diff = ["diff", "--cached", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--ignore-submodules=all"]
        listed = [name for name in (await self._checked([*diff, "--name-only", "-z"], overrides=drivers)).split(b"\0") if name]
        allowed = [path.rel for path in self._paths(listed) if judge(path.rel).readable]
        patches: list[str] = []
        for rel in allowed[:MOST_STAGED]:
            out = await self._checked([*diff, "--src-prefix=a/", "--dst-prefix=b/", "--", rel], overrides=drivers)
            patches.append(out[:MOST_OF_A_PATCH].decode("utf-8", "replace"))
        code, made = await self._run(["show", "--no-patch", "--no-show-signature", "--format=%ct", "HEAD"], overrides=drivers)
        since = datetime.fromtimestamp(int(made), UTC).isoformat(timespec="seconds") if code == 0 and made.strip().isdigit() else ""
        names = tuple(name.decode("utf-8", "replace") for name in listed)
        return Staged(names, tuple(patches), len(listed) - len(allowed), since)

    def _paths(self, names: Sequence[bytes]) -> tuple[JailedPath, ...]:
        """Names from git's output, without those that we do not handle."""
        found: list[JailedPath] = []
        for name in names:
            try:
                found.append(self._jail.inside(name.decode("utf-8")))
            except (UnicodeDecodeError, WorkspaceError):
                continue
        return tuple(found)

    async def _drivers(self) -> list[str]:
        """Overrides for the programs that attributes can call: their names are the repository's own."""
        pattern = f"^({'|'.join(_DRIVER_KEYS)})\\."
        code, out = await self._run(["config", "--null", "--name-only", "--get-regexp", pattern])
        overrides: list[str] = []
        for line in out.split(b"\0") if code == 0 else ():
            section, _, rest = line.decode("utf-8", "surrogateescape").partition(".")
            name = rest.rpartition(".")[0]
            if name and "=" not in name:
                overrides += [f"{section}.{name}.{key}=" for key in _DRIVER_KEYS.get(section, ())]
                overrides += [f"filter.{name}.required=false"] if section == "filter" else []
            elif name:  # git would cut the override at the `=`, and leave the driver alone
                raise WorkspaceError("The repository's settings name a driver with `=` in its name; git is not asked about it.")
        return list(dict.fromkeys(overrides))

    async def _checked(self, command: Sequence[str], *, overrides: Sequence[str] = ()) -> bytes:
        code, out = await self._run(command, overrides=overrides)
        if code != 0:
            raise WorkspaceError(f"git {command[0]} failed in `{self._jail.name}` (status {code}).")
        return out

    async def _run(self, command: Sequence[str], *, overrides: Sequence[str] = ()) -> tuple[int, bytes]:
        return await anyio.to_thread.run_sync(_execute, self._jail.root, tuple(command), tuple(overrides), abandon_on_cancel=True)


def _execute(root: str, command: tuple[str, ...], overrides: tuple[str, ...]) -> tuple[int, bytes]:
    """Run git, bounded in time: its status and its output."""
    git = _gitpython()
    settings = [word for setting in (*_OVERRIDES, *overrides) for word in ("-c", setting)]
    folder = f"{root.rstrip('/')}/.git"
    environment = {
        "GIT_DIR": folder,
        "GIT_COMMON_DIR": folder,
        "GIT_WORK_TREE": root,
        "GIT_INDEX_FILE": f"{folder}/index",
        "GIT_OBJECT_DIRECTORY": f"{folder}/objects",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": "",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_COUNT": "0",
        "GIT_CONFIG_PARAMETERS": "",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_EXTERNAL_DIFF": "",
    }
    try:
        code, out, _ = git.Git(root).execute(
            ["git", "--no-pager", "--no-replace-objects", "--literal-pathspecs", *settings, *command],
            env=environment,
            with_extended_output=True,
            with_exceptions=False,
            stdout_as_string=False,
            strip_newline_in_stdout=False,
            kill_after_timeout=SECONDS,
        )
    except git.exc.GitCommandNotFound:
        raise ProcessError("git is not installed, or not on the PATH.", hint="Install git, or add its folder to the PATH.") from None
    return int(code or 0), bytes(out)


def _gitpython() -> Any:
    """GitPython, which looks for git when it is imported."""
    try:
        import git
    except ImportError as error:
        raise ProcessError("git is not installed, or not on the PATH.", hint="Install git, or add its folder to the PATH.") from error
    return git
