"""What a run says, as lines of a terminal: one live line, and a line for each thing worth keeping."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from inglenook.agents import port
from inglenook.app import events
from inglenook.app.events import RunEvent
from inglenook.terminal import Line, below, said, styled, used

PHASES = {
    "connecting": "looking for a model",
    "outlining": "making an outline",
    "waiting": "waiting for your answer",
    "working": "working",
    "checking": "checking",
}


@dataclass
class Spent:
    """What a run used up. cached: None where no server told it. speed: tokens a second, of the last reply that had one."""

    requests: int = 0
    prompt: int = 0
    output: int = 0
    cached: int | None = None
    speed: float = 0.0

    def add(self, replied: port.Replied) -> None:
        usage = replied.usage
        self.prompt += usage.prompt
        self.output += usage.output
        if usage.cached is not None:
            self.cached = (self.cached or 0) + usage.cached
        self.speed = usage.tokens_per_second or self.speed


@dataclass
class Watch:
    """Folds the events of one run. `console` is where progress goes (None: nowhere); the rest is for the report."""

    console: Console | None
    line: Line
    live: Live | None = None
    spent: Spent = field(default_factory=Spent)
    model: str = ""
    endpoint: str = ""
    grants: tuple[str, ...] = ()
    answer: events.Answered | None = None
    review: events.Proposed | None = None

    def hear(self, event: RunEvent) -> None:
        match event:
            case events.Started(title=title, grants=grants):
                self.grants = tuple(place.shown for place in grants)
                self.keep(Text.assemble(("● ", "cyan"), styled(title, "bold")))
                if any(place.rel for place in grants):
                    self.keep(below(f"may touch only {', '.join(self.grants)}"))
            case events.Phased(phase=phase, words=words):
                self.line.words = words[:1].lower() + words[1:] if words else PHASES[phase]
            case events.Leased(model=model, endpoint=endpoint, window=window):
                self.model, self.endpoint, self.line.model = model, endpoint, model
                size = f" · window {window:,} tokens" if window else ""
                self.keep(below(f"{model} at {endpoint}{size}"))
            case events.AgentSaid(event=inner):
                self._agent(inner)
            case events.Answered():
                self.answer = event
            case events.Proposed():
                self.review = event
            case events.OutlineAsked() | events.ConsentAsked() | events.Reviewed() | events.Ended():
                pass
            case _:
                assert_never(event)

    def _agent(self, event: port.AgentEvent) -> None:
        match event:
            case port.Asked(number=number):
                self.spent.requests, self.line.writing = number, ""
            case port.Prefilled(processed=processed, total=total):
                self.line.reads(processed, total)
            case port.Wrote(text=text) | port.Thought(text=text):
                self.line.wrote(text)
            case port.Sped(tokens_per_second=speed):
                self.line.speed = speed
            case port.Replied():
                self.spent.add(event)
                self.line.writing, self.line.words = "", PHASES["working"]
            case port.Used(tool=tool, subject=subject, ok=ok, words=words):
                self.keep(used(tool, subject, words, ok=ok))
            case port.Noted(words=words):
                self.keep(said("!", words, style="yellow"))
            case port.Outlined() | port.Drafted():
                pass
            case _:
                assert_never(event)

    def keep(self, words: RenderableType) -> None:
        """Prints a line above the live one."""
        if self.console is not None:
            self.console.print(words)

    def aside(self, ask: Callable[[], None]) -> None:
        """Takes the live line away while something else is on the screen."""
        if self.live is not None:
            self.live.stop()
        ask()

    def back(self) -> None:
        if self.live is not None:
            self.live.start(refresh=True)
