"""URIs as editors write them, and paths: the one place where the two meet."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urlsplit

SCHEME = "inglenook"
DRAFT = "inglenook-draft"  # documents of what is not in review: an editor has no buttons for them
_DRIVE = re.compile(r"^/[A-Za-z]:")
_SAFE = "/-._~"


def to_path(uri: str) -> str | None:
    """The absolute path of a `file:` URI; None for any other scheme or another host. Bytes that are no UTF-8 survive."""
    parts = urlsplit(uri)
    if parts.scheme.lower() != "file" or parts.netloc not in ("", "localhost"):
        return None
    path = unquote(parts.path, errors="surrogateescape")
    return path[1:] if _DRIVE.match(path) else path


def to_uri(path: str) -> str:
    """The `file:` URI of an absolute path."""
    slashed = path.replace("\\", "/") if re.match(r"^[A-Za-z]:", path) else path
    prefix = "" if slashed.startswith("/") else "/"
    return f"file://{prefix}{quote(slashed.encode('utf-8', 'surrogateescape'), safe=_SAFE)}"


def joined(folder_uri: str, rel: str) -> str:
    """The URI of a file in a folder, spelled as the client spells the folder."""
    return f"{folder_uri.rstrip('/')}/{quote(rel.encode('utf-8', 'surrogateescape'), safe=_SAFE)}"


def page(side: str, owner: str, name: str, *, scheme: str = SCHEME) -> str:
    """The URI of a document of ours: `side` is base, result, changes or answer, of a draft before or draft; `owner` the id it belongs
    to, in lower case. Both sides of a file have its own path, so that editors show the two as one file, not as a renamed one."""
    return f"{scheme}://{side}.{quote(owner, safe='')}/{quote(name.encode('utf-8', 'surrogateescape'), safe=_SAFE)}"


def page_parts(uri: str) -> tuple[str, str, str] | None:
    """`page` backwards; None for a URI that is not ours."""
    parts = urlsplit(uri)
    side, dot, owner = parts.netloc.partition(".")
    if parts.scheme not in (SCHEME, DRAFT) or not dot:
        return None
    return side, unquote(owner), unquote(parts.path[1:], errors="surrogateescape")
