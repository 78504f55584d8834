"""The services that a run needs, as one frozen struct, and how they are built from a Config."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from inglenook.app.config import Config
from inglenook.errors import InputError
from inglenook.workspace.documents import Documents
from inglenook.workspace.jail import Jail
from inglenook.workspace.scratch import Scratches
from inglenook.workspace.search import Search

if TYPE_CHECKING:
    from inglenook.endpoints.endpoint import At
    from inglenook.endpoints.pool import Lease, Pool
    from inglenook.endpoints.tunnel import State
    from inglenook.sandbox import Sandbox
    from inglenook.workspace.symbolmap import SymbolMap


class Models:
    """The pool of endpoints, made when it is first needed: nothing of HTTP is imported before.

    hear: called at each change of the tunnel to a remote box, if there is one."""

    def __init__(self, config: Config, hear: Callable[[State], None] = lambda state: None) -> None:
        self.hear = hear
        self._config = config
        self._pool: Pool | None = None

    def open(self) -> Pool:
        """The pool itself."""
        if self._pool is None:
            from inglenook.endpoints.pool import Pool, Wish

            config = self._config
            self._pool = Pool(
                Wish(
                    config.url,
                    config.model,
                    config.key,
                    config.window,
                    config.remote,
                    config.remote_port,
                    config.more,
                    config.parallel,
                ),
                cache_dir=config.cache_dir,
                env=config.environment,
                tell=lambda state: self.hear(state),
            )
        return self._pool

    @asynccontextmanager
    async def lease(
        self, *, model: str = "", at: At | None = None, tell: Callable[[str], None] = lambda words: None
    ) -> AsyncIterator[Lease]:
        """The right to use a model, for as long as the block lasts. model: instead of the one in the settings; at: of that server.
        tell: hears of the queue. EndpointError, ConfigError, InputError."""
        async with self.open().lease(model=model, at=at, tell=tell) as lease:
            yield lease

    async def aclose(self) -> None:
        """Stops what the pool started. A later lease opens it again."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.aclose()


@dataclass(frozen=True)
class Services:
    """What a run needs, each handed in.

    scratches: the copies of the workspace that checks run in, kept for the session. symbols: the map of what the workspace
    defines, made when it is first asked for.
    sandbox: finds the walls for checks; raises SandboxUnavailable in words.
    clock: seconds, monotonic. new_id: an id that is new in this session, with the given first letter.
    """

    config: Config
    documents: Documents
    search: Search
    pool: Models
    scratches: Scratches
    symbols: Callable[[], SymbolMap]
    sandbox: Callable[[], Sandbox]
    clock: Callable[[], float]
    new_id: Callable[[str], str]


def build(config: Config, folders: Sequence[str]) -> Services:
    """The house on these workspace folders (absolute, existing; InputError otherwise). Imports and starts nothing heavy."""
    documents = Documents(open_jails(folders))
    search = Search(documents)
    return Services(
        config=config,
        documents=documents,
        search=search,
        pool=Models(config),
        scratches=Scratches(documents, search),
        symbols=cache(partial(symbol_map, documents, config.cache_dir)),
        sandbox=partial(sandbox_of, config),
        clock=time.monotonic,
        new_id=lambda prefix: prefix + secrets.token_hex(4),
    )


def symbol_map(documents: Documents, cache_dir: str) -> SymbolMap:
    """The map of what these folders define, kept in the cache folder."""
    from inglenook.workspace.symbolmap import SymbolMap

    return SymbolMap(documents, cache_dir)


def open_jails(folders: Sequence[str]) -> tuple[Jail, ...]:
    """A jail for each folder, named after it; names are made unique ("api", "api-2"). InputError if one is no folder."""
    jails: list[Jail] = []
    taken: set[str] = set()
    for folder in folders:
        if not Path(folder).is_dir():
            raise InputError(f"{folder} is not a folder.", hint="Name an existing folder.")
        name = unique_name(Path(folder).resolve().name or "root", taken)
        taken.add(name)
        jails.append(Jail(folder, name=name, prefix=len(folders) > 1))
    return tuple(jails)


def unique_name(wish: str, taken: set[str]) -> str:
    """`wish`, or `wish-2`, `wish-3`, … : the first that is not taken."""
    name, number = wish, 2
    while name in taken:
        name, number = f"{wish}-{number}", number + 1
    return name


def reconfigured(services: Services, config: Config) -> Services:
    """The same ground with another configuration; the pool is kept if it would be the same one."""
    old = services.config
    same = _served_by(old) == _served_by(config)
    pool = services.pool if same else Models(config, services.pool.hear)
    return replace(services, config=config, pool=pool, sandbox=partial(sandbox_of, config))


def _served_by(config: Config) -> tuple[object, ...]:
    """What makes one pool another one."""
    more = (config.more, config.parallel)
    return (config.url, config.model, config.key, config.window, config.remote, config.remote_port, config.cache_dir, *more)


def sandbox_of(config: Config) -> Sandbox:
    """The walls for checks that the settings ask for. SandboxUnavailable, with how to fix it."""
    from inglenook.sandbox import find_sandbox

    return find_sandbox(config.sandbox, image=config.image, env=config.environment)
