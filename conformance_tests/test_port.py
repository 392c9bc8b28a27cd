from pathlib import Path

import pytest

from tenuto.conformance_tests.clauses import spec_folder
from tenuto.conformance_tests.port import CAPABILITIES, PROFILE_INCLUDES, PortError, included, read_port

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
        ("capabilities", '["zst"]'),
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


CONFORMANCE = spec_folder() / "90-conformance.md"


def rows(heading: str) -> list[list[str]]:
    """The rows of a table of section 6, known by the word over its first column; its cells without marks."""
    section = CONFORMANCE.read_text("utf-8").split("\n## 6. ")[1].split("\n## 7. ")[0]
    table = next(part for part in section.split("\n\n") if part.startswith(f"| {heading} |"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_profiles_and_capabilities_are_those_of_the_text() -> None:
    told = {}
    for names, includes, *_ in rows("profile"):
        for name in names.replace("`", "").split(", "):
            told[name] = tuple(includes.replace("`", "").split(", ")) if includes else ()
    assert told == PROFILE_INCLUDES
    assert tuple(row[0].strip("`") for row in rows("capability")) == CAPABILITIES


def test_a_profile_includes_those_of_the_profiles_that_it_includes() -> None:
    assert included("codec-read") == {"codec-read"}
    assert included("resume") == {"codec-read", "codec", "callbacks", "checkpoint", "resume"}
    assert included("ext:zstd") == {"codec-read", "codec", "ext:zstd"}
