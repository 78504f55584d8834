"""One Python object per wire type; the JSON beside this file is how each looks on the wire."""

from __future__ import annotations

from inglenook.protocol import commands as c
from inglenook.protocol import events as e
from inglenook.protocol import models as m
from inglenook.protocol import remote as r
from inglenook.protocol import settings as s
from inglenook.protocol.base import Nothing, Position, Range, Wire

RANGE = Range(start=Position(line=3, character=0), end=Position(line=5, character=17))
HUNK = e.HunkView(
    id="h2",
    kind="text",
    decision="stale",
    reason="The lines it replaces were changed: today lines 4–6.",
    header="lines 4–5",
    range=RANGE,
    result_range=None,
    near=RANGE,
    added=3,
    removed=2,
    notes=["matched after ignoring indentation"],
)
FILE = e.FileView(
    uri="file:///home/me/proj/b%20c.py",
    path="b c.py",
    kind="rename",
    to_uri="file:///home/me/proj/d.py",
    base_uri="inglenook://base.p1a2b3c4d/b%20c.py",
    result_uri="inglenook://result.p1a2b3c4d/b%20c.py",
    hunks=[HUNK],
)
CHECK = e.CheckView(name="pytest", state="failed", seconds=1.5, tail="1 failed", new=["test_a"], words="1 new failure")
VERDICT = e.VerdictView(state="failed", words="pytest fails: test_a is new.", breaks=True, checks=[CHECK])
TESTS = c.CheckBrief(name="tests", command=["python3", "-m", "pytest", "-q"], seconds=300, folder="proj")
LINT = c.CheckBrief(name="lint", command=["ruff", "check", "."], seconds=60.5, folder="proj", source="pyproject.toml")
ACCEPTANCE = c.AcceptanceBrief(
    id="a1b2c3d4",
    title="Roll back: Rename",
    at="2026-01-02T03:04:05.678Z",
    who="person",
    files=["b c.py → d.py", "a.py"],
    undoes="a0f1e2d3",
    undone_by="a9b8c7d6",
)
PROPOSAL = e.ProposalView(
    id="p1a2b3c4d", run_id="r5e6f7a8b", title="Rename", summary="Renames one function.", open=True, files=[FILE], verdict=VERDICT
)
STATUS = e.Status(
    cached=0.97,
    used=12_345,
    state="ready",
    model="qwen2.5-coder:7b",
    endpoint="http://127.0.0.1:11434/v1",
    window=32768,
    tokens_per_second=41.5,
    running=1,
    words="",
)
MODEL = m.ModelBrief(
    name="qwen2.5-coder:7b",
    url="http://127.0.0.1:11434/v1",
    via="ssh gpubox",
    endpoint="Ollama at http://127.0.0.1:11434/v1 via ssh gpubox",
    used=True,
    loaded=True,
    remote=False,
    window=32768,
    fits=True,
    tokens_per_second=41.5,
    facts=["loaded", "window 32,768"],
)
GRANT = e.GrantView(uri="file:///home/me/proj/src/orders", path="src/orders/")
DIAGNOSTIC = c.DiagnosticBrief(range=RANGE, message="a is not defined", source="ruff")
SETTINGS = s.Settings(
    endpoint=s.EndpointSettings(
        url="http://127.0.0.1:8000/v1", model="coder", api_key_variable="MY_KEY", window=16384, more=["http://127.0.0.1:8001"], parallel=2
    ),
    remote=s.RemoteSettings(host="gpubox", port=9000, start="systemctl --user start ollama"),
    hosted=s.HostedSettings(
        use="ask",
        folders=["~/open"],
        kinds=["refactor", "small"],
        name="Example",
        url="https://api.example.com/v1",
        model="large",
        wire="anthropic",
        window=200_000,
        key_variable="EXAMPLE_KEY",
        key_command=["pass", "show", "example"],
    ),
    outline="always",
    limits=s.LimitSettings(turns=5, output_tokens=4000, minutes=2.5, repairs=1),
    checks=s.CheckSettings(run="never", sandbox="podman", image="python:3.12"),
    reader=s.ReaderSettings(run="always"),
    rules="never",
    ledger=s.LedgerSettings(texts=True, megabytes=50),
    lenses=False,
)

EXAMPLES: tuple[Wire, ...] = (
    Nothing(),
    c.StartRun(
        kind="fix",
        instruction="fix it",
        uri="file:///home/me/proj/a.py",
        range=RANGE,
        uris=["file:///home/me/proj/lib"],
        grants=["file:///home/me/proj/src/orders"],
        diagnostics=[DIAGNOSTIC],
        command="changelog",
    ),
    c.RunRef(run_id="r5e6f7a8b"),
    c.RevokeGrant(run_id="r5e6f7a8b", uri="file:///home/me/proj/src/orders"),
    c.GrantList(grants=[GRANT]),
    c.ProposalRef(proposal_id="p1a2b3c4d", hunk="h2"),
    c.DecideOutline(run_id="r5e6f7a8b", decision="revise", words="leave main.py alone"),
    c.DecideHunks(decision="accept", proposal_id="p1a2b3c4d", hunks=["h1", "h2"], uri="file:///home/me/proj/a.py"),
    c.HunkRef(proposal_id="p1a2b3c4d", hunk="h2"),
    c.AskAgain(
        proposal_id="p1a2b3c4d",
        hunks=["h2"],
        uri="file:///home/me/proj/a.py",
        words="keep the name",
        model="qwen3-coder:30b",
        url="http://127.0.0.1:11434/v1",
        via="ssh gpubox",
    ),
    c.RefitHunks(proposal_id="p1a2b3c4d", hunks=["h2"], uri="file:///home/me/proj/a.py"),
    c.Refitted(fits=["h3"], there=[], run_id="r1a2b3c4d", words="Re-fitted: 1 hunk fits again.", proposal=PROPOSAL),
    c.AmendProposal(proposal_id="p1a2b3c4d", uri="file:///home/me/proj/a.py", text="a = 1  # é\n"),
    c.HunkText(old="a = 1\n", new="a = 1  # é\nb = 2\n"),
    c.Decided(applied=True, accepted=["h1"], stale=["h2"], words="1 hunk applied.", proposal=PROPOSAL),
    c.ProposalList(proposals=[PROPOSAL]),
    c.Answer(run_id="r5e6f7a8b", title="Explain a.py", markdown="It **adds**.\n"),
    c.CheckList(declared=[TESTS], suggested=[LINT]),
    c.AdoptChecks(names=["lint"]),
    c.DecideConsent(run_id="r5e6f7a8b", allow=True),
    r.ConnectRemote(host="me@gpubox", port=9000),
    r.RemoteState(
        host="gpubox",
        connected=False,
        words="The host key of gpubox is not known.",
        hint="Compare it.",
        fingerprint="SHA256:abc",
        start="systemctl --user start ollama",
        warnings=["Ollama listens on 0.0.0.0:11434 without a key."],
    ),
    r.AcceptHostKey(fingerprint="SHA256:abc"),
    r.StartRemote(command="systemctl --user start ollama"),
    c.AcceptanceRef(acceptance_id="a1b2c3d4"),
    c.AcceptanceList(acceptances=[ACCEPTANCE]),
    c.ThreeWays(uri="inglenook://unfit.p1/does-not-fit.txt", text="<<<<<<< yours: the text now\n"),
    c.ReportAsked(since="6w", compare=["qwen2.5-coder:7b@aa11", "gpt-oss:20b"]),
    c.ReportShown(
        uri="inglenook://report.tasks/report.md", charts="file:///home/me/.local/state/report.html", markdown="# proj: 3 tasks\n"
    ),
    c.CommitAsked(uri="file:///home/me/proj"),
    c.CommitMessage(message="Rename it", trailers=["Assisted-by: qwen (Inglenook): Rename it"], whole="Rename it\n", withheld=1),
    c.TeamCommandList(
        commands=[
            c.TeamCommandBrief(
                name="changelog",
                title="Add a changelog line",
                kind="edit",
                when="selection",
                prompt="Add one line about this change to CHANGELOG.md.",
                uri="file:///home/me/proj/.inglenook/commands/changelog.md",
            )
        ],
        faults=["`.inglenook/commands/old.md` has no head."],
    ),
    c.AdoptedChecks(added=["lint"], kept=["tests"], uris=["file:///home/me/proj/.inglenook/checks.toml"], words="lint runs from now on."),
    m.ModelList(models=[MODEL], words=""),
    m.SelectModel(model="qwen2.5-coder:7b", url="http://127.0.0.1:11434/v1", via="ssh gpubox"),
    m.ModelSelected(
        words="Runs use qwen2.5-coder:7b.",
        status=STATUS,
        settings=[m.SettingValue(key="inglenook.endpoint.model", value="qwen2.5-coder:7b")],
    ),
    m.PullModel(name="qwen2.5-coder:7b", url="http://127.0.0.1:11434/v1"),
    m.ModelRef(name="qwen2.5-coder:7b"),
    m.ModelPulled(name="qwen2.5-coder:7b", done=True, words="qwen2.5-coder:7b is there."),
    m.SetupChecked(
        uri="inglenook://setup.page/setup.md",
        state="warning",
        findings=[m.FindingView(about="model", state="warning", words="That window is small.", hint="Make it larger.")],
        markdown="# Setup\n",
    ),
    PROPOSAL,
    STATUS,
    SETTINGS,
    s.InitializationOptions(events=True, settings=SETTINGS),
    e.RunStarted(run_id="r5e6f7a8b", kind="refactor", title="Rename add_numbers to add", grants=[GRANT]),
    e.RunPhase(run_id="r5e6f7a8b", phase="checking", words="Running pytest"),
    e.RunOutline(run_id="r5e6f7a8b", steps=["a.py: rename it", "b.py: call it"], files=["a.py", "b.py"]),
    e.RunConsent(
        run_id="r5e6f7a8b",
        endpoint="Example",
        place="https://api.example.com/v1",
        model="large",
        reason="The local model failed 3 times in a row.",
        files=[e.LeavingFile(path="b c.py", bytes=1024)],
        bytes=1100,
        words="1 file, 1.1 kB would go to Example.",
    ),
    e.RunText(run_id="r5e6f7a8b", text="dé", reasoning=True),
    e.RunPrefill(run_id="r5e6f7a8b", processed=2048, total=9000),
    e.RunSpeed(
        run_id="r5e6f7a8b", model="qwen2.5-coder:7b", tokens_per_second=41.5, prompt_tokens=612, output_tokens=80, cached_tokens=512
    ),
    e.RunTool(run_id="r5e6f7a8b", tool="read", subject="a.py", ok=False, words="There is no a.py."),
    e.RunDrafted(
        run_id="r5e6f7a8b",
        uri="file:///home/me/proj/a.py",
        path="a.py",
        base_uri="inglenook-draft://before.r5e6f7a8b/a.py",
        draft_uri="inglenook-draft://draft.r5e6f7a8b/a.py",
        hunks=[e.DraftedHunk(kind="text", header="lines 12–14", added=3, removed=3)],
        lines=0,
    ),
    e.RunNote(run_id="r5e6f7a8b", words="An edit did not match and went back to the model."),
    e.ProposalChanged(proposal=PROPOSAL),
    e.AnswerReady(run_id="r5e6f7a8b", uri="inglenook://answer.r5e6f7a8b/Explain%20a.py.md", title="Explain a.py"),
    e.RunEnded(
        run_id="r5e6f7a8b",
        state="failed",
        words="Nobody answers at http://127.0.0.1:9/v1.",
        hint="Start the server.",
        code="endpoint_down",
        proposal_id="p1a2b3c4d",
    ),
    e.StatusChanged(status=STATUS),
    e.ModelNews(name="qwen2.5-coder:7b", words="downloading", done=1_000_000_000, total=4_000_000_000),
)
