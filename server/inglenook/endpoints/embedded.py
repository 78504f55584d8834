"""A llama.cpp server of our own for a GGUF file: a child process that dies with us (optional extra `embedded`)."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import re
import secrets
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio

from inglenook import process
from inglenook.endpoints import gguf
from inglenook.errors import EndpointDown, InputError, ServerFault

log = logging.getLogger(__name__)

WINDOW: Final = 16_384
"""Tokens that a model gets unless somebody asks for more: what a laptop bears beside the weights of a 7B model."""

LOAD_SECONDS: Final = 600.0
_MODULE: Final = "inglenook.endpoints.embedded"
_LOG: Final = "What llama.cpp said is in the log of Inglenook."
_ROOM: Final = "Is there memory enough? `inglenook fit FILE.gguf` says."
_REASONS: Final = (
    (
        r"unknown model architecture: '([\w.-]{1,60})'",
        "the built-in llama.cpp knows no models of the kind {}",
        "Serve it with a newer one.",
    ),
    (r"out of memory|failed to allocate|unable to allocate|cudaMalloc failed|bad_alloc", "the memory is too small for it", _ROOM),
    (r"within the file bounds|corrupted or incomplete|failed to read", "the file is damaged, or not whole", "Download it again."),
    (r"missing tensor|wrong shape|tensor '?[\w.-]+'? not found|wrong number of tensors", "weights are missing in it", "Download it again."),
    (
        r"key not found in model|error loading model (?:hyperparameters|vocabulary)",
        "it does not say what it is",
        "Try another build of it.",
    ),
)
"""What llama.cpp logs → what that means, and what to do."""


@dataclass(frozen=True)
class Embedded:
    """A running server: where it is, and the key without which it answers nobody."""

    url: str
    key: str
    model: str
    child: process.Child

    @property
    def running(self) -> bool:
        return self.child.running

    async def stop(self) -> None:
        await self.child.stop()


def require(what: str) -> None:
    """InputError with what to install, unless the optional extra is there."""
    for module in ("xllamacpp", "gguf", "numpy"):
        if importlib.util.find_spec(module) is None:
            raise InputError(f"{what} needs the package {module}, which is not installed.", hint="pip install 'inglenook[embedded]'")


async def start(
    model: Path,
    *,
    name: str = "",
    window: int | None = None,
    slots: int = 1,
    threads: int | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float = LOAD_SECONDS,
) -> Embedded:
    """Serves a GGUF on a free port of loopback, behind a key of its own, and waits until the model is loaded.

    window: tokens that one request may have (slots share the memory). env: what the child sees of the environment
    (GPU drivers read theirs). Raises InputError (no such file, not a whole one, extra not installed), ServerFault if llama.cpp
    cannot load it; what that said goes into the log.
    """
    require("Serving a GGUF file")
    _check_file(model)
    await anyio.to_thread.run_sync(gguf.read, model)
    key = secrets.token_urlsafe(24)
    argv = [
        sys.executable,
        "-P",  # the folder that we are in may be a stranger's repository: nothing is imported from it
        "-m",
        _MODULE,
        str(model),
        "--name",
        name or model.stem,
        "--window",
        str(window or WINDOW),
        "--slots",
        str(slots),
    ]
    argv += ["--parent", str(os.getpid()), *(["--threads", str(threads)] if threads else [])]
    child = await process.start(argv, cwd=None, env={**(env or {}), "PYTHONPATH": _import_path()}, stdin=key.encode())
    try:
        with anyio.move_on_after(seconds):
            while (line := await child.read_line()) is not None:
                if line.startswith("READY "):
                    return Embedded(f"{line.removeprefix('READY ').strip()}/v1", key, name or model.stem, child)
            code, told = await child.wait(), child.tail()
            log.warning("llama.cpp did not load %s (exit %s) and said:\n%s", model, code, told.strip() or "nothing")
            raise _not_loaded(model, code, told)
        raise EndpointDown(f"The embedded server has not loaded {model} in {seconds:.0f} s.", hint="Try a smaller model.")
    except BaseException:
        child.kill()
        raise


def _import_path() -> str:
    """Where we import from, without the folder that we happen to be in: it may be a stranger's repository."""
    here, ours = os.path.realpath(os.curdir), str(Path(__file__).parents[2])
    return os.pathsep.join([ours, *(p for p in sys.path if p and os.path.realpath(p) != here)])


def _check_file(model: Path) -> None:
    try:
        with model.open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError:
        raise InputError(f"There is no file {model}.", hint="Give the path of a .gguf file.") from None
    except OSError as error:
        raise InputError(f"{model} cannot be read: {error.strerror}.") from error
    if magic != b"GGUF":
        raise InputError(f"{model} is not a GGUF file.", hint="Download the model in GGUF format.")


def _not_loaded(model: Path, code: int, log: str) -> ServerFault:
    """Why llama.cpp did not load a file, in our words: its log is for those who know it."""
    if code < 0:
        return ServerFault(f"llama.cpp was ended by signal {-code} while it loaded {model.name}.", hint=_ROOM)
    for pattern, words, hint in _REASONS:
        if found := re.search(pattern, log, re.IGNORECASE):
            return ServerFault(f"{model.name} could not be loaded: {words.format(*found.groups())}.", hint=f"{hint} {_LOG}")
    return ServerFault(f"{model.name} could not be loaded: llama.cpp gave up on it.", hint=f"Is it a model that can chat? {_LOG}")


# ---- the child


def main(arguments: list[str] | None = None) -> None:
    """Serves until told to stop: `python -m inglenook.endpoints.embedded MODEL …`, the key on stdin, READY and the
    address on stdout."""
    options = _options(arguments)
    key = sys.stdin.read().strip()
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.model_alias = {options.name}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key] if key else []
    params.n_ctx, params.n_parallel, params.kv_unified = options.window, options.slots, True
    params.endpoint_slots = params.endpoint_props = params.use_jinja = params.offline = True
    params.endpoint_metrics = params.ui = False
    if options.threads:
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options.threads
    server = xllamacpp.Server(params)
    print(f"READY {server.listening_address}", flush=True)
    _wait_for_the_end(options.parent)
    os._exit(0)  # the server's threads would hold an ordinary exit for a second


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=_MODULE, description="Serve a GGUF on loopback.")
    parser.add_argument("model")
    parser.add_argument("--name", default="model")
    parser.add_argument("--window", type=int, default=WINDOW)
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--parent", type=int, default=0)
    return parser.parse_args(arguments)


def _wait_for_the_end(parent: int) -> None:
    """Until a signal, or until the process that started us is gone: not every system kills us with it."""
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    while not over.wait(1.0):
        if parent and os.getppid() != parent:
            return


if __name__ == "__main__":
    main()
