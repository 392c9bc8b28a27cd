"""Lane C: the power of a real file system fails after every life; what was acknowledged is there when it comes back."""

import os

import pytest

from crash.lives import SCENARIOS
from crash.pool import spread
from crash.power import KINDS, NotAllowedError, filesystem
from crash.record import Lane, conclude, sized
from crash.sessions import Tally, cut_power
from tenuto.reference.checkpoint.storage import PosixStorage

FLOOR = sized(100, 5_000)


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """Each kind, with the reason why it cannot be made here, or None."""
    return {kind: _trouble(kind, tmp_path_factory.mktemp("tried")) for kind in KINDS}


def _trouble(kind, folder):
    try:
        with filesystem(folder / "own", kind) as own:
            own.cut()
    except NotAllowedError as error:
        return f"{kind}: {error}"
    return None


@pytest.fixture
def allowed(tried):
    """The kinds that can be made here; with none the test is left out."""
    found = [kind for kind, trouble in tried.items() if trouble is None]
    if not found:
        pytest.skip("; ".join(tried.values()))
    return found


@pytest.mark.req("STORE-SAVE-004", "STORE-SAVE-007", "STORE-SAVE-013", "STORE-KEEP-002", "CPC-KEEP-002")
def test_no_power_cut_loses_what_was_acknowledged(tmp_path, record_property, tried):
    """What cannot be made here is in the list of lanes, with the reason."""
    allowed = [kind for kind, trouble in tried.items() if trouble is None]
    reason = "; ".join(filter(None, tried.values()))
    left_out = FLOOR * (len(KINDS) - len(allowed)) // len(KINDS)
    if not allowed:
        conclude(Lane("C power cuts", 0, 0, left_out, 0, 0, reason=reason), record_property)
        pytest.skip(reason)
    tally, share = Tally(), -(-FLOOR // (len(SCENARIOS) * len(allowed)))
    tasks = [(number, share, str(tmp_path), kind) for number in range(len(SCENARIOS)) for kind in allowed]
    for found in spread(cut_power, tasks):
        tally.take(found)
    tally.conclude("C power cuts", FLOOR, record_property, skipped=left_out, reason=reason)


def test_what_is_not_synced_is_gone(tmp_path, allowed):
    for kind in allowed:
        with filesystem(tmp_path / str(kind), kind) as own:
            for name, is_synced in (("kept", True), ("lost", False)):
                with (own.folder / name).open("wb", buffering=0) as file:
                    file.write(b"bytes")
                    if is_synced:
                        os.fsync(file.fileno())
            own.cut()
            there = {path.name: path.read_bytes() for path in own.folder.iterdir() if path.is_file()}
        assert there["kept"] == b"bytes", kind
        assert there.get("lost", b"") == b"", kind


@pytest.mark.parametrize(
    ("step", "number"),
    [("sync", 11), ("sync_folder", 0)],  # by the scenario without a read-back, which makes the kernel write, too
)
def test_a_protocol_without_a_sync_is_found(tmp_path, monkeypatch, allowed, step, number):
    monkeypatch.setattr(PosixStorage, step, lambda *_: None)
    for kind in allowed:
        found = cut_power(number, 6, tmp_path, kind)
        assert any("acknowledged" in one or "expected one of" in one for one in found.breaches), kind
