"""`inglenook rollback`: what was accepted here, undone hunk by hunk; `inglenook audit verify`: whether the record of it is whole."""

from __future__ import annotations

import argparse
import sys

import anyio
from rich.console import Console
from rich.text import Text

from inglenook.app.config import environment, load, resolve
from inglenook.app.events import Ended, Proposed, RunEvent
from inglenook.app.keeping import open_ledger
from inglenook.app.runs import Runs
from inglenook.app.services import Services, build
from inglenook.cli import exits
from inglenook.cli.run import Job, folder_of
from inglenook.errors import NothingToDo, WorkspaceError
from inglenook.ledger.disk import folder_for
from inglenook.ledger.verify import verify
from inglenook.proposal.model import FileChange
from inglenook.review.session import Review
from inglenook.review.threeway import in_words, three_ways
from inglenook.terminal import console, said, styled

NOTHING_YET = "Nothing was accepted here yet, so there is nothing to roll back."
FILES = 4  # that a line of the list names


def rollback(options: argparse.Namespace) -> int:
    """Lists the acceptances, or rolls one back like a run's proposal; answers the exit code."""
    out, err = console(sys.stdout), console(sys.stderr)
    return _list(out, _services(options)) if options.list else RollBack(options, out, err).run()


def audit(options: argparse.Namespace) -> int:
    """Reads the whole audit of the folder; 4 if it is not what was written."""
    out, err = console(sys.stdout), console(sys.stderr)
    env = environment()
    folder = folder_for(resolve(load(env), env).state_dir, folder_of(options.folder))
    report = verify(folder)
    for note in report.notes:
        err.print(said("!", note, style="yellow"))
    if report.finding is not None:
        err.print(said("✗", report.finding.words, style="red", hint=f"The records are in {folder}."))
        return exits.CHECKS
    if not report.records:
        out.print(said("·", "Nothing was recorded for this folder yet.", style="yellow"))
        return exits.NOTHING
    counted = f"{report.records:,} record{'s' * (report.records != 1)} in {report.files} file{'s' * (report.files != 1)}"
    out.print(said("✓", f"{counted}: none was changed, dropped or moved.", style="green"))
    return exits.APPLIED


class RollBack(Job):
    """One `inglenook rollback`: the same questions and the same care as for a run's proposal."""

    def run(self) -> int:
        runs = anyio.run(_open, _services(self.options))
        review = runs.roll_back(self.options.id, self._hear)
        return self._finish(runs, review, Ended("", "done", "", proposal_id=review.proposal.id))

    def _apply(self, runs: Runs, review: Review, ids: list[str] | tuple[str, ...], *, whole: bool) -> tuple[int, str]:
        """What does not fit is shown three ways before the rest is written."""
        if not self.options.json and runs.fit(review.proposal.id, ids).stale:
            for change in review.proposal.files:
                for view in three_ways(review, change, self._today(runs, change)):
                    if view.hunk.id in ids:
                        self.out.print(styled(in_words(view, undoes=True)))
        return super()._apply(runs, review, ids, whole=whole)

    @staticmethod
    def _today(runs: Runs, change: FileChange) -> str | None:
        try:
            return runs.today(change.path)
        except WorkspaceError:
            return None

    def _hear(self, event: RunEvent) -> None:
        if isinstance(event, Proposed):
            self.watch.review = event


async def _open(services: Services) -> Runs:
    async with anyio.create_task_group() as group:
        runs = Runs(services, group)
    return runs  # noqa: RET504 - a group may swallow an exception, as types go; so the return stands behind it


def _services(options: argparse.Namespace) -> Services:
    env = environment()
    return build(resolve(load(env), env), [str(folder_of(options.folder))])


def _list(out: Console, services: Services) -> int:
    ledger = open_ledger(services.documents, services.config.state_dir, new_id=services.new_id)
    rows = ledger.listed() if ledger is not None else ()
    if not rows:
        raise NothingToDo(NOTHING_YET)
    undone = {row.undoes: row.id for row in rows if row.undoes}
    for row in rows:
        more = f" and {len(row.files) - FILES} more" if len(row.files) > FILES else ""
        state = "" if row.made else "  it is not known whether this reached the files"
        state += f"  rolled back by {undone[row.id]}" if row.id in undone else ""
        out.print(
            Text.assemble(
                styled(row.id, "cyan"), "  ", styled(row.at[:19].replace("T", " "), "bright_black"), "  ", styled(row.title, "bold")
            )
        )
        out.print(Text.assemble("  ", styled(", ".join(row.files[:FILES]) + more), styled(state, "yellow")))
    return exits.APPLIED
