"""What ssh is asked for a tunnel, and what its last words mean for a person; pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from inglenook.errors import ConfigError

Kind = Literal[
    "missing", "key unknown", "key changed", "denied", "settings", "algorithms", "bind", "name", "refused", "timeout", "network",
    "silent", "slow", "closed", "other",
]  # fmt: skip


@dataclass(frozen=True)
class Trouble:
    """Why ssh ended. `again`: trying again may help; otherwise a person has to do what `hint` says."""

    kind: Kind
    words: str
    hint: str
    again: bool
    fingerprint: str = ""  # of a host key that nobody has accepted yet


@dataclass(frozen=True)
class _Rule:
    """How one kind of trouble is recognised in what ssh wrote, and told. {host}, {command} and {line} are filled in."""

    kind: Kind
    pattern: str
    words: str
    hint: str
    again: bool = False


_ADMIT: Final = "compare the fingerprint with the one that the box itself shows (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` there)"

_RULES: Final = (
    _Rule(
        "key changed",
        r"HOST IDENTIFICATION HAS CHANGED|REVOKED HOST KEY|Host key .* was revoked|DNS SPOOFING",
        "THE HOST KEY OF {host} HAS CHANGED. Somebody may stand between you and it, or the box was installed anew. Nothing was sent.",
        "Ask who runs the box. Only if the new key is really its own: take the old one out of your known hosts, run `{command}` once, "
        f"{_ADMIT}, and answer yes.",
    ),
    _Rule(
        "key unknown",
        r"host key is known for|Host key verification failed",
        "The host key of {host} is not known on this machine, so nothing was sent to it.",
        f"Run `{{command}}` once in a terminal, {_ADMIT}, and answer yes; or accept the fingerprint by `Agent: Connect to Remote Box…` or "
        "`inglenook remote {host} --accept FINGERPRINT`.",
    ),
    _Rule(
        "denied",
        r"Permission denied \(|Too many authentication failures|No more authentication methods",
        "{host} does not let us in: {line}",
        "Make `{command}` work without a question: load your key with `ssh-add`, or bring it there with `ssh-copy-id`.",
    ),
    _Rule(
        "settings",
        r"Bad configuration option|Bad owner or permissions on|contains invalid characters|^/.+:? line \d+: ",
        "ssh does not accept its own settings: {line}",
        "Correct your ssh configuration until `{command}` works.",
    ),
    _Rule(
        "algorithms",
        r"Unable to negotiate with|no matching (host key type|cipher|MAC|key exchange)",
        "ssh here and the server at {host} have no method in common: {line}",
        "Update one of them, or allow the method for this host in your ssh configuration.",
    ),
    _Rule(
        "bind",
        r"cannot bind to path|Could not request local forwarding|Bad local forwarding specification|path too long|ClearAllForwardings",
        "ssh could not make the socket of the tunnel: {line}",
        "Is the temporary folder full, or on a disk without sockets?",
    ),
    _Rule(
        "name",
        r"Could not resolve hostname",
        "No machine is known under the name {host}: {line}",
        "Check `inglenook.remote.host` and your ssh configuration, and whether you are on the right network.",
        again=True,
    ),
    _Rule(
        "refused",
        r"connect to (host|address) .*Connection refused",
        "{host} is there, but takes no ssh connections: {line}",
        "Start the ssh server on the box, or correct its port in your ssh configuration.",
        again=True,
    ),
    _Rule(
        "timeout",
        r"[Cc]onnection timed out|Operation timed out|Connection to .* timed out",
        "{host} does not answer: {line}",
        "Is the box awake, and are you on the right network or VPN?",
        again=True,
    ),
    _Rule(
        "network",
        r"Network is unreachable|No route to host|Network is down|Host is down",
        "There is no way to {host} from here: {line}",
        "Check the network or the VPN.",
        again=True,
    ),
    _Rule(
        "silent",
        r"Timeout, server .* not responding",
        "The connection to {host} went silent.",
        "Is the box awake, and are you on the right network or VPN?",
        again=True,
    ),
    _Rule(
        "closed",
        r"closed by remote host|Connection closed by|Connection reset|kex_exchange_identification|banner exchange|Broken pipe|isconnect",
        "{host} closed the ssh connection: {line}",
        "Try `{command}` in a terminal; the box may be restarting, or its ssh server may turn us away.",
        again=True,
    ),
)


_KEY_FILES: Final = (
    r"Identity file (.+) not accessible: (.+)",
    r"no such identity: (.+): (.+)",
    r"Permissions \S+ for '(.+)' are (too open)",
    r"Load key \"(.+)\": (.+)",
)


def slow(host: str, seconds: float) -> Trouble:
    """ssh that is neither in nor out after so many seconds."""
    words = f"ssh has not reached {host} in {seconds:.0f} s."
    return Trouble("slow", words, f"Try `{by_hand(host)}` in a terminal: does it ask something?", again=True)


def trouble(host: str, lines: Sequence[str], code: int | None) -> Trouble:
    """What the lines mean that ssh wrote before it ended with `code`. What single connections through the tunnel met
    (`channel 3: open failed: …`) does not count."""
    told = [line.strip() for line in lines if line.strip() and not line.startswith("channel ")]
    for rule in _RULES:
        for line in reversed(told):
            if re.search(rule.pattern, line):
                known = {"host": host, "command": by_hand(host), "line": _shown(line)}
                found = Trouble(rule.kind, rule.words.format(**known), rule.hint.format(**known), rule.again)
                return _refined(found, told)
    last = _shown(told[-1]) if told else f"it said nothing (exit {code})."
    return Trouble("other", f"ssh to {host} ended: {last}", f"Try `{by_hand(host)}` in a terminal.", again=True)


def _refined(found: Trouble, told: Sequence[str]) -> Trouble:
    """With what other lines add: a key file that cannot be read, where the old host key stands, its new fingerprint."""
    everything = "\n".join(told)
    if found.kind == "denied":
        for pattern in _KEY_FILES:
            if file := re.search(pattern, everything):
                return replace(found, words=f"{found.words} The key file {file[1]} cannot be used: {file[2].rstrip('.')}.")
    if found.kind == "key changed":
        old = re.search(r"Offending \S+ key in (.+):(\d+)", everything)
        new = re.search(r"SHA256:[A-Za-z0-9+/=]+", everything)
        where = f" The old key is in {old[1]}, line {old[2]}." if old else ""
        return replace(found, words=found.words + (f" The key is now {new[0]}." if new else "") + where)
    return found


def _shown(line: str) -> str:
    """A line of ssh's (or of the other side's banner) as part of a sentence: no control characters, not endless."""
    words = "".join(c if c.isprintable() else " " for c in line).strip()[:300]
    return words if words.endswith(".") else f"{words}."


def with_fingerprint(found: Trouble, log: str) -> Trouble:
    """An unknown host key with its fingerprint, if the log of `ssh -v` tells it. The last one is that which was refused:
    those of jump hosts come before."""
    keys = re.findall(r"Server host key: (\S+) (SHA256:[A-Za-z0-9+/=]+)", log)
    if found.kind != "key unknown" or not keys:
        return found
    algorithm, fingerprint = keys[-1]
    return replace(found, words=f"{found.words} It shows the {algorithm} key {fingerprint}.", fingerprint=fingerprint)


def by_hand(host: str) -> str:
    """The command that a person runs once in a terminal."""
    return f"ssh {shlex.quote(host)}"


def checked(host: str) -> str:
    """The destination, if ssh and the programs behind it can take it for nothing else. ConfigError otherwise."""
    words = host.strip()
    user, _, name = words.removeprefix("ssh://").rpartition("@")
    for part, forbidden in ((user, "'`\"$;&<>|(){}"), (name, "'`\"$;&<>|(){}\\")):
        if part.startswith("-") or any(c in forbidden or c.isspace() or not c.isprintable() for c in part):
            raise ConfigError(f"{host!r} is no name of a machine for ssh.", hint="`inglenook.remote.host` takes a host or user@host.")
    if name.count(":") == 1 and not words.startswith("ssh://"):
        hint = "`inglenook.remote.host` takes a host or user@host; the port of its model server is a setting of its own."
        raise ConfigError(f"{host!r} is no name of a machine for ssh: a port may not stand behind it.", hint=hint)
    if not name.strip("/"):
        raise ConfigError(f"{host!r} names no machine.", hint="`inglenook.remote.host` takes a host or user@host.")
    return words


_QUIET: Final = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",  # never accept a key unasked, whatever the user's configuration says for other uses
    "ConnectionAttempts": "1",
    "ControlMaster": "no",
    "ControlPath": "none",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "RequestTTY": "no",
    "RemoteCommand": "none",
    "LogLevel": "INFO",  # what ssh says is how we know what is wrong
}


def command(
    ssh: Sequence[str], host: str, sockets: Mapping[int, str], ready: str, *, keepalive: tuple[int, int], connect_seconds: int
) -> list[str]:
    """The argv of a tunnel. sockets: port of the box → Unix socket here. ready: the line that it prints once it is
    through. A forward of the user's own that cannot be made (it is open elsewhere) does not end it: we look for ours."""
    options = _QUIET | {
        "ExitOnForwardFailure": "no",
        "ServerAliveInterval": str(keepalive[0]),
        "ServerAliveCountMax": str(keepalive[1]),
        "TCPKeepAlive": "yes",
        "ConnectTimeout": str(connect_seconds),
        "StreamLocalBindMask": "0177",
        "PermitLocalCommand": "yes",
        "LocalCommand": f"echo {ready}",
    }
    forwards = [word for port, socket in sockets.items() for word in ("-L", f"{socket}:127.0.0.1:{port}")]
    return [*ssh, "-N", "-T", *_words(options), *forwards, "--", host]


def asking_for_the_key(ssh: Sequence[str], host: str) -> list[str]:
    """The argv that shows which host key the other side has, and goes no further."""
    options = _QUIET | {
        "LogLevel": "DEBUG1",
        "ConnectTimeout": "5",
        "PreferredAuthentications": "none",
        "ClearAllForwardings": "yes",
        "PermitLocalCommand": "no",
    }
    return [*ssh, "-N", "-T", *_words(options), "--", host]


def recording_the_key(ssh: Sequence[str], host: str, file: str) -> list[str]:
    """The argv that writes the host key of the other side into a new file of ours, as ssh would into the user's own, and goes no
    further: no secret is shown to it."""
    options = _QUIET | {
        "StrictHostKeyChecking": "accept-new",
        "UserKnownHostsFile": file,
        "GlobalKnownHostsFile": "/dev/null",
        "KnownHostsCommand": "none",
        "UpdateHostKeys": "no",
        "ConnectTimeout": "10",
        "PreferredAuthentications": "none",
        "ClearAllForwardings": "yes",
        "PermitLocalCommand": "no",
    }
    return [*ssh, "-N", "-T", *_words(options), "--", host]


def showing_settings(ssh: Sequence[str], host: str) -> list[str]:
    """The argv that prints what ssh's configuration says of a host; nobody is connected to."""
    return [*ssh, "-G", "--", host]


def running(ssh: Sequence[str], host: str, script: str) -> list[str]:
    """The argv that runs a shell script of ours on the box, and forwards nothing."""
    options = _QUIET | {"ConnectTimeout": "10", "ClearAllForwardings": "yes", "PermitLocalCommand": "no"}
    return [*ssh, "-T", *_words(options), "--", host, f"sh -c {shlex.quote(script)}"]


def _words(options: Mapping[str, str]) -> list[str]:
    return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
