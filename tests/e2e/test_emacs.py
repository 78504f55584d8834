"""A real Emacs with Eglot, in batch, with the file from docs/editors: code action, run, decisions, one undo."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from e2e.test_neovim import CALC, MAIN, RENAME
from fakes.openai import FakeOpenAI

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.anyio,
    pytest.mark.skipif(
        shutil.which("emacs") is None
        or subprocess.run(["emacs", "--batch", "--eval", "(require 'eglot)"], capture_output=True).returncode != 0,
        reason="Emacs with Eglot is not installed (apt-get install emacs-nox elpa-eglot)",
    ),
]
FILE = Path(__file__).resolve().parents[2] / "docs" / "editors" / "inglenook.el"

PRELUDE = r"""
(package-initialize)
(defvar out (list))
(defvar said nil)
(defun note (key value) (setq out (plist-put out key value)))
(advice-add 'message :before (lambda (words &rest more) (when words (push (apply #'format words more) said))))
(load (getenv "SCENARIO_FILE") nil t)
(require 'json)
(setq inglenook-command (append (json-parse-string (getenv "SCENARIO_SERVER") :array-type 'list) nil)
      inglenook-settings (json-parse-string (getenv "SCENARIO_SETTINGS") :object-type 'plist :false-object :json-false)
      eglot-sync-connect 30
      make-backup-files nil create-lockfiles nil)
(add-to-list 'eglot-server-programs '(python-mode . inglenook-contact))
;; Eglot asks before it edits a file that is not open; a person says yes.
(defvar asked 0)
(advice-add 'y-or-n-p :override (lambda (&rest _) (setq asked (1+ asked)) t))
(defun until (what test)
  (with-timeout (60 (error "waited in vain for %s: %S" what said))
    (while (not (funcall test)) (accept-process-output nil 0.05))))
(defun heard (part) (seq-some (lambda (words) (string-match-p (regexp-quote part) words)) said))
(defun text (name) (with-current-buffer (find-file-noselect name) (buffer-substring-no-properties (point-min) (point-max))))
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "proj"
    root.mkdir()
    (root / "calc.py").write_text(CALC)
    (root / "main.py").write_text(MAIN)
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    return root


async def emacs(folder: Path, fake: FakeOpenAI, scenario: str) -> dict[str, Any]:
    """Plays a scenario in Lisp; gives what it put into `out`."""
    script, result = folder.parent / "scenario.el", folder.parent / "out.json"
    script.write_text(
        f'{PRELUDE}\n(condition-case problem (progn\n{scenario}\n) (error (note :problem (format "%S" problem))))\n'
        f'(note :said (apply #\'vector said))\n(with-temp-file "{result}" (insert (json-serialize out)))\n'
    )
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder.parent),
        "XDG_STATE_HOME": str(folder.parent / "state"),
        "XDG_CACHE_HOME": str(folder.parent / "cache"),
        "LANG": "C.UTF-8",
        "SCENARIO_FILE": str(FILE),
        "SCENARIO_SETTINGS": json.dumps({"endpoint": {"url": fake.url}, "checks": {"run": "never"}}),
        "SCENARIO_SERVER": json.dumps([sys.executable, "-m", "inglenook", "lsp"]),
    }
    with anyio.fail_after(120):
        done = await anyio.run_process(["emacs", "--batch", "--load", str(script)], cwd=folder, env=env, check=False)
    assert result.exists(), (done.stdout + done.stderr).decode()
    out: dict[str, Any] = json.loads(result.read_text())
    assert "problem" not in out, out
    return out


async def test_a_task_is_proposed_decided_by_command_and_taken_back(folder: Path) -> None:
    async with FakeOpenAI([RENAME]) as fake:
        out = await emacs(
            folder,
            fake,
            r"""
            (find-file "calc.py")
            (apply #'eglot--connect (eglot--guess-contact))
            (inglenook-start "refactor" "rename add_numbers to add, callers too")
            (until "the proposal" (lambda () (heard "is in review")))
            (note :before (text "calc.py"))
            (flymake-start)
            (until "the notes" (lambda () (= 2 (length (flymake-diagnostics)))))
            (goto-char (point-max))
            (flymake-goto-prev-error)
            (note :line (line-number-at-pos))
            (goto-char (point-min))
            (note :hint (flymake-diagnostic-text (car (flymake-diagnostics (point-min) (line-end-position)))))
            (inglenook-accept nil)
            (note :first (text "calc.py"))
            (inglenook-undo)
            (note :back (text "calc.py"))
            (goto-char (point-min))
            (forward-line 5)
            (inglenook-reject nil)
            (inglenook-accept t)
            (note :calc (text "calc.py"))
            (note :main (text "main.py"))
            (note :asked asked)
            (condition-case wrong (inglenook-accept t) (error (note :nothing (format "%S" wrong))))
            """,
        )
    assert out["before"] == CALC
    assert out["hint"] == "Agent: Proposed, 1 of 3: 1 line → 1\n+ def add(a, b):"
    assert out["line"] == 6
    assert out["first"] == CALC.replace("def add_numbers", "def add")
    assert out["back"] == CALC
    assert out["calc"] == CALC.replace("def add_numbers", "def add")
    assert out["main"] == MAIN.replace("add_numbers", "add")
    assert out["asked"] == 1, "one question, for the file that was not open"
    assert "No proposal is open" in out["nothing"]
    assert "rename add_numbers to add, callers too" in fake.requests[0].last


async def test_a_code_action_starts_a_run_and_another_accepts_the_hunk_at_point(folder: Path) -> None:
    async with FakeOpenAI([RENAME]) as fake:
        out = await emacs(
            folder,
            fake,
            r"""
            (find-file "calc.py")
            (apply #'eglot--connect (eglot--guess-contact))
            (defvar wanted nil)
            (setq last-nonmenu-event ?a)  ; not a mouse, so no pop-up menu
            (defun choose (_prompt rows &rest _)
              (or (seq-find (lambda (row) (string-prefix-p wanted row)) (mapcar (lambda (row) (if (consp row) (car row) row)) rows))
                  (error "nobody offers %s among %S" wanted rows)))
            (advice-add 'completing-read :override #'choose)
            (setq wanted "Agent: Refactor")
            (eglot-code-actions (point-min) (line-end-position 2) nil t)
            (until "the proposal" (lambda () (heard "is in review")))
            (goto-char (point-min))
            (setq wanted "Agent: Accept")
            (eglot-code-actions (point-min) (line-end-position) nil t)
            (until "the hunk" (lambda () (heard "applied.")))
            (note :calc (text "calc.py"))
            """,
        )
    assert out["calc"] == CALC.replace("def add_numbers", "def add")
