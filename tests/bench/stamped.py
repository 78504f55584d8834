"""Our server, which notes when it says each event: lines of JSON in the file that STAMPS names."""

from __future__ import annotations

import json
import os
import runpy
import time
from pathlib import Path
from typing import Any

from inglenook.lsp.wire import Protocol
from inglenook.protocol.events import EVENT_METHOD


def stamp() -> None:
    """From now on every event is noted, with milliseconds since the epoch, just before it goes out."""
    notes = Path(os.environ["STAMPS"])
    say = Protocol.notify

    def noted(self: Protocol, method: str, params: Any = None) -> None:
        at = time.time() * 1000
        say(self, method, params)
        if method == EVENT_METHOD:
            with notes.open("a", encoding="utf-8") as file:
                print(json.dumps({"at": at, "type": params["type"], "tokens": params.get("outputTokens"), **_size(params)}), file=file)

    setattr(Protocol, "notify", noted)  # noqa: B010 - a method


def _size(event: Any) -> dict[str, int]:
    hunks = [hunk for file in event.get("proposal", {}).get("files", ()) for hunk in file["hunks"]]
    return {"hunks": len(hunks), "decided": sum(hunk["decision"] != "pending" for hunk in hunks)}


if __name__ == "__main__":
    stamp()
    runpy.run_module("inglenook", run_name="__main__")
