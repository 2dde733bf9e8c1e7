from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tasks import files


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.json"
    files.write_json(path, {"b": 1.5, "a": "é"})
    assert path.read_bytes() == '{\n  "a": "é",\n  "b": 1.5\n}\n'.encode()
    with pytest.raises(RuntimeError, match="midway"), files.replacing(path) as temporary:  # noqa: PT012
        assert temporary.parent == path.parent
        assert temporary.suffix == ".json"
        temporary.write_text("half")
        raise RuntimeError("midway")
    assert files.read_json(path) == {"a": "é", "b": 1.5}
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_folder_is_replaced_only_when_the_new_one_is_complete(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with files.replacing_folder(folder) as temporary:
        (temporary / "first").write_text("1")
    with pytest.raises(RuntimeError, match="midway"), files.replacing_folder(folder) as temporary:  # noqa: PT012
        (temporary / "second").write_text("2")
        raise RuntimeError("midway")
    assert [p.relative_to(tmp_path).as_posix() for p in sorted(tmp_path.rglob("*"))] == ["out", "out/first"]
    with files.replacing_folder(folder) as temporary:
        (temporary / "third").write_text("3")
    assert [p.name for p in folder.iterdir()] == ["third"]


def test_damaged_json_names_the_file_and_nan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a": 1')
    with pytest.raises(ValueError, match=r"a\.json is not valid JSON .* delete it and run the stage"):
        files.read_json(path)
    with pytest.raises(ValueError, match="Out of range float"):
        files.write_json(path, {"a": float("nan")})
    assert path.read_text() == '{"a": 1'


def test_hashes_are_sha256(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.sha256_of(path) == files.sha256_of_bytes(b"abc") == expected
