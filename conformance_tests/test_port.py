from pathlib import Path

import pytest

from tenuto.conformance_tests.port import PortError, included, read_port

GOOD = {
    "name": '"x-1"',
    "version": '"0.1.0"',
    "language": '"Python"',
    "run": '["./adapter"]',
    "claims": '["codec"]',
}


def write(folder: Path, **keys: str | None) -> Path:
    """A port.toml with some keys replaced, or removed by None."""
    table = {key: value for key, value in (GOOD | keys).items() if value is not None}
    path = folder / "port.toml"
    path.write_text("".join(f"{key} = {value}\n" for key, value in table.items()))
    return path


@pytest.mark.req("CONF-PORT-001")
def test_the_least_port(tmp_path: Path) -> None:
    port = read_port(write(tmp_path))
    assert (port.name, port.run, port.build, port.timeout_scale) == ("x-1", ("./adapter",), (), 1.0)
    assert port.claimed() == {"codec", "codec-read"}


@pytest.mark.req("CONF-PORT-001")
def test_every_key(tmp_path: Path) -> None:
    port = read_port(write(tmp_path, build='["make", "x"]', capabilities='["zstd"]', timeout_scale="10.0"))
    assert (port.build, port.capabilities, port.timeout_scale) == (("make", "x"), ("zstd",), 10.0)


@pytest.mark.req("CONF-PORT-001")
@pytest.mark.parametrize("key", GOOD)
def test_a_missing_key(tmp_path: Path, key: str) -> None:
    with pytest.raises(PortError, match=f"missing key '{key}'"):
        read_port(write(tmp_path, **{key: None}))


@pytest.mark.req("CONF-PORT-001")
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "1"),
        ("name", '"Upper"'),
        ("name", '"trailing\\n"'),
        ("name", '""'),
        ("version", "1.0"),
        ("version", '"main"'),
        ("version", '""'),
        ("language", "true"),
        ("run", '"./adapter"'),
        ("run", "[]"),
        ("run", "[1]"),
        ("claims", '"codec"'),
        ("claims", '["codecs"]'),
        ("capabilities", '"zstd"'),
        ("build", '"make"'),
        ("timeout_scale", '"1"'),
        ("timeout_scale", "true"),
        ("timeout_scale", "0.5"),
        ("timeout_scale", "10.5"),
        ("timeout_scale", "nan"),
    ],
)
def test_a_value_that_breaks_a_rule_is_named(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(PortError, match=key):
        read_port(write(tmp_path, **{key: value}))


@pytest.mark.req("CONF-PORT-001")
def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(PortError, match="unknown key 'timeout'"):
        read_port(write(tmp_path, timeout="3"))


@pytest.mark.parametrize("text", ["name = ", "\xff"])
def test_what_is_no_toml(tmp_path: Path, text: str) -> None:
    path = tmp_path / "port.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(PortError, match=r"expected a readable port\.toml"):
        read_port(path)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PortError, match=r"port\.toml"):
        read_port(tmp_path / "port.toml")


def test_profiles_include_what_the_text_says() -> None:
    assert included("codec") == {"codec", "codec-read"}
    assert included("codec-read") == {"codec-read"}
