"""What every test shares: nothing leaves loopback, and what is skipped is said aloud (and fails the run in CI)."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Generator

import pytest

collect_ignore = ["scenarios"]  # data: some of it is a project with tests of its own


def _is_loopback(host: object) -> bool:
    if not isinstance(host, str):
        return True
    if host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False


def _stay_on_loopback(event: str, args: tuple[object, ...]) -> None:
    """An audit hook: a connection to any other machine is a failed test, whoever makes it in this process."""
    if event in ("socket.connect", "socket.sendto"):
        address = args[1]
        if isinstance(address, tuple) and address and not _is_loopback(address[0]):
            raise PermissionError(f"a test tried to leave loopback: {address!r}")


sys.addaudithook(_stay_on_loopback)


NO_ANSWER = "no answer from"  # begins the reason of a skip that is nobody's fault here: an archive that cannot be reached today


def _why(report: pytest.TestReport) -> str:
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)


def _unexcused(reporter: pytest.TerminalReporter) -> list[pytest.TestReport]:
    return [report for report in reporter.stats.get("skipped", []) if NO_ANSWER not in _why(report)]


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
    for report in terminalreporter.stats.get("skipped", []):
        terminalreporter.write_line(f"NOT RUN: {report.nodeid}: {_why(report)}", yellow=True, bold=True)
    if _unexcused(terminalreporter) and os.environ.get("CI"):
        terminalreporter.write_line("CI has everything that the tests need: nothing may be skipped here.", red=True, bold=True)
    yield


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus == 0 and os.environ.get("CI") and reporter and _unexcused(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
