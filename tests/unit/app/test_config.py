"""Settings and environment become one configuration, and whatever is wrong with them is said in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from inglenook.app.config import load, resolve, settings_from
from inglenook.errors import ConfigError


def settings(**values: object):  # type: ignore[no-untyped-def]
    return settings_from(values, where="the test")


def test_defaults_need_nothing_set() -> None:
    config = resolve(settings(), {"HOME": "/home/u"})
    assert (config.url, config.model, config.key, config.window) == ("", "", "", None)
    assert config.cache_dir == "/home/u/.cache/inglenook"
    assert config.state_dir == "/home/u/.local/state/inglenook"
    assert config.limits.turns == 24
    assert config.checks


def test_settings_are_taken_over() -> None:
    config = resolve(
        settings(
            endpoint={"url": " http://127.0.0.1:9/v1 ", "window": 4096},
            outline="never",
            limits={"minutes": 2, "outputTokens": 1000},
            checks={"run": "never"},
        ),
        {"HOME": "/home/u"},
    )
    assert (config.url, config.window, config.outline, config.checks) == ("http://127.0.0.1:9/v1", 4096, "never", False)
    assert (config.limits.seconds, config.limits.output_tokens) == (120.0, 1000)


def test_xdg_folders_count_only_where_they_are_absolute() -> None:
    env = {"HOME": "/home/u", "XDG_CACHE_HOME": "/fast", "XDG_STATE_HOME": "relative/state"}
    config = resolve(settings(), env)
    assert config.cache_dir == "/fast/inglenook"
    assert config.state_dir == "/home/u/.local/state/inglenook"


def test_the_key_comes_from_the_named_variable_and_is_never_shown() -> None:
    config = resolve(settings(endpoint={"apiKeyVariable": "MY_KEY"}), {"HOME": "/h", "MY_KEY": "s3cret"})
    assert config.key == "s3cret"
    assert "s3cret" not in repr(config)


def test_a_named_variable_that_is_not_set_is_told() -> None:
    with pytest.raises(ConfigError, match="MY_KEY, which is not set"):
        resolve(settings(endpoint={"apiKeyVariable": "MY_KEY"}), {"HOME": "/h"})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"endpont": {}}, "endpont: no such setting"),
        ({"outline": "sometimes"}, "outline: "),
        ({"limits": {"turns": 0}}, "limits.turns: "),
        ({"limits": {"turns": "many"}, "lenses": 7}, "lenses: "),
        ({"endpoint": "http://x"}, "endpoint: "),
    ],
)
def test_a_wrong_setting_is_named(values: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_from(values, where="The editor's settings")
    assert caught.value.message.startswith("The editor's settings: ")
    assert words in caught.value.message


def file_of(home: Path, data: bytes) -> dict[str, str]:
    folder = home / ".config" / "inglenook"
    folder.mkdir(parents=True)
    (folder / "settings.toml").write_bytes(data)
    return {"HOME": str(home)}


def test_the_terminal_has_a_settings_file(tmp_path: Path) -> None:
    env = file_of(tmp_path, b'outline = "always"\n[endpoint]\nmodel = "qwen"\napiKeyVariable = "K"\n')
    loaded = load(env)
    assert (loaded.outline, loaded.endpoint.model, loaded.endpoint.api_key_variable) == ("always", "qwen", "K")


def test_no_settings_file_means_defaults(tmp_path: Path) -> None:
    assert load({"HOME": str(tmp_path)}) == settings()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"outline = \n", "is not TOML: .*line 1"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"[endpoint]\nport = 1\n", "endpoint.port: no such setting"),
        (b"#" * 100_001, "larger than 100,000 bytes"),
    ],
)
def test_a_broken_settings_file_is_told_with_its_path(tmp_path: Path, data: bytes, words: str) -> None:
    env = file_of(tmp_path, data)
    with pytest.raises(ConfigError, match=words) as caught:
        load(env)
    assert "settings.toml" in caught.value.message


def test_a_settings_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / ".config" / "inglenook" / "settings.toml").mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be read"):
        load({"HOME": str(tmp_path)})
