import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import msgpack
import pytest
import yaml

from tenuto.conformance_tests.clauses import clauses, spec_folder
from tenuto.conformance_tests.oracle import generated
from tenuto.conformance_tests.oracle.codes import CODES, PHASES, READ_PHASES
from tenuto.conformance_tests.oracle.document import dump
from tenuto.conformance_tests.oracle.frame import ALIGNMENT, MAGIC, file
from tenuto.conformance_tests.oracle.generated import Generated
from tenuto.conformance_tests.oracle.make_vectors import all_files, all_vectors, write
from tenuto.conformance_tests.oracle.tree import DTYPE_BYTES, HEAD_KEYS, Document, Tensor, Tree, without_origin
from tenuto.conformance_tests.oracle.vector import Vector
from tenuto.conformance_tests.plan import all_cases
from tenuto.conformance_tests.protocol import parse_json
from tenuto.conformance_tests.scenarios.compressed import zstd_library

CKPT = spec_folder() / "vectors" / "ckpt"
TESTED_ELSEWHERE = {"io_error": "no regular file fails to be read without help of the operating system"}


@cache
def vectors() -> dict[str, Vector]:
    return {vector.id: vector for vector in all_vectors()}


@cache
def made() -> dict[str, Generated]:
    return {vector.id: vector for vector in generated.vectors()}


def accepted() -> list[str]:
    return [name for name, vector in vectors().items() if vector.code is None]


def cited() -> set[str]:
    committed = {req for vector in vectors().values() for req in vector.req}
    return committed | {req for vector in made().values() for req in vector.req}


def test_the_committed_files_are_those_that_the_oracle_makes() -> None:
    committed = {path.relative_to(CKPT).as_posix(): path.read_bytes() for path in CKPT.glob("*/*")}
    assert committed.keys() == all_files().keys()
    assert [name for name, data in all_files().items() if committed[name] != data] == []


def test_writing_removes_what_no_vector_has(tmp_path: Path) -> None:
    (tmp_path / "valid").mkdir()
    (tmp_path / "valid" / "CKPT-V-999.ckpt").write_bytes(b"")
    count = write(tmp_path)
    assert len(list(tmp_path.glob("*/*"))) == count == len(all_files())


def test_the_committed_files_stay_small() -> None:
    sizes = [len(data) for data in all_files().values()]
    assert max(sizes) < 1 << 16
    assert sum(sizes) < 1_500_000


@pytest.mark.req("CKPT-READ-001", "CKPT-READ-006", "CKPT-LIM-001")
def test_every_code_of_a_reader_has_a_vector() -> None:
    found = {vector.code for vector in vectors().values()} | {vector.code for vector in made().values()}
    assert set(READ_PHASES) - found == set(TESTED_ELSEWHERE)


def test_ids_are_not_used_twice_and_clauses_exist() -> None:
    assert not vectors().keys() & made().keys()
    assert cited() - clauses().keys() == set()
    assert {req for case in all_cases(spec_folder()) for req in case.req} - clauses().keys() == set()
    names = [case.id for case in all_cases(spec_folder())]
    assert len(set(names)) == len(names)


def test_every_clause_of_reading_has_a_vector() -> None:
    """What a reader does with a file shows in a vector; these clauses are about something else."""
    elsewhere = {
        "CKPT-FILE-010": "what is not done cannot be seen",
        "CKPT-VAL-002": "a writer is given trees by a part that is to come",
        "CKPT-FRAME-005": "as CKPT-VAL-002",
        "CKPT-READ-004": "the operations of the adapter check everything",
        "CKPT-LIM-002": "as CKPT-VAL-002",
        "CKPT-VER-003": "as CKPT-VAL-002",
        "CKPT-VER-004": "no extension is a part of this version",
    }
    assert {one for one in clauses() if one.startswith("CKPT-")} - cited() - elsewhere.keys() == set()


def test_the_oracle_agrees_with_the_machine_readable_part() -> None:
    """The oracle is written from the text; the interface file is another copy of the same tables."""
    table = yaml.safe_load((spec_folder() / "interfaces" / "ckpt.yaml").read_text("utf-8"))
    groups = {group: {name: one["value"] for name, one in items.items()} for group, items in table["constants"].items()}
    phases = {code: one["phase"].partition(",")[0] for code, one in table["errors"].items()}
    assert bytes.fromhex(groups["layout"]["magic"]) == MAGIC
    assert groups["layout"]["alignment_bytes"] == ALIGNMENT
    assert tuple(groups["head_keys"]) == HEAD_KEYS
    assert groups["dtypes"] == DTYPE_BYTES
    assert groups["limits"]["head_limit"] == generated.HEAD_LIMIT
    assert groups["limits"]["node_limit"] == generated.NODE_LIMIT
    assert groups["limits"]["tensor_limit"] == generated.TENSOR_LIMIT
    assert groups["limits"]["segment_limit"] == generated.SEGMENT_LIMIT
    assert set(phases) == CODES
    assert {code: phases[code] for code in READ_PHASES} == READ_PHASES
    assert set(phases.values()) == PHASES - {"config", "restore", "train"}


class Witness:
    """Reads a file with the stock library and gathers tensors from segments; knows nothing of the oracle."""

    def __init__(self, data: bytes) -> None:
        self.top: dict[str, Any] = msgpack.unpackb(data, raw=False, strict_map_key=True)
        self.shared: dict[tuple[int, ...], Tensor] = {}

    def document(self) -> Document:
        found = {key: self.tree(value) for key, value in list(self.top.items())[:-3]}
        if found["requires"] == ["zstd"]:
            found["requires"] = []
        return found

    def tree(self, value: Any) -> Tree:
        if isinstance(value, dict):
            return {key: self.tree(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.tree(item) for item in value]
        return self.tensor(value) if isinstance(value, msgpack.ExtType) else value

    def tensor(self, value: Any) -> Tensor:
        assert value.code == 1
        dtype, shape, numbers = msgpack.unpackb(value.data)
        parts = [self.segment(number) for number in numbers]
        found = Tensor(dtype, tuple(shape), b"".join(parts))
        return self.shared.setdefault(tuple(numbers), found) if numbers else found

    def segment(self, number: int) -> bytes:
        stored, raw, codec = self.top["segment_table"][number][1:4]
        data: bytes = self.top["segments"][number][-stored:]
        if codec == 1:
            data = zstd_library().decompress(data)
        assert len(data) == raw
        return data


@pytest.mark.req("CKPT-FILE-001", "CKPT-VAL-001", "CKPT-VAL-003", "CKPT-SEG-003", "CONF-OP-003")
@pytest.mark.parametrize("name", accepted())
def test_the_stock_library_reads_the_same_document(name: str) -> None:
    vector = vectors()[name]
    witness = Witness(vector.data)
    assert list(witness.top)[-3:] == ["segments", "segment_table", "trailer"]
    expected = parse_json((CKPT / vector.folder / document_name(vector)).read_bytes())
    assert dump(witness.document()) == expected


def document_name(vector: Vector) -> str:
    name: str = yaml.safe_load(vector.sidecar())["document"]
    return name


@pytest.mark.req("CKPT-VAL-001", "CKPT-SEG-004")
@pytest.mark.parametrize("name", [name for name, vector in made().items() if vector.code is None])
def test_the_stock_library_reads_large_files(name: str, tmp_path: Path) -> None:
    vector = made()[name]
    vector.place(tmp_path / "x")
    assert vector.document is not None
    assert dump(Witness((tmp_path / "x").read_bytes()).document()) == dump(vector.document())


@pytest.mark.req("CKPT-SEG-003", "CKPT-SEG-004", "CKPT-FRAME-002")
@pytest.mark.parametrize("name", accepted())
def test_offsets_and_alignment(name: str) -> None:
    data = vectors()[name].data
    top = Witness(data).top
    fields = [int.from_bytes(top["trailer"][at : at + 8], "little") for at in (0, 8, 16)]
    assert fields[2] == len(data)
    assert data[: fields[0]].endswith(b"\xa8segments")
    assert data[: fields[1]].endswith(b"\xadsegment_table")
    for segment, row in zip(top["segments"], top["segment_table"], strict=True):
        assert row[0] % 64 == 0
        assert len(segment) - row[1] < 64
        assert data[row[0] : row[0] + row[1]] == segment[-row[1] :]


def without_tensors() -> list[str]:
    return [name for name in accepted() if "-V-" in name and '"tensor"' not in str(dump_of(name)).replace("'", '"')]


def dump_of(name: str) -> object:
    document = vectors()[name].document
    assert document is not None
    return dump(document)


@pytest.mark.req("CKPT-CANON-001", "CKPT-CANON-002")
@pytest.mark.parametrize("name", without_tensors())
def test_the_stock_library_writes_the_same_head(name: str) -> None:
    """It too takes the shortest forms, so only the header of the top level differs: three more pairs."""
    data = vectors()[name].data
    top = Witness(data).top
    packed = msgpack.packb({key: in_order(value) for key, value in list(top.items())[:-3]})
    header = 1 if len(top) < 16 else 3
    assert data[header : data.index(b"\xa8segments\x90\xad")] == packed[1:]


def in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: in_order(value[key]) for key in sorted(value, key=lambda key: key.encode())}
    return [in_order(item) for item in value] if isinstance(value, list) else value


@pytest.mark.req("CKPT-CANON-003", "CKPT-CANON-004")
def test_no_two_files_are_equal_and_non_canonical_ones_differ_from_their_twins() -> None:
    files = [vector.data for vector in vectors().values()]
    assert len(set(files)) == len(files)
    twins = [vector.twin for vector in vectors().values() if vector.twin is not None]
    assert set(twins) <= vectors().keys()


@pytest.mark.req("CKPT-CANON-006")
def test_stripping_the_origin_changes_nothing_else() -> None:
    for vector in vectors().values():
        if "CKPT-CANON-006" in vector.req and vector.document is not None:
            stripped = Witness(file(without_origin(vector.document))).document()
            metadata = vector.document["metadata"]
            assert isinstance(metadata, dict)
            assert metadata["origin"] != {}
            assert stripped["metadata"] == metadata | {"origin": {}}
            assert dump(stripped | {"metadata": metadata}) == dump(vector.document)


@pytest.mark.req("CKPT-LIM-001")
def test_files_beyond_a_limit_are_beyond_it_by_one(tmp_path: Path) -> None:
    counts = {"CKPT-I-901": generated.NODE_LIMIT, "CKPT-I-902": generated.TENSOR_LIMIT}
    for name, limit in counts.items():
        path = tmp_path / name
        made()[name].place(path)
        top = msgpack.unpackb(path.read_bytes())
        found = len(top["model_state"]) if name == "CKPT-I-902" else nodes(dict(list(top.items())[:-3]))
        assert found == limit + 1


def nodes(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(1 + nodes(item) for item in value.values())
    return 1 + sum(nodes(item) for item in value) if isinstance(value, list) else 1


@pytest.mark.req("CKPT-FILE-001", "CKPT-SEG-003")
def test_the_naive_reader_of_the_text_runs(tmp_path: Path) -> None:
    text = (spec_folder() / "40-ckpt-format.md").read_text("utf-8")
    match = re.search(r"```python EX-CKPT-004\b[^\n]*\n(.*?)```", text, re.DOTALL)
    assert match is not None
    (tmp_path / "latest.ckpt").write_bytes(vectors()["CKPT-V-002"].data)
    program = match[1] + "print(data.hex())\n"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    table = Witness(vectors()["CKPT-V-002"].data)
    first = table.top["segments"][0][-table.top["segment_table"][0][1] :]
    assert done.stdout.split()[0] == "1.0"
    assert done.stdout.split()[-1] == first.hex()
