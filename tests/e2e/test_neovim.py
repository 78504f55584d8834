"""A real Neovim, headless, with the module from docs/editors: runs, marks, decisions, one undo; and as a plain client."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from e2e.page import EDITORS, blocks, fetched, filled, path_with_inglenook
from fakes.openai import FakeOpenAI

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

SYSTEM = shutil.which("nvim")
NEW = fetched("neovim", "bin/nvim")
OLD_AND_NEW = [
    pytest.param(SYSTEM, id="system", marks=pytest.mark.skipif(SYSTEM is None, reason="Neovim is not installed (apt-get install neovim)")),
    pytest.param(
        NEW,
        id="0.11",
        marks=pytest.mark.skipif(NEW is None, reason="Neovim 0.11 was not fetched (bash tests/e2e/fetch_editors.sh says why)"),
    ),
]
SETUP, STATUS_LINE, SERVERS = blocks("neovim.md", "lua")
CALC = "def add_numbers(a, b):\n    return a + b\n\n\ndef twice(a):\n    return add_numbers(a, a)\n"
MAIN = "from calc import add_numbers\n\nprint(add_numbers(1, 2))\n"
RENAME = """calc.py
<<<<<<< SEARCH
def add_numbers(a, b):
=======
def add(a, b):
>>>>>>> REPLACE

calc.py
<<<<<<< SEARCH
    return add_numbers(a, a)
=======
    return add(a, a)
>>>>>>> REPLACE

main.py
<<<<<<< SEARCH
from calc import add_numbers

print(add_numbers(1, 2))
=======
from calc import add

print(add(1, 2))
>>>>>>> REPLACE
"""

# What every scenario has: the module, a record of messages, and words for what a person does.
PRELUDE = r"""
out = { messages = {}, deprecated = {} }
vim.deprecate = function(name) table.insert(out.deprecated, name) end
vim.notify = function(words) table.insert(out.messages, words) end
vim.lsp.handlers["window/showMessage"] = function(_, result) table.insert(out.messages, result.message) end
agent = require("inglenook")
function wait(what, test)
  if not vim.wait(60000, test, 20) then error("waited in vain for " .. what .. ": " .. vim.inspect(out.messages)) end
end
function said(part)
  return function()
    for _, words in ipairs(out.messages) do if words:find(part, 1, true) then return true end end
    return false
  end
end
function open(name)
  vim.cmd("edit " .. name)
  wait("the server", function()
    local client = agent.client and vim.lsp.get_client_by_id(agent.client)
    return client and client.initialized and vim.lsp.buf_is_attached(0, agent.client)
  end)
end
function propose()
  agent.start("refactor", "rename add_numbers to add")
  wait("the proposal", said("3 hunks in review"))
end
function text(name)
  local buffer = vim.fn.bufnr(name)
  if buffer < 0 or not vim.api.nvim_buf_is_loaded(buffer) then return nil end
  return table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, false), "\n") .. "\n"
end
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=OLD_AND_NEW)
def program(request: pytest.FixtureRequest) -> str:
    """The Neovim of the system (0.7.2 in Debian 12), and a new one."""
    return str(request.param)


@pytest.fixture
async def model() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI([RENAME]) as fake:
        yield fake


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "proj"
    root.mkdir()
    (root / "calc.py").write_text(CALC)
    (root / "main.py").write_text(MAIN)
    module = tmp_path / "config" / "nvim" / "lua" / "inglenook.lua"
    module.parent.mkdir(parents=True)
    module.write_text((EDITORS / "inglenook.lua").read_text("utf-8"))
    return root


async def neovim(
    program: str, folder: Path, url: str, scenario: str, *, plain: bool = True, page: str = SETUP, path: str = ""
) -> dict[str, Any]:
    """Plays a scenario in Lua, with that block of the page as `init.lua`; gives what it put into `out`."""
    init = filled(page, url, comment="--")
    if plain:
        assert init.count("-- plain = true") == 1
        init = init.replace("-- plain = true", "plain = true")
    (folder.parent / "config" / "nvim" / "init.lua").write_text(f"{init}\n{STATUS_LINE}")
    script, result = folder.parent / "scenario.lua", folder.parent / "out.json"
    script.write_text(
        f"local ok, problem = pcall(function()\n{PRELUDE}\n{scenario}\nend)\nif not ok then out.problem = tostring(problem) end\n"
        f"vim.fn.writefile({{ vim.fn.json_encode(out) }}, {json.dumps(str(result))})\nvim.cmd('qall!')\n"
    )
    base = folder.parent
    env = {
        "PATH": path or path_with_inglenook(base / "bin"),
        "HOME": str(base),
        "XDG_CONFIG_HOME": str(base / "config"),
        "XDG_DATA_HOME": str(base / "data"),
        "XDG_STATE_HOME": str(base / "state"),
        "XDG_CACHE_HOME": str(base / "cache"),
    }
    command = [program, "--headless", "-i", "NONE", "-n", "-c", f"luafile {script}"]
    with anyio.fail_after(120):
        done = await anyio.run_process(command, cwd=folder, env=env, check=False)
    assert result.exists(), (done.stdout + done.stderr).decode()
    out: dict[str, Any] = json.loads(result.read_text())
    assert "problem" not in out, (out, done.stderr.decode())
    assert out.pop("deprecated") in ([], {}), "the module uses what this Neovim calls deprecated"
    return out


async def test_from_a_code_action_to_changed_buffers_and_back(program: str, folder: Path, model: FakeOpenAI) -> None:
    out = await neovim(
        program,
        folder,
        model.url,
        r"""
        open("calc.py")
        vim.ui.select = function(items, _, choose)
          for number, item in ipairs(items) do
            local title = (item.action or item[2]).title  -- 0.11, and before it
            if title == wanted then return choose(item, number) end
          end
          error("nobody offers " .. wanted)
        end
        wanted = "Agent: Refactor…"
        vim.lsp.buf.code_action()
        wait("the proposal", said("is in review"))
        out.before = text("calc.py")

        vim.fn.cursor(1, 1)
        vim.cmd("AgentAccept")
        wait("the first hunk", said("1 hunk applied."))
        out.first = text("calc.py")
        vim.cmd("silent undo")
        out.undone = text("calc.py")
        vim.cmd("silent redo")

        vim.cmd("AgentAccept!")
        wait("the others", said("2 hunks applied."))
        out.calc, out.main = text("calc.py"), text("main.py")
        vim.cmd("silent wall")
        """,
    )
    assert out["before"] == CALC
    assert out["first"] == CALC.replace("def add_numbers", "def add")
    assert out["undone"] == CALC
    assert (folder / "calc.py").read_text() == out["calc"] == CALC.replace("add_numbers", "add")
    assert (folder / "main.py").read_text() == out["main"] == MAIN.replace("add_numbers", "add")


async def test_the_agent_command_accept_all_is_one_undo_and_reject_by_lens(program: str, folder: Path, model: FakeOpenAI) -> None:
    out = await neovim(
        program,
        folder,
        model.url,
        r"""
        open("calc.py")
        vim.ui.input = function(options, done) out.prompt = options.prompt; done("rename add_numbers to add, callers too") end
        vim.cmd("1,2Agent refactor")
        wait("the proposal", said("is in review"))
        vim.lsp.codelens.refresh()
        wait("lenses", function() return #vim.lsp.codelens.get(0) > 0 end)
        out.lenses = {}
        for _, lens in ipairs(vim.lsp.codelens.get(0)) do table.insert(out.lenses, lens.command.title) end
        vim.cmd("AgentAccept!")
        wait("all", said("3 hunks applied."))
        out.calc = text("calc.py")
        vim.cmd("silent undo")
        out.undone = text("calc.py")
        """,
    )
    assert out["prompt"] == "Agent, refactor: "
    assert "rename add_numbers to add, callers too" in model.requests[0].last
    assert sorted(set(out["lenses"])) == [
        "Show diff (1 of 3)",
        "Show diff (2 of 3)",
        "✓ Accept (+1 −1)",
        "✓ Accept all 2",
        "✗ Reject",
        "✗ Reject all",
    ]
    assert out["calc"] == CALC.replace("add_numbers", "add")
    assert out["undone"] == CALC


async def test_rejecting_under_the_cursor_leaves_the_text_alone(program: str, folder: Path, model: FakeOpenAI) -> None:
    out = await neovim(
        program,
        folder,
        model.url,
        r"""
        open("calc.py")
        agent.start("refactor", "rename add_numbers to add")
        wait("the proposal", said("is in review"))
        vim.fn.cursor(4, 1)
        vim.cmd("AgentReject")
        wait("the warning", said("No hunk waits under the cursor."))
        vim.fn.cursor(6, 1)
        vim.cmd("AgentReject")
        wait("the rejection", said("1 hunk rejected."))
        vim.cmd("AgentAccept!")
        wait("the others", said("2 hunks applied."))
        out.calc = text("calc.py")
        vim.cmd("AgentAccept!")
        wait("the end", said("No proposal is open."))
        """,
    )
    assert out["calc"] == CALC.replace("def add_numbers", "def add")


AGAIN = """calc.py
<<<<<<< SEARCH
def add_numbers(a, b):
=======
def plus(a, b):
>>>>>>> REPLACE
"""

MARKED = r"""
function marks()
  local found = { signs = 0, below = {} }
  local space = vim.api.nvim_get_namespaces().inglenook
  for _, each in ipairs(vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })) do
    if not each[4].virt_lines then found.signs = found.signs + 1 end
    for _, line in ipairs(each[4].virt_lines or {}) do table.insert(found.below, each[2] .. ":" .. line[1][1]) end
  end
  return found
end
"""


async def test_hunks_are_marked_without_a_change_and_decided_by_keys(program: str, folder: Path, model: FakeOpenAI) -> None:
    out = await neovim(
        program,
        folder,
        model.url,
        MARKED
        + r"""
        vim.g.mapleader = ","
        open("calc.py")
        propose()
        wait("the new lines", function() return #marks().below == 2 end)
        out.marks, out.before, out.status = marks(), text("calc.py"), agent.statusline()
        vim.fn.cursor(1, 1)
        vim.api.nvim_feedkeys("]a", "mx", false)
        out.line = vim.fn.line(".")
        vim.api.nvim_feedkeys(",ay", "mx", false)
        wait("the acceptance", said("1 hunk applied."))
        wait("fewer marks", function() return marks().signs == 1 end)
        out.accepted = text("calc.py")
        vim.api.nvim_feedkeys(",au", "mx", false)
        wait("the way back", said("Taken back: 1 hunk open again."))
        out.back = text("calc.py")
        vim.cmd("AgentReject file")
        wait("the rejection", said("2 hunks rejected."))
        wait("no marks", function() return marks().signs == 0 end)
        out.rest = agent.statusline()
        """,
        plain=False,
    )
    assert out["before"] == CALC
    assert out["marks"] == {"signs": 2, "below": ["0:def add(a, b):", "5:    return add(a, a)"]}
    assert out["status"].endswith("3 hunks to review") and "tok/s" in out["status"]
    assert out["line"] == 6
    assert out["accepted"] == CALC.replace("return add_numbers", "return add")
    assert out["back"] == CALC
    assert out["rest"].endswith("1 hunk to review")


async def test_the_proposal_is_edited_beside_the_file_and_asked_again(program: str, folder: Path) -> None:
    async with FakeOpenAI([RENAME, AGAIN]) as fake:
        out = await neovim(
            program,
            folder,
            fake.url,
            r"""
            open("calc.py")
            propose()
            agent.show()
            wait("the page", function() return vim.b.inglenook_page ~= nil end)
            out.page = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n") .. "\n"
            vim.cmd("%s/def add(a, b)/def add(a, b, *rest)/")
            vim.cmd("silent write")
            wait("the edit", said("The proposal has your change"))
            out.modified = vim.bo.modified
            vim.cmd("wincmd p")
            out.untouched = text("calc.py")
            vim.cmd("AgentAccept file")
            wait("the acceptance", said("2 hunks applied."))
            out.accepted = text("calc.py")
            vim.cmd("silent undo")
            vim.cmd("AgentAgain call it plus")
            wait("another proposal", said("1 hunk in review"))
            out.titles = {}
            for _, id in ipairs(agent.order) do table.insert(out.titles, agent.proposals[id].title) end
            """,
            plain=False,
        )
    assert out["page"] == CALC.replace("add_numbers", "add")
    assert out["untouched"] == CALC and not out["modified"]
    assert out["accepted"] == CALC.replace("add_numbers", "add").replace("(a, b):", "(a, b, *rest):")
    assert out["titles"] == ["rename add_numbers to add", "Again: rename add_numbers to add"]
    assert "call it plus" in fake.requests[-1].last


async def test_next_goes_on_in_other_files_and_what_no_longer_fits_says_why(program: str, folder: Path, model: FakeOpenAI) -> None:
    out = await neovim(
        program,
        folder,
        model.url,
        MARKED
        + r"""
        open("calc.py")
        propose()
        wait("the new lines", function() return #marks().below == 2 end)
        out.way = {}
        for _ = 1, 3 do
          agent.go(1)
          table.insert(out.way, vim.fn.expand("%:t") .. ":" .. vim.fn.line("."))
        end
        for _ = 1, 2 do
          agent.go(-1)
          table.insert(out.way, vim.fn.expand("%:t") .. ":" .. vim.fn.line("."))
        end
        vim.cmd("buffer calc.py")
        vim.api.nvim_buf_set_lines(0, 5, 6, false, { "    return a * 2" })
        local space = vim.api.nvim_get_namespaces().inglenook
        wait("the reason", function()
          for _, each in ipairs(vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })) do
            if each[4].virt_text then
              out.reason = each[4].virt_text[1][1]
              return true
            end
          end
        end)
        out.signs = marks().signs
        """,
        plain=False,
    )
    assert out["way"] == ["calc.py:6", "main.py:1", "calc.py:1", "main.py:1", "calc.py:6"]
    assert out["reason"].startswith("no longer fits here: ")
    assert len(out["reason"]) > len("no longer fits here: ")
    assert out["signs"] == 2


async def test_a_server_that_is_not_there_or_dies_is_told_in_words(program: str, folder: Path, model: FakeOpenAI) -> None:
    out = await neovim(
        program,
        folder,
        model.url,
        r"""
        local path = vim.env.PATH
        vim.env.PATH = "/nowhere"
        vim.cmd("edit calc.py")
        vim.cmd("edit main.py")
        out.absent = vim.deepcopy(out.messages)
        vim.cmd("AgentAccept!")
        out.asked = #out.messages
        vim.env.PATH = path
        open("calc.py")
        out.attached = vim.lsp.buf_is_attached(vim.fn.bufnr("main.py"), agent.client)
        propose()
        vim.loop.kill(vim.fn.system("pgrep -P " .. vim.fn.getpid()):match("%d+") + 0, "sigkill")
        wait("the words", said("Inglenook ended (signal 9)"))
        out.status = agent.statusline()
        vim.cmd("edit")
        wait("the server again", function() return agent.client and vim.lsp.get_client_by_id(agent.client).initialized end)
        wait("what was in review", function() return #agent.waiting() == 3 end)
        """,
        plain=False,
    )
    assert len(out["absent"]) == 1, out["absent"]
    assert "there is no program `inglenook`" in out["absent"][0] and "pip install inglenook" in out["absent"][0]
    assert out["asked"] == 2, "a command says it again"
    assert out["attached"], "files that were read before the server was there are its files too"
    assert out["status"] == ""


@pytest.mark.skipif(NEW is None, reason="Neovim 0.11 was not fetched (bash tests/e2e/fetch_editors.sh says why)")
async def test_the_servers_of_a_new_neovim_know_it(folder: Path, model: FakeOpenAI) -> None:
    (folder / "NOTES").write_text("A file without a type.\n")
    out = await neovim(
        str(NEW),
        folder,
        model.url,
        MARKED
        + r"""
        open("calc.py")
        out.enabled = vim.lsp.is_enabled("inglenook")
        out.names = vim.tbl_map(function(client) return client.name end, vim.lsp.get_clients({ bufnr = 0 }))
        propose()
        wait("the new lines", function() return #marks().below == 2 end)
        vim.cmd("AgentAccept!")
        wait("all", said("3 hunks applied."))
        vim.cmd("silent wall")
        vim.cmd("edit NOTES")
        out.untyped = vim.bo.filetype == "" and vim.lsp.buf_is_attached(0, agent.client)
        vim.cmd("checkhealth vim.lsp")
        out.health = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n")
        """,
        plain=False,
        page=SERVERS,
    )
    assert out["enabled"] and out["names"] == ["inglenook"] and out["untyped"]
    assert "inglenook (id: 1)" in out["health"] and "inglenook:" in out["health"]
    assert (folder / "main.py").read_text() == MAIN.replace("add_numbers", "add")
