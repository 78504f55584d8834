"""`inglenook run`: one task in one folder, from the words to what is written, or why nothing is."""

from __future__ import annotations

import argparse
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from rich.console import Console

from inglenook.agents.port import Gate, OutlinePolicy, Task
from inglenook.app.config import Config, environment, load, resolve
from inglenook.app.events import Ended
from inglenook.app.runs import Runs
from inglenook.app.services import Services, build
from inglenook.cli import exits
from inglenook.cli.asking import AskingGate, HunkByHunk, OpenGate
from inglenook.cli.consenting import consent_of
from inglenook.cli.keeping import log_to
from inglenook.cli.places import Say, focuses_of, places_of
from inglenook.cli.report import as_json, show_answer, show_proposal, show_verdict
from inglenook.cli.watching import Watch
from inglenook.errors import ConfigError, FileExists, FileMissing, InglenookError, InputError, LedgerError, StaleError, WorkspaceError
from inglenook.terminal import Line, console, live, said, stopping_at_signals
from inglenook.workspace.grants import Place

if TYPE_CHECKING:
    from inglenook.review.fitting import Fitting
    from inglenook.review.session import Review

HOSTS = "HOST, USER@HOST, HOST:PORT with the port of the model server there, [IPV6]:PORT, or ssh://HOST:PORT with the port of ssh."
NO_TERMINAL = "Nothing was written: there is no terminal to ask on. Use --yes to accept all of it, or --dry-run to look only."


def command(options: argparse.Namespace) -> int:
    """Does the task; answers the exit code."""
    out, err = console(sys.stdout), console(sys.stderr)
    job = Job(options, out, err)
    try:
        return job.run()
    except KeyboardInterrupt:
        if not job.written:
            raise
        err.print(said("!", "Interrupted after everything was written.", style="yellow"))
        return exits.APPLIED
    except InglenookError as error:
        code = exits.of_error(error)
        if not options.json:
            raise
        print(as_json(Ended("", "failed", error.message, error.hint, error.code), None, job.watch, (), code))
        return code


class Job:
    """One `inglenook run`."""

    def __init__(self, options: argparse.Namespace, out: Console, err: Console) -> None:
        self.options, self.out, self.err = options, out, err
        self.log = Path()
        self.written = False
        self.watch = Watch(None if options.json else err, Line(time.monotonic, time.monotonic()))
        self.asks = sys.stdin.isatty() and out.is_terminal and err.is_terminal and not (options.json or options.yes or options.dry_run)

    def run(self) -> int:
        config = configured(self.options)
        self.log = log_to(config.state_dir)
        services = build(config, [str(folder_of(self.options.folder))])
        task = task_of(services, self.options, self._note)
        only = places_of(services, self.options.only)
        runs, ended = anyio.run(self._work, services, task, only)
        review = self.watch.review.review if self.watch.review else None
        if review is None:
            return self._nothing_to_review(ended)
        if self.options.json:
            return self._finish_silently(runs, review, ended)
        return self._finish(runs, review, ended)

    async def _work(self, services: Services, task: Task, only: tuple[Place, ...]) -> tuple[Runs, Ended]:
        policy: OutlinePolicy | None = self.options.outline
        gate: Gate = AskingGate(self.err, self.watch) if self.asks else OpenGate(self.watch)
        consent = consent_of(self.options, self.err, self.watch, asks=self.asks)
        async with stopping_at_signals(), anyio.create_task_group() as group:
            runs = Runs(services, group)
            try:
                with live(self.err, self.watch.line) if not self.options.json else _nothing_live() as shown:
                    self.watch.live = shown
                    ended = await runs.wait(runs.start(task, self.watch.hear, outline=policy, gate=gate, only=only, consent=consent))
            finally:
                await runs.aclose()
        return runs, ended

    def _nothing_to_review(self, ended: Ended) -> int:
        code = exits.of_end(ended)
        if self.options.json:
            print(as_json(ended, None, self.watch, (), code))
            return code
        if self.watch.answer is not None:
            show_answer(self.out, self.watch.answer)
        if ended.state == "done":
            return code
        hint = f"The details are in {self.log}." if ended.code == "fault" else ended.hint
        mark, style = ("✗", "red") if code in (exits.ENDPOINT, exits.USAGE) else ("·", "yellow")
        self.err.print(said(mark, ended.words, style=style, hint=hint))
        return code

    def _finish(self, runs: Runs, review: Review, ended: Ended) -> int:
        if self.watch.answer is not None:
            show_answer(self.out, self.watch.answer)
        show_proposal(self.out, review, whole=not self.asks)
        show_verdict(self.err, review)
        if ended.state != "done":
            self.err.print(said("!", ended.words, style="yellow", hint=ended.hint))
        if self.asks:
            return self._ask_and_apply(runs, review)
        code, words = self._unasked(runs, review, ended)
        self.err.print(said("✓" if code == exits.APPLIED else "·", words, style="green" if code == exits.APPLIED else "yellow"))
        return code

    def _finish_silently(self, runs: Runs, review: Review, ended: Ended) -> int:
        code, words = self._unasked(runs, review, ended)
        review = runs.review(review.proposal.id)
        applied = review.with_decision("accepted")
        print(as_json(replace(ended, words=words), review, self.watch, applied, code))
        return code

    def _unasked(self, runs: Runs, review: Review, ended: Ended) -> tuple[int, str]:
        """Decides without a person; the exit code and one line that says what was done."""
        verdict = review.proposal.verdict
        failed = verdict is not None and verdict.breaks
        unfinished = ended.state != "done"
        if self.options.dry_run:
            if failed:
                return exits.CHECKS, "A dry run: nothing was written. Checks fail with this change that do not fail without it."
            return (exits.ENDPOINT if ended.state == "failed" else exits.APPLIED), "A dry run: nothing was written."
        if not self.options.yes:
            return exits.REFUSED, NO_TERMINAL
        if failed:
            return exits.CHECKS, "Nothing was written: --yes does not accept what fails its checks."
        if unfinished:
            code = exits.ENDPOINT if ended.state in ("failed", "limited") else exits.REFUSED
            return code, "Nothing was written: --yes does not accept half a job. Run it on a terminal to choose from what is there."
        return self._apply(runs, review, review.pending, whole=True)

    def _ask_and_apply(self, runs: Runs, review: Review) -> int:
        questions = HunkByHunk(self.out, review, self._question)
        questions.decide()
        if questions.turned_down:
            review = runs.reject(review.proposal.id, questions.turned_down)
        if not questions.chosen:
            self.err.print(said("·", "Nothing was accepted, nothing was written.", style="yellow"))
            return exits.REFUSED
        code, words = self._apply(runs, review, questions.chosen, whole=False)
        self.err.print(said("✓" if code == exits.APPLIED else "·", words, style="green" if code == exits.APPLIED else "yellow"))
        return code

    def _question(self, words: str) -> str | None:
        self.out.print(words, end="", style="bold", markup=False)
        try:
            return input()
        except EOFError:
            self.out.print()
            return None

    def _apply(self, runs: Runs, review: Review, ids: list[str] | tuple[str, ...], *, whole: bool) -> tuple[int, str]:
        """Lays the hunks on today's texts and writes them. whole: all of them or nothing."""
        with uninterrupted():
            proposal_id = review.proposal.id
            fitting = runs.fit(proposal_id, ids)
            for hunk_id, reason in fitting.stale.items():
                shown = review.hunk(hunk_id).path.shown
                self._warn(reason if shown in reason else f"{shown}: {reason}")
            if not fitting.fits or (whole and fitting.stale):
                runs.settle(proposal_id, fitting, applied=False)
                return exits.REFUSED, "Nothing was written: files changed since the proposal was made."
            try:
                runs.apply(fitting, proposal_id, who="--yes" if whole else "person")
            except StaleError as error:
                return exits.REFUSED, str(error)
            except LedgerError as error:
                return exits.REFUSED, f"Nothing was written: what undoes it could not be kept. {error}"
            except WorkspaceError as error:
                meanwhile = isinstance(error, FileExists | FileMissing)
                return exits.REFUSED if meanwhile else exits.of_error(error), f"Nothing was written. {error}"
            self.written = True
            runs.settle(proposal_id, fitting, applied=True)
        return exits.APPLIED, _written(review, fitting)

    def _note(self, words: str) -> None:
        self.err.print(said("·", words, style="yellow"))

    def _warn(self, words: str) -> None:
        if not self.options.json:
            self.err.print(said("!", words, style="yellow"))


def _written(review: Review, fitting: Fitting) -> str:
    """What was written, and that checks were run on more than that if they were."""
    files = len({edit.path for edit in fitting.edits})
    all_of_it = len(fitting.fits) == len(review.proposal.hunks)
    counted = "all of it" if all_of_it else f"{len(fitting.fits)} of {len(review.proposal.hunks)} hunks"
    checked = review.proposal.verdict is not None and review.proposal.verdict.state != "not_run"
    more = " The checks ran on the whole proposal, not on this part of it." if checked and not all_of_it else ""
    return f"Written: {counted}, {files} file{'s' * (files != 1)}.{more}"


def configured(options: argparse.Namespace) -> Config:
    """The user's settings with what the command line says laid over."""
    env = environment()
    config = resolve(load(env), env)
    if getattr(options, "no_rules", False):
        config = replace(config, rules=False)
    if options.endpoint:
        config = replace(config, url=options.endpoint, model="", remote="")
    elif options.remote:
        config = with_remote(config, options.remote)
    if options.model.endswith(".gguf"):
        if options.endpoint or options.remote:
            raise ConfigError("--model names a file to serve here and --endpoint or --remote another server.", hint="Use one of them.")
        if not Path(options.model).is_file():
            raise FileMissing(f"There is no file {options.model}.", hint="--model takes the path of a .gguf file, or a model's name.")
        config = replace(config, url=str(Path(options.model).resolve()), model="", remote="")
    elif options.model:
        config = replace(config, model=options.model)
    return config


def with_remote(config: Config, words: str) -> Config:
    """With the box that HOST[:PORT] names instead of any other server. What follows the name in `ssh://HOST:PORT`, or an
    IPv6 address without brackets, is ssh's own. ConfigError."""
    from inglenook.endpoints.ssh import checked

    host, port = _host_and_port(words.strip())
    if port is None:
        port = config.remote_port if host == config.remote else 0
    return replace(config, url="", model="", remote=checked(host), remote_port=port)


def _host_and_port(words: str) -> tuple[str, int | None]:
    """HOST[:PORT] in its parts; the port is None where none is named. ConfigError."""
    if re.match(r"(?!ssh:)\w+://", words):
        raise ConfigError(f"{words} is no name of a machine for ssh.", hint=f"{HOSTS} An address of a web server goes behind --endpoint.")
    if words.startswith("ssh://") or (words.count(":") > 1 and "[" not in words):
        return words, None
    named = re.fullmatch(r"(?P<before>[^:]*@)?(?P<host>\[(?P<six>[^][]*)\]|[^][:@]*)(?P<more>:(?P<port>.*))?", words)
    if named is None or not (named["host"] if named["six"] is None else named["six"]):
        raise ConfigError(f"{words!r} names no machine.", hint=HOSTS)
    host = (named["before"] or "") + (named["six"] or named["host"])
    if named["more"] is None:
        return host, None
    port = named["port"].strip()
    if not port:
        raise ConfigError(f"{words} ends with a colon and no port.", hint=HOSTS)
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65_536:
        raise ConfigError(f"{port} is no port.", hint=HOSTS)
    return host, int(port)


def folder_of(words: str) -> Path:
    try:
        folder = Path(words).absolute()
    except FileNotFoundError as error:
        raise InputError(
            "The folder that you are in is not there any more.", hint="cd to one that is, or name it: --folder DIR."
        ) from error
    if not folder.is_dir():
        raise InputError(f"{words} is not a folder.", hint="--folder names the workspace folder.")
    return folder


def task_of(services: Services, options: argparse.Namespace, say: Say) -> Task:
    """The task in jailed paths. One file alone is the focus; with several, or folders, none is. say: hears what else to know."""
    if options.team:
        return _team_task(services, options, say)
    if not options.task.strip() and options.kind in ("edit", "refactor"):
        raise InputError("The task is empty.", hint='Say what to do: inglenook run "rename Basket to Cart".')
    focuses = focuses_of(services, options.paths, say)
    if len(focuses) == 1 and services.documents.kind(focuses[0].path) == "file":
        return Task(options.kind, options.task, focus=focuses[0])
    return Task(options.kind, options.task, paths=tuple(f.path for f in focuses))


def _team_task(services: Services, options: argparse.Namespace, say: Say) -> Task:
    """The task of `--command NAME`, about the paths that are named. InputError if there is no such command."""
    from inglenook.app.teaching import taught

    if not services.config.rules:
        raise InputError("--command and --no-rules do not go together: the commands of a team are such rules.")
    command = taught(services.documents).named(options.team)
    return task_of(services, argparse.Namespace(team="", task=command.prompt, kind=command.kind, paths=options.paths), say)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Files are written all or not at all: a Ctrl-C within the block comes too late, and the job is about to end anyway."""
    before: dict[int, object] = {}
    for kept in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        before[kept] = signal.signal(kept, lambda number, frame: None)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]


@contextmanager
def _nothing_live() -> Iterator[None]:
    yield None
