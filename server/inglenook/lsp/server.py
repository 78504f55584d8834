"""The language server: its own loop under one task group, over stdio or, for debugging, TCP on loopback."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import stat
import sys
import threading
from contextlib import ExitStack
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import anyio
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.io_ import StdinAsyncReader, StdoutWriter, run_async
from pygls.lsp.server import LanguageServer

from inglenook import __version__
from inglenook.errors import InglenookError
from inglenook.lsp import abilities, code_actions, commands, lenses, parent
from inglenook.lsp.pages import Pages
from inglenook.lsp.reviewing import Reviewing
from inglenook.lsp.session import Session
from inglenook.lsp.uris import DRAFT, SCHEME
from inglenook.lsp.wire import Protocol, Refused, refused, without_refusals

if TYPE_CHECKING:
    from inglenook.lsp.telling import Telling

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
GOODBYE = 2.0  # seconds for the last bytes to go out


class Door(LanguageServer):
    """pygls's server with our features. One per connection; `session` holds the connection's state."""

    def __init__(self, holding: ExitStack) -> None:
        self.begun = threading.Event()  # `initialize` is answered
        self.stop = threading.Event()
        self.code = 1
        self.editor: int | None = None  # the process that we end with
        super().__init__("inglenook", __version__, protocol_cls=Protocol)
        self.session = Session(self)
        self.reviewing = Reviewing(self.session)
        self.pages = Pages(self.session, holding)
        self._features()

    @cached_property
    def telling(self) -> Telling:
        """Imported with the first run: it needs the wire types."""
        from inglenook.lsp.telling import Telling

        return Telling(self.session)

    def leave(self, code: int) -> None:
        """`exit` came: the loop ends after this message, and the process with this code."""
        self.code = code
        self.begun.set()
        self.stop.set()

    async def follow(self, scope: anyio.CancelScope) -> None:
        """Ends the connection with the editor's process, as LSP asks, also if its end of our stdin stays open."""
        if self.editor is None:
            return
        await parent.gone(self.editor)
        log.warning("The editor, process %s, is gone without a word: so are we.", self.editor)
        scope.cancel()

    # ---- ways out

    def say(self, kind: types.MessageType, words: str) -> None:
        self.window_show_message(types.ShowMessageParams(type=kind, message=words))

    async def request(self, method: str, params: Any) -> Any:
        """Asks the client; None if it answers with an error, or never because the session ends."""
        answer = await self.answer(method, params)
        return answer.result() if answer is not None else None

    async def asked(self, method: str, params: Any) -> bool:
        """Asks the client for something without a result; whether it agreed."""
        return await self.answer(method, params) is not None

    async def answer(self, method: str, params: Any) -> asyncio.Future[Any] | None:
        """The answer once it is there, None if the client refused. At shutdown pygls cancels what is unanswered; that must not look
        like a cancellation of the task that asked."""
        answer: asyncio.Future[Any] = self.protocol.send_request_async(method, params)
        await asyncio.wait([answer])
        if answer.cancelled():
            return None
        if (error := answer.exception()) is None:
            return answer
        if not isinstance(error, JsonRpcException):
            raise error
        log.info("The client refused %s: %s", method, error)
        return None

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Faults of ours go to the log; people are told by the answers to their requests."""
        if not isinstance(error, Refused):
            log.error("%s: %s", getattr(source, "__name__", source), error)

    # ---- ways in

    async def execute(self, command: str, arguments: list[Any]) -> Any:
        return await commands.execute(self.session, command, arguments)

    def _features(self) -> None:
        for command in commands.HANDLERS:
            self.command(command)(partial(self.execute))
        actions = types.CodeActionOptions(code_action_kinds=list(code_actions.KINDS), resolve_provider=False)
        for method, feature, options in (
            (types.INITIALIZE, self._initialize, None),
            (types.INITIALIZED, self._initialized, None),
            (types.SHUTDOWN, self._shutdown, None),
            (types.TEXT_DOCUMENT_CODE_ACTION, self._code_actions, actions),
            (types.TEXT_DOCUMENT_CODE_LENS, self._lenses, types.CodeLensOptions(resolve_provider=False)),
            (types.WORKSPACE_TEXT_DOCUMENT_CONTENT, self._page, None),
            (types.WORKSPACE_DID_CHANGE_CONFIGURATION, self._configured, None),
        ):
            self.feature(method, options)(partial(feature))  # pygls marks what it registers, and a method takes no marks

    def _initialize(self, params: types.InitializeParams) -> None:
        self.session.begin(abilities.read(params), params)
        self.editor = parent.living(params.process_id)
        self.begun.set()

    async def _initialized(self, _: types.InitializedParams) -> None:
        self.session.spawn(self.reviewing.keep_shown)
        self.session.spawn(self._register)
        await self.session.ask_settings()
        try:
            await self.session.house()
        except InglenookError as error:
            log.info("%s", error)  # told when somebody asks for something

    async def _register(self) -> None:
        """What LSP or pygls knows only as dynamic registration."""
        able = self.session.abilities
        wanted = []
        if able.pages:
            options = types.TextDocumentContentRegistrationOptions(schemes=[SCHEME, DRAFT])
            wanted.append(types.Registration("inglenook-pages", types.WORKSPACE_TEXT_DOCUMENT_CONTENT, options))
        if able.configuration_dynamic:
            section = {"section": SCHEME}
            wanted.append(types.Registration("inglenook-settings", types.WORKSPACE_DID_CHANGE_CONFIGURATION, section))
        if wanted:
            await self.asked(types.CLIENT_REGISTER_CAPABILITY, types.RegistrationParams(wanted))

    def _shutdown(self, *_: Any) -> None:
        if (runs := self.session.runs) is not None:
            for run_id in runs.running:
                runs.cancel(run_id)

    def _code_actions(self, params: types.CodeActionParams) -> list[types.CodeAction | types.Command]:
        return code_actions.offered(self.session, params)

    def _lenses(self, params: types.CodeLensParams) -> list[types.CodeLens]:
        return lenses.of_document(self.session, params.text_document.uri)

    async def _page(self, params: types.TextDocumentContentParams) -> types.TextDocumentContentResult:
        try:
            return types.TextDocumentContentResult(await self.pages.text(params.uri))
        except InglenookError as error:
            raise refused(error) from error

    async def _configured(self, params: types.DidChangeConfigurationParams) -> None:
        if self.session.abilities.configuration:
            await self.session.ask_settings()
        elif isinstance(params.settings, dict):
            await self.session.settings_came(params.settings.get(SCHEME))


# ---- the loop


async def serve(reader: Any, writer: Any) -> int:
    """Serves one client until it says exit, closes the stream, or a signal comes. Returns the exit code: 0 after a
    proper shutdown. Leaving cancels every run, and with it streams, checks and servers that we started."""
    with ExitStack() as holding:
        door = Door(holding)
        door.protocol.set_writer(writer)
        await _read(door, reader, door.begun)  # the task group comes after the answer: what it needs takes long to import
        if not door.begun.is_set():
            return door.code
        async with anyio.create_task_group() as group:
            door.session.group = group
            door.session.spawn(door.follow, group.cancel_scope)
            try:
                await _read(door, reader, door.stop)
            finally:
                await door.session.aclose()
                group.cancel_scope.cancel()
        return door.code


async def _read(door: Door, reader: Any, until: threading.Event) -> None:
    """Handles messages until the event is set or the stream ends."""
    try:
        await run_async(until, reader, door.protocol, logging.getLogger("pygls"), door.report_server_error)
    except (asyncio.IncompleteReadError, ConnectionError, ValueError) as error:
        log.warning("The client's stream ended in the middle of a message: %s", error)


async def _stdio() -> int:
    """Over the process's own stdin and stdout, which nobody else can use from then on: a stray print goes to stderr."""
    source, sink = _private_stdio()
    loop = asyncio.get_running_loop()
    served = asyncio.ensure_future(_on_pipes(loop, source, sink))
    ending = [signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    for name in ending:
        try:
            loop.add_signal_handler(name, served.cancel)
        except NotImplementedError:
            break
    try:
        return await served
    except asyncio.CancelledError:
        return 1


async def _on_pipes(loop: asyncio.AbstractEventLoop, source: Any, sink: Any) -> int:
    """Pipes and sockets without threads; a file or a terminal the way pygls does it."""
    if not (_streams(source) and _streams(sink)):
        return await serve(StdinAsyncReader(source), StdoutWriter(sink))
    reader = asyncio.StreamReader(loop=loop)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader, loop=loop), source)
    transport, sent = await loop.connect_write_pipe(_Sent, sink)
    try:
        return await serve(reader, asyncio.StreamWriter(transport, sent, reader, loop))
    finally:
        transport.close()
        with anyio.move_on_after(GOODBYE, shield=True):
            await sent.all.wait()


class _Sent(asyncio.Protocol):
    """Knows when the last byte went out, or cannot any more."""

    def __init__(self) -> None:
        self.all = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.all.set()


def _streams(file: Any) -> bool:
    mode = os.fstat(file.fileno()).st_mode
    return sys.platform != "win32" and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))


def _private_stdio() -> tuple[Any, Any]:
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return os.fdopen(source, "rb"), os.fdopen(sink, "wb")


async def _tcp(port: int) -> int:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(connected, LOOPBACK, port)
    log.warning("Listening on %s:%s", LOOPBACK, server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()
    return 0


def main(tcp: int | None = None) -> int:
    """`inglenook lsp`: serves stdio, or with a port any number of clients one after the other on loopback (0: any free port,
    named on stderr). Returns the exit code."""
    from inglenook.workspace.withholding import Hushed

    to_stderr = logging.StreamHandler(sys.stderr)
    to_stderr.setFormatter(Hushed("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[to_stderr], level=logging.WARNING)
    logging.getLogger("inglenook").setLevel(logging.INFO)  # libraries only from WARNING on: at INFO pygls writes every body
    logging.getLogger("pygls").setLevel(logging.ERROR)
    logging.getLogger("pygls.protocol.json_rpc").addFilter(without_refusals)
    try:
        return asyncio.run(_stdio() if tcp is None else _tcp(tcp))
    except KeyboardInterrupt:
        return 1
