"""The declared checks of a run: what there is to run, the verdict on a draft, and its way back to the agent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from inglenook.agents.desk import Checks
from inglenook.errors import InglenookError, InputError, SandboxUnavailable
from inglenook.proposal.model import CheckResult, FileChange, Verdict

if TYPE_CHECKING:
    from inglenook.app.run import Run
    from inglenook.app.services import Services
    from inglenook.proposal.draft import Draft
    from inglenook.sandbox import Sandbox
    from inglenook.verify import Check
    from inglenook.workspace.paths import JailedPath

OFF = "The checks are switched off in the settings, so none were run."
NONE = "No checks are declared in .inglenook/checks.toml, so none were run."
TOGETHER = "What else waits of the earlier proposal was laid on too."
LATE = "The time of this run is over; no check is run any more."


class Checking:
    """Runs the checks that the user declared, and remembers what they said, so that the same texts are not checked twice."""

    def __init__(self, services: Services, run: Run) -> None:
        self._services = services
        self._run = run
        self._ends = services.clock() + services.config.limits.seconds
        self._checks: dict[str, Check] = {}
        self._sandbox: Sandbox | None = None
        self._why_not = self._look()
        self._texts: Mapping[JailedPath, str | None] = {}
        self._known: dict[Check, CheckResult] = {}
        self._verdict: Verdict | None = None

    def _look(self) -> str:
        """Finds the checks and the walls for them; answers why none can be run, "" if they can."""
        if not self._services.config.checks:
            return OFF
        from inglenook import verify

        try:
            self._checks = verify.by_name(verify.declared(self._services.documents))
            if not self._checks:
                return NONE
            self._sandbox = self._services.sandbox()
        except SandboxUnavailable as error:
            return f"The checks were not run: {error}"
        except InglenookError as error:
            return f"The checks cannot be used: {error}"
        return ""

    def back_to_the_agent(self) -> Callable[[Draft], Awaitable[str]] | None:
        """For the agent's desk: words on what its draft breaks, "" if nothing. None if no check can be run at all."""
        return None if self._why_not else self._repair

    def for_the_agent(self) -> Checks | None:
        """For the agent's desk: the checks that it may run by name. None if no check can be run at all."""
        return None if self._why_not else Checks(tuple(self._checks), self._run_one)

    async def verdict(self, files: tuple[FileChange, ...]) -> Verdict:
        """What the checks say about these files, in a sandboxed copy; "not_run" with the reason if they cannot be run."""
        if self._why_not or self._sandbox is None:
            return Verdict("not_run", self._why_not)
        self._about(files)
        if self._verdict is None:
            self._run.phase("checking", f"Running in the sandbox: {', '.join(self._checks)}")
            verdict = await self._verify(files, tuple(self._checks.values()))
            if not verdict.checks:
                return verdict
            if self._together(files) != files:
                verdict = replace(verdict, words=f"{verdict.words} {TOGETHER}")
            self._known = dict(zip(self._checks.values(), verdict.checks, strict=True))
            self._verdict = verdict
        return self._verdict

    def _about(self, files: tuple[FileChange, ...]) -> None:
        """What was said of other texts is forgotten."""
        from inglenook.verify.running import overlay_of

        if (texts := overlay_of(files)) != self._texts:
            self._texts, self._known, self._verdict = texts, {}, None

    async def _verify(self, files: tuple[FileChange, ...], checks: tuple[Check, ...]) -> Verdict:
        from inglenook.verify import verify

        services = self._services
        try:
            return await verify(
                self._together(files),
                checks,
                services.documents,
                services.search,
                self._sandbox,
                tell=self._tell,
                search_path=services.config.path,
                known=self._known,
                scratches=services.scratches,
            )
        except InglenookError as error:
            return Verdict("not_run", f"The checks could not be run: {error}")

    def _together(self, files: tuple[FileChange, ...]) -> tuple[FileChange, ...]:
        """The same with what is to be checked beside it, as far as that can be laid on."""
        try:
            return self._run.beside(files) if self._run.beside is not None else files
        except InglenookError:
            return files

    async def _repair(self, draft: Draft) -> str:
        from inglenook.verify import repair_words

        files = draft.changes()
        if not files:
            return ""
        words = repair_words(await self.verdict(files))
        self._run.phase("working", repair=bool(words))
        return words

    async def _run_one(self, draft: Draft, name: str, tests: str) -> tuple[bool, str]:
        """One check for the agent, all of it or single tests, within the time that the run has left. InputError."""
        from inglenook.verify import answer_words, checked, written

        check, files = self._checks[name], draft.changes()
        ids = checked(written(tests), check.argv, lambda path: self._place(draft, check, path))
        left = self._ends - self._services.clock()
        if left <= 0:
            raise InputError(LATE)
        self._about(files)
        asked = replace(check, argv=(*check.argv, *ids), seconds=min(check.seconds, left))
        self._run.phase("checking", f"Running in the sandbox: {name}{' ' * bool(ids)}{' '.join(ids)}"[:200])
        verdict = await self._verify(files, (asked,))
        self._run.phase("working")
        if not verdict.checks:
            return True, verdict.words
        (result,) = verdict.checks
        if asked == check or (not ids and result.state == "passed"):
            self._known[check] = result
        return not result.new, answer_words(result)

    def _place(self, draft: Draft, check: Check, words: str) -> str:
        """The path of a file in the draft or the workspace, as the folder of the check knows it; "" if there is none."""
        path = self._services.documents.admit(words, change=False)
        return path.rel if path.folder == check.folder and draft.text(path) is not None else ""

    def _tell(self, words: str) -> None:
        self._run.phase("checking", words)
