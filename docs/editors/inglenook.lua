-- Inglenook in Neovim (0.7.2 and later): one file, no plugin. See docs/editors/neovim.md.
local M = { client = nil, proposals = {}, order = {}, runs = {}, run = nil, status = {}, texts = {}, options = {} }
local told_absent = false

local MARKS = vim.api.nvim_create_namespace("inglenook")
local KINDS = { "edit", "refactor", "fix", "tests", "document", "explain" }

local function tell(words, level)
  vim.notify(words, level or vim.log.levels.INFO)
end

local function warn(words)
  tell(words, vim.log.levels.WARN)
end

local function server()
  return M.client and vim.lsp.get_client_by_id(M.client)
end

-- JSON's null is vim.NIL in a table, and not nil.
local function given(value)
  return value ~= nil and value ~= vim.NIL
end

local function request(method, params, done)
  local client = server()
  if not client then
    return warn(M.absent() or "Inglenook is not running here: open a file below " .. M.options.root .. ".")
  end
  local function answered(err, result)
    if err then
      tell(err.message, vim.log.levels.ERROR)
    elseif done then
      done(result)
    end
  end
  if vim.fn.has("nvim-0.11") == 1 then
    client:request(method, params, answered)
  else
    client.request(method, params, answered)
  end
end

-- Sends a command of the server; `done` gets its result. Errors are shown.
function M.send(command, argument, done)
  request("workspace/executeCommand", { command = "inglenook." .. command, arguments = { argument } }, done)
end

-- ---- the server

-- What is wrong if the server cannot be started, nil if nothing is.
function M.absent()
  local program = M.options.cmd[1]
  if vim.fn.executable(program) == 1 then
    return nil
  end
  return ("Inglenook: there is no program `%s`. Install it (`pip install inglenook`), or say where it is: cmd = { \"/path/to/inglenook\", \"lsp\" }."):format(program)
end

-- Whether a buffer is a file below the folder, and the server can be had. What is wrong is said once.
local function ours(buffer)
  local name = vim.api.nvim_buf_get_name(buffer)
  if vim.bo[buffer].buftype ~= "" or name:sub(1, #M.options.root + 1) ~= M.options.root .. "/" then
    return false
  end
  local absent = M.absent()
  if absent and not told_absent then
    told_absent = true
    warn(absent)
  end
  return absent == nil
end

-- How a language client starts the server.
local function client_config()
  return {
    name = "inglenook",
    cmd = M.options.cmd,
    root_dir = M.options.root,
    init_options = { events = not M.options.plain, settings = M.options.settings or vim.empty_dict() },
    handlers = { ["inglenook/event"] = function(_, event) M.hear(event) end },
    flags = { debounce_text_changes = 0 }, -- what an accepted edit changed is told before the edit is answered, and not a while after it
    on_init = function(client)
      M.client = client.id
      vim.schedule(M.attach_all)
    end,
    on_exit = function(code, signal) vim.schedule(function() M.gone(code, signal) end) end,
  }
end

function M.attach(buffer)
  if not ours(buffer) then
    return
  end
  if not server() and not M.options.enabled then
    if vim.lsp.start then
      M.client = vim.lsp.start(client_config(), { bufnr = buffer })
    else
      M.client = vim.lsp.start_client(client_config())
    end
  end
  if server() and not vim.lsp.buf_is_attached(buffer, M.client) then
    vim.lsp.buf_attach_client(buffer, M.client)
  end
end

-- Files that were read before the server was there.
function M.attach_all()
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buffer) and vim.api.nvim_buf_get_name(buffer) ~= "" then
      M.attach(buffer)
    end
  end
end

-- For Neovim 0.11 and later: vim.lsp.config("inglenook", require("inglenook").config({ ... })), then vim.lsp.enable("inglenook").
function M.config(options)
  M.setup(vim.tbl_extend("force", options or {}, { enabled = true }))
  local config = client_config()
  config.root_dir = function(buffer, found)
    if ours(buffer) then
      found(M.options.root)
    end
  end
  return config
end

-- ---- what waits

-- Every hunk that waits: { proposal, file, hunk }, newest proposal first, in the order of their lines.
function M.waiting(uri)
  local found = {}
  for at = #M.order, 1, -1 do
    local proposal = M.proposals[M.order[at]]
    for _, file in ipairs(proposal and proposal.files or {}) do
      for _, hunk in ipairs(file.hunks) do
        if hunk.decision == "pending" and (not uri or file.uri == uri or file.toUri == uri) then
          table.insert(found, { proposal = proposal, file = file, hunk = hunk })
        end
      end
    end
  end
  return found
end

local function first_line(hunk)
  local at = given(hunk.range) and hunk.range or given(hunk.near) and hunk.near or nil
  return at and at.start.line
end

local function holds(hunk, line)
  if not given(hunk.range) then
    return false
  end
  local from = hunk.range.start.line
  return from <= line and line <= math.max(from, hunk.range["end"].line - 1)
end

-- The hunk under the cursor; in a window on the proposal, the one whose new lines hold it.
function M.here()
  local line, page = vim.fn.line(".") - 1, vim.b.inglenook_page
  for _, each in ipairs(M.waiting(not page and vim.uri_from_bufnr(0) or nil)) do
    local as_shown = page and page.uri == each.file.uri and { range = each.hunk.resultRange } or not page and each.hunk
    if as_shown and holds(as_shown, line) then
      return each
    end
  end
end

-- ---- deciding

-- Decides on the hunk under the cursor, or on everything that waits ("all"), or on what waits in this file ("file").
function M.decide(decision, how)
  local wish = { decision = decision }
  if how == "file" then
    wish.uri = vim.b.inglenook_page and vim.b.inglenook_page.uri or vim.uri_from_bufnr(0)
  elseif how ~= "all" and how ~= true then
    if M.options.plain then
      return M.decide_plainly(decision)
    end
    local here = M.here()
    if not here then
      return warn("No hunk waits under the cursor.")
    end
    wish.proposalId, wish.hunks = here.proposal.id, { here.hunk.id }
  end
  M.send("review.decide", wish, function(done)
    M.decided(done)
  end)
end

-- Without events the server is asked what waits.
function M.decide_plainly(decision)
  M.send("review.list", vim.empty_dict(), function(result)
    M.proposals, M.order = {}, {}
    for at = #result.proposals, 1, -1 do
      M.fold(result.proposals[at])
    end
    local here = M.here()
    if not here then
      return warn("No hunk waits under the cursor.")
    end
    M.send("review.decide", { decision = decision, proposalId = here.proposal.id, hunks = { here.hunk.id } })
  end)
end

function M.decided(done)
  M.fold(done.proposal)
  if not M.options.plain then
    tell(done.words)
  end
end

-- The places of hunks that wait, file by file: { uri, line }.
local function places()
  local files, lines = {}, {}
  for _, each in ipairs(M.waiting()) do
    local uri, line = each.file.uri, first_line(each.hunk)
    if line and each.file.kind ~= "create" then
      if not lines[uri] then
        lines[uri] = {}
        table.insert(files, uri)
      end
      table.insert(lines[uri], line)
    end
  end
  local found = {}
  for _, uri in ipairs(files) do
    table.sort(lines[uri])
    for _, line in ipairs(lines[uri]) do
      table.insert(found, { uri = uri, line = line })
    end
  end
  return found
end

-- Goes to the next hunk that waits, or the one before (-1): in this file, then in the others, and around the end.
function M.go(step)
  local found, uri, here = places(), vim.uri_from_bufnr(0), vim.fn.line(".") - 1
  if #found == 0 then
    return warn("No hunk waits.")
  end
  local last = nil -- of this file, in the direction of the step
  for at = step > 0 and 1 or #found, step > 0 and #found or 1, step do
    local place = found[at]
    if place.uri == uri then
      last = at
      if (place.line - here) * step > 0 then
        break
      end
    end
  end
  local to = found[step > 0 and 1 or #found]
  if last then
    local beyond = (found[last].line - here) * step <= 0
    to = found[(last - 1 + (beyond and step or 0)) % #found + 1]
  end
  if to.uri ~= uri then
    vim.cmd("edit " .. vim.fn.fnameescape(vim.fn.fnamemodify(vim.uri_to_fname(to.uri), ":.")))
  end
  vim.cmd(tostring(math.min(to.line + 1, vim.fn.line("$"))))
end

function M.undo()
  M.send("review.undo", vim.empty_dict(), function(done)
    M.decided(done)
  end)
end

-- Asks again, with words: about the hunk under the cursor, else about all that is not accepted.
function M.again(words)
  local here = M.here()
  local newest = here and here.proposal.id or M.order[#M.order]
  if not newest then
    return warn("There is no proposal to ask again.")
  end
  M.send("review.again", { proposalId = newest, hunks = here and { here.hunk.id } or nil, words = words })
end

-- ---- tasks

-- Starts a task on this file, or on the lines `first` to `last` (counted from 1).
function M.start(kind, words, first, last)
  local task = { kind = kind, instruction = words, uri = vim.uri_from_bufnr(0) }
  if first then
    task.range = { start = { line = first - 1, character = 0 }, ["end"] = { line = last, character = 0 } }
  end
  M.send("run.start", task, function(result)
    M.run = result.runId
  end)
end

-- ---- what the server tells

function M.fold(proposal)
  if not M.proposals[proposal.id] then
    table.insert(M.order, proposal.id)
  end
  M.proposals[proposal.id] = proposal
  M.draw()
end

function M.gone(code, signal)
  M.client, M.proposals, M.order, M.runs, M.status, M.texts = nil, {}, {}, {}, {}, {}
  M.draw()
  if not given(vim.v.exiting) and (code ~= 0 or signal ~= 0) then
    local how = signal ~= 0 and "signal " .. signal or "status " .. code
    tell(("Inglenook ended (%s). `:edit` in a file starts it again; what was in review is kept."):format(how), vim.log.levels.ERROR)
  end
end

local function page(lines, name, filetype)
  vim.cmd("botright vnew")
  vim.api.nvim_buf_set_lines(0, 0, -1, false, lines)
  vim.bo.buftype, vim.bo.bufhidden, vim.bo.swapfile, vim.bo.filetype = "nofile", "wipe", false, filetype
  vim.bo.modified = false
  pcall(vim.api.nvim_buf_set_name, 0, name)
end

local function outline(event)
  local shown = {}
  for number, step in ipairs(event.steps) do
    table.insert(shown, number .. ". " .. step)
  end
  tell("The agent means to:\n" .. table.concat(shown, "\n"))
  vim.ui.select({ "Approve", "Send Back…", "Decline" }, { prompt = "The outline of the agent" }, function(choice)
    if choice == "Approve" or choice == "Decline" then
      M.send("outline.decide", { runId = event.runId, decision = choice:lower() })
    elseif choice then
      vim.ui.input({ prompt = "What should be otherwise? " }, function(words)
        if words and words ~= "" then
          M.send("outline.decide", { runId = event.runId, decision = "revise", words = words })
        end
      end)
    end
  end)
end

local ENDED = { failed = vim.log.levels.ERROR, limited = vim.log.levels.WARN, nothing = vim.log.levels.WARN }

local HEAR = {
  statusChanged = function(event) M.status = event.status end,
  runStarted = function(event) M.runs[event.runId] = { title = event.title, words = "starting" } end,
  runPhase = function(event)
    if M.runs[event.runId] then
      M.runs[event.runId].words = event.words ~= "" and event.words or event.phase
    end
  end,
  runPrefill = function(event)
    if M.runs[event.runId] then
      M.runs[event.runId].words = ("reading %d %%"):format(100 * event.processed / math.max(1, event.total))
    end
  end,
  runSpeed = function(event) M.status.tokensPerSecond = event.tokensPerSecond end,
  runNote = function(event) tell(event.words) end,
  runOutline = outline,
  runEnded = function(event)
    M.runs[event.runId] = nil
    if ENDED[event.state] then
      tell(vim.trim(event.words .. " " .. event.hint), ENDED[event.state])
    end
    if given(event.proposalId) then
      local hunks = #M.waiting()
      tell(("%d hunk%s in review; nothing is written yet."):format(hunks, hunks == 1 and "" or "s"))
    end
  end,
  proposalChanged = function(event) M.fold(event.proposal) end,
  answerReady = function(event)
    M.send("run.answer", { runId = event.runId }, function(answer)
      page(vim.split(answer.markdown, "\n"), answer.title, "markdown")
    end)
  end,
  runConsent = function(event) M.consent(event) end,
}

-- Whether something may leave this machine: every word of what would be sent is shown, and no is what is preselected.
function M.consent(event)
  vim.schedule(function()
    local answer = vim.fn.confirm("Send this to " .. event.endpoint .. "? It leaves this machine.\n" .. event.words, "&Keep It Here\n&Send It", 1, "Warning")
    M.send("run.consent", { runId = event.runId, allow = answer == 2 })
  end)
end

function M.hear(event)
  local heard = HEAR[event.type]
  if heard then
    heard(event)
  end
  if event.type ~= "runText" then
    vim.cmd("redrawstatus")
  end
end

-- For a status line: the model, its speed, what runs, what waits.
function M.statusline()
  local parts = {}
  if M.status.state == "down" then
    table.insert(parts, "no model")
  elseif M.status.model and M.status.model ~= "" then
    table.insert(parts, M.status.model)
  end
  if M.status.tunnel and M.status.tunnel ~= "" then
    table.insert(parts, M.status.tunnel)
  end
  if given(M.status.tokensPerSecond) and M.status.tokensPerSecond > 0 then
    table.insert(parts, ("%.0f tok/s"):format(M.status.tokensPerSecond))
  end
  for _, run in pairs(M.runs) do
    table.insert(parts, run.words)
  end
  local hunks = #M.waiting()
  if hunks > 0 then
    table.insert(parts, hunks .. (hunks == 1 and " hunk" or " hunks") .. " to review")
  end
  return table.concat(parts, " · ")
end

-- ---- marks: what would go is coloured, what would come stands below it; no character of the buffer changes

local function mark(buffer, each)
  local hunk, id = each.hunk, each.proposal.id .. each.hunk.id
  local line = first_line(hunk)
  if not line then
    return
  end
  local count = vim.api.nvim_buf_line_count(buffer)
  local unfit = not given(hunk.range)
  local last = unfit and line or hunk.range["end"].line
  for at = line, math.min(math.max(line, last - 1), count - 1) do
    local goes = not unfit and at < last
    vim.api.nvim_buf_set_extmark(buffer, MARKS, at, 0, {
      sign_text = unfit and "!" or "▎",
      sign_hl_group = unfit and "WarningMsg" or goes and "DiffDelete" or "DiffAdd",
      line_hl_group = goes and "DiffDelete" or nil,
      virt_text = unfit and { { "no longer fits here: " .. hunk.reason, "WarningMsg" } } or nil,
    })
  end
  local new = M.texts[id]
  if unfit or not new or new == "" then
    return
  end
  local below = {}
  for _, text in ipairs(vim.split((new:gsub("\r?\n$", "")), "\r?\n")) do
    table.insert(below, { { text == "" and " " or text, "DiffAdd" } })
  end
  local above = last == 0
  local anchor = math.min(above and 0 or last - 1, count - 1)
  vim.api.nvim_buf_set_extmark(buffer, MARKS, anchor, 0, { virt_lines = below, virt_lines_above = above })
end

-- Fetches the new lines of a hunk once, then draws.
local function fetch(each)
  local id = each.proposal.id .. each.hunk.id
  if M.texts[id] == nil and each.hunk.kind == "text" and not M.options.plain then
    M.texts[id] = ""
    M.send("review.hunk", { proposalId = each.proposal.id, hunk = each.hunk.id }, function(text)
      M.texts[id] = text.new
      M.draw()
    end)
  end
end

function M.draw()
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buffer) and vim.bo[buffer].buftype == "" then
      vim.api.nvim_buf_clear_namespace(buffer, MARKS, 0, -1)
      for _, each in ipairs(M.options.plain and {} or M.waiting(vim.uri_from_bufnr(buffer))) do
        fetch(each)
        mark(buffer, each)
      end
    end
  end
end

-- ---- the proposal beside the file, to be read and edited

-- Opens what is proposed for this file beside it, as a diff. Writing it (`:w`) edits the proposal, and no file.
function M.show()
  if M.options.plain then
    return M.send("review.show", vim.empty_dict())
  end
  local each = M.waiting(vim.uri_from_bufnr(0))[1] or M.waiting()[1]
  if not each then
    return warn("No proposal is open.")
  end
  if each.file.kind ~= "create" and vim.uri_from_bufnr(0) ~= each.file.uri then
    vim.cmd("edit " .. vim.fn.fnameescape(vim.uri_to_fname(each.file.uri)))
  end
  local filetype = vim.bo.filetype
  request("workspace/textDocumentContent", { uri = each.file.resultUri }, function(result)
    if each.file.kind ~= "create" then
      vim.cmd("diffthis")
    end
    local text = result.text:gsub("\n$", "")
    page(vim.split(text, "\n"), "proposal://" .. each.file.path, filetype)
    vim.bo.buftype = "acwrite"
    vim.bo.modified = false
    vim.b.inglenook_page = { proposal = each.proposal.id, uri = each.file.uri, ends = result.text:sub(-1) == "\n" }
    if each.file.kind ~= "create" then
      vim.cmd("diffthis")
    end
    vim.api.nvim_create_autocmd("BufWriteCmd", { buffer = vim.api.nvim_get_current_buf(), callback = M.amend })
  end)
end

function M.amend(event)
  local about = vim.b[event.buf].inglenook_page
  local text = table.concat(vim.api.nvim_buf_get_lines(event.buf, 0, -1, false), "\n") .. (about.ends and "\n" or "")
  M.send("review.amend", { proposalId = about.proposal, uri = about.uri, text = text }, function(proposal)
    vim.bo[event.buf].modified = false
    for id in pairs(M.texts) do
      if vim.startswith(id, about.proposal) then
        M.texts[id] = nil
      end
    end
    M.fold(proposal)
    tell("The proposal has your change; nothing is written to the file.")
  end)
end

-- ---- setting up

local function maps(buffer)
  local function map(keys, action, words)
    vim.keymap.set("n", keys, action, { buffer = buffer, desc = "Agent: " .. words })
  end
  map("<leader>ay", function() M.decide("accept") end, "accept this hunk")
  map("<leader>an", function() M.decide("reject") end, "reject this hunk")
  map("<leader>au", M.undo, "undo the last decision")
  map("<leader>ad", M.show, "show the proposal")
  map("]a", function() M.go(1) end, "next hunk")
  map("[a", function() M.go(-1) end, "previous hunk")
end

local function commands()
  local command = vim.api.nvim_create_user_command
  command("Agent", function(asked)
    local kind = asked.args ~= "" and asked.args or "edit"
    local first, last
    if asked.range > 0 then
      first, last = asked.line1, asked.line2
    end
    vim.ui.input({ prompt = "Agent, " .. kind .. ": " }, function(words)
      if words then
        M.start(kind, words, first, last)
      end
    end)
  end, { nargs = "?", range = true, complete = function() return KINDS end })
  command("AgentAccept", function(asked) M.decide("accept", asked.bang and "all" or asked.args) end, { bang = true, nargs = "?" })
  command("AgentReject", function(asked) M.decide("reject", asked.bang and "all" or asked.args) end, { bang = true, nargs = "?" })
  command("AgentUndo", M.undo, {})
  command("AgentAgain", function(asked) M.again(asked.args) end, { nargs = "*" })
  command("AgentShow", M.show, {})
  command("AgentCancel", function() M.send("run.cancel", { runId = M.run or next(M.runs) or "" }) end, {})
  command("AgentApprove", function(asked)
    M.send("outline.decide", { runId = M.run or next(M.runs) or "", decision = asked.args == "no" and "decline" or "approve" })
  end, { nargs = "?" })
end

function M.setup(options)
  M.options = vim.tbl_extend("keep", options or {}, { cmd = { "inglenook", "lsp" }, root = vim.fn.getcwd() })
  local group = vim.api.nvim_create_augroup("inglenook", {})
  vim.api.nvim_create_autocmd({ "BufReadPost", "BufNewFile" }, {
    group = group,
    callback = function(event)
      M.attach(event.buf)
      if M.options.maps ~= false and vim.bo[event.buf].buftype == "" then
        maps(event.buf)
      end
      vim.schedule(M.draw)
    end,
  })
  vim.api.nvim_create_autocmd({ "BufEnter", "CursorHold", "InsertLeave" }, {
    group = group,
    callback = function(event)
      if event.event == "BufEnter" then
        M.attach(event.buf)
      end
      local client = server()
      if client and client.initialized and vim.lsp.buf_is_attached(event.buf, M.client) and (M.options.plain or M.options.lenses) then
        vim.lsp.codelens.refresh()
      end
    end,
  })
  commands()
end

return M
