"""What ssh is asked, and what its words mean for a person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.endpoints import ssh
from inglenook.errors import ConfigError

TOLD = [
    ("No ED25519 host key is known for box and you have requested strict checking.\nHost key verification failed.", "key unknown"),
    ("@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.", "key changed"),
    ("@    WARNING: REVOKED HOST KEY DETECTED!     @\nHost key verification failed.", "key changed"),
    ("me@box: Permission denied (publickey).", "denied"),
    ("Received disconnect from 10.0.0.2 port 22:2: Too many authentication failures", "denied"),
    ("/me/config: line 3: Bad configuration option: bogus\n/me/config: terminating, 1 bad configuration options", "settings"),
    ("Bad owner or permissions on /home/me/.ssh/config", "settings"),
    ("Unable to negotiate with 10.0.0.2 port 22: no matching host key type found. Their offer: ssh-rsa", "algorithms"),
    ("unix_listener: cannot bind to path /tmp/x/1.sock: Address already in use\nCould not request local forwarding.", "bind"),
    ("Bad local forwarding specification '/tmp/very/long'", "bind"),
    ("ssh: Could not resolve hostname nowhere: Name or service not known", "name"),
    ("ssh: connect to host box port 22: Connection refused", "refused"),
    ("ssh: connect to host box port 22: Connection timed out", "timeout"),
    ("Connection timed out during banner exchange\nConnection to UNKNOWN port 65535 timed out", "timeout"),
    ("ssh: connect to host box port 22: No route to host", "network"),
    ("Timeout, server box not responding.", "silent"),
    ("Connection to box closed by remote host.", "closed"),
    ("kex_exchange_identification: read: Connection reset by peer", "closed"),
    ("kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535", "closed"),
    ("something that nobody has seen before", "other"),
    ("", "other"),
]  # fmt: skip
RETRIED = {"name", "refused", "timeout", "network", "silent", "slow", "closed", "other"}


@pytest.mark.parametrize(("told", "kind"), TOLD, ids=[f"{n}-{kind}" for n, (_, kind) in enumerate(TOLD)])
def test_each_end_of_ssh_has_words_and_a_next_step(told: str, kind: str) -> None:
    found = ssh.trouble("box", ["A banner: no trespassing.", *told.splitlines()] if told else [], 255)
    assert (found.kind, found.again) == (kind, kind in RETRIED)
    assert found.hint and "{" not in found.words + found.hint
    assert "box" in found.words or kind in ("settings", "bind")


def test_what_single_connections_met_is_not_why_ssh_ended() -> None:
    lines = ["channel 1: open failed: connect failed: Connection refused", "Timeout, server box not responding."]
    assert ssh.trouble("box", lines, 255).kind == "silent"
    assert ssh.trouble("box", lines[:1], 255).kind == "other"


def test_a_banner_of_the_other_side_is_no_command_to_us() -> None:
    found = ssh.trouble("box", ["\x1b[31mPermission denied\x1b[0m to strangers", "Connection closed by 10.0.0.2 port 22"], 255)
    assert found.kind == "closed"
    assert "\x1b" not in ssh.trouble("box", ["\x1b[31mred\x1b[0m"], 255).words


def test_a_key_file_that_cannot_be_used_is_named() -> None:
    lines = ["Warning: Identity file /home/me/gone not accessible: No such file or directory.", "me@box: Permission denied (publickey)."]
    assert "/home/me/gone cannot be used: No such file or directory." in ssh.trouble("box", lines, 255).words
    lines = [
        "Permissions 0644 for '/home/me/key' are too open.",
        'Load key "/home/me/key": bad permissions',
        "x: Permission denied (publickey).",
    ]
    assert "/home/me/key cannot be used" in ssh.trouble("box", lines, 255).words


def test_the_fingerprint_of_the_key_that_was_refused_is_the_last_one() -> None:
    unknown = ssh.trouble("box", ["Host key verification failed."], 255)
    log = "debug1: Server host key: ssh-ed25519 SHA256:jump\ndebug1: x\ndebug1: Server host key: ecdsa-sha2-nistp256 SHA256:box+/\n"
    assert "ecdsa-sha2-nistp256 key SHA256:box+/." in ssh.with_fingerprint(unknown, log).words
    assert ssh.with_fingerprint(unknown, "ssh: nothing") == unknown
    denied = ssh.trouble("box", ["x: Permission denied (publickey)."], 255)
    assert ssh.with_fingerprint(denied, log) == denied


@pytest.mark.parametrize(
    "host", ["box", "me@box", "me@10.0.0.2", "ssh://me@box:2222", "::1", "fe80::1%eth0", "WORK\\me@box", " box ", "a-b_c.d"]
)
def test_destinations_of_ssh(host: str) -> None:
    assert ssh.checked(host) == host.strip()


HOSTILE = ["", "  ", "-oProxyCommand=touch /tmp/x", "-oProxyCommand=id", "me@-oProxyCommand=id", "-l@box", "ssh://-oProxyCommand=id", "a b",
           "box;id", "$(id)", "`id`", "box\nHost x", "box|id", "me@", "ssh://", "a&b", "'box'", "box\x00", "b\\ox", "box>x",
           "box:", "box:8000", "me@box:22"]  # fmt: skip


@pytest.mark.parametrize("host", HOSTILE)
def test_what_is_no_destination_is_refused(host: str) -> None:
    with pytest.raises(ConfigError) as refused:
        ssh.checked(host)
    assert "inglenook.remote.host" in refused.value.hint


@given(st.text(max_size=20))
def test_no_admitted_host_can_be_an_option_or_a_shells_words(host: str) -> None:
    try:
        words = ssh.checked(host)
    except ConfigError:
        return
    argv = ssh.command(("ssh",), words, {1: "/tmp/1.sock"}, "READY", keepalive=(5, 2), connect_seconds=10)
    assert argv[-2:] == ["--", words]
    assert not words.startswith("-") and not set(words) & set("'\"`$;&|<> \n\t\x00")


def test_a_key_is_never_accepted_unasked_and_nobody_is_asked() -> None:
    for argv in (
        ssh.command(("ssh",), "box", {11434: "/tmp/a.sock"}, "READY-1", keepalive=(5, 2), connect_seconds=10),
        ssh.asking_for_the_key(("ssh",), "box"),
    ):
        assert {"StrictHostKeyChecking=yes", "BatchMode=yes", "ForwardAgent=no", "ControlPath=none"} <= set(argv)
        assert argv[:2] == ["ssh", "-N"] and argv[-2:] == ["--", "box"]


def test_the_command_to_run_by_hand_can_be_pasted() -> None:
    assert ssh.by_hand("me@box") == "ssh me@box"
    assert ssh.by_hand("WORK\\me@box") == "ssh 'WORK\\me@box'"
