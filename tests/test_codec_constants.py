"""The constants of the reference are those of the interface file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tenuto.reference.checkpoint import constants

INTERFACE = yaml.safe_load((Path(__file__).parents[1] / "spec/v1/interfaces/ckpt.yaml").read_text())


def test_versions_and_sizes():
    assert INTERFACE["format_version"] == constants.FORMAT_VERSION
    assert int(INTERFACE["format_version"].split(".")[0]) == constants.FORMAT_MAJOR
    assert bytes.fromhex(INTERFACE["magic"]) == constants.MAGIC
    assert INTERFACE["trailer_bytes"] == constants.TRAILER_BYTES
    assert INTERFACE["file_min_bytes"] == constants.FILE_MIN_BYTES
    assert INTERFACE["alignment_bytes"] == constants.ALIGNMENT_BYTES
    assert frozenset(INTERFACE["features"]) == constants.FEATURES


@pytest.mark.req("CKPT-FILE-002", "CKPT-FILE-003")
def test_keys_in_order():
    assert list(INTERFACE["head_keys"].items()) == list(constants.HEAD_KEYS.items())
    assert tuple(INTERFACE["tail_keys"]) == constants.TAIL_KEYS


@pytest.mark.req("CKPT-LIM-001", "CKPT-SEG-001")
def test_limits():
    mine = {name: getattr(constants, name.upper()) for name in INTERFACE["limits"]}
    assert mine == INTERFACE["limits"]


@pytest.mark.req("CKPT-VAL-004")
def test_dtypes():
    assert INTERFACE["dtypes"] == constants.DTYPES


@pytest.mark.req("CKPT-READ-005")
def test_codes_and_phases():
    assert INTERFACE["errors"] == constants.PHASE_OF
    listed = [code for codes in constants.PHASES.values() for code in codes]
    assert len(listed) == len(set(listed)), "a code in two phases"


def test_the_prose_names_every_code():
    prose = (Path(__file__).parents[1] / "spec/v1/40-ckpt-format.md").read_text()
    assert [code for code in constants.PHASE_OF if f"`{code}`" not in prose] == []
