"""Stage subclips: whole tables, and files to watch that hold exactly their spans."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tasks import media, subclips, tables
from tasks.footage import Reject, Source
from tasks.media import cutting
from tasks.params import Dataset, Shots, Split, Subclips
from tests.conftest import number_of, write_video
from tests.tasks._images import write_images
from tests.tasks.test_shots import film

SPLIT = Split(test=("1",))


def test_tables_and_files(make_video, tmp_path: Path) -> None:
    make_video("footage/run/a.mp4", 60, lossless=False)
    make_video("footage/run/b.mkv", 30, seed=1)
    make_video("footage/run/short.mkv", 5, seed=2)
    rules = Dataset(
        footage="x",
        split=SPLIT,
        subclips=Subclips(count=2, seconds=0.8, start_seconds=0.4, files=True),
        max_reject_fraction=0.5,
    )
    out = tmp_path / "cuts"
    subclips.run(rules, tmp_path / "footage", out)
    assert (out / "cuts.csv").read_text() == (
        "source,start_seconds,end_seconds\n"
        "run-a-mp4-9ef4fecdbe,0.4,1.2\n"
        "run-a-mp4-9ef4fecdbe,1.2,2.0\n"
        "run-b-mkv-2dd840b7b0,0.4,1.2\n"
    )
    assert (out / "rejects.csv").read_text() == (
        "path,stage,reason\n"
        'run/b.mkv,subclips,"subclip 2 of 2: begins at 1.2 s, the source ends at 1.20 s"\n'
        'run/short.mkv,subclips,"lasts 0.20 s, too short for any subclip; '
        'subclip 1 of 2: begins at 0.4 s, the source ends at 0.20 s"\n'
    )
    header, a, b = (out / "sources.csv").read_text().splitlines()
    assert header == (
        "source,path,kind,sha256,label,group,width_px,height_px,frames_per_second,frames,claimed_frames,duration_seconds,note,film,score"
    )
    assert a.startswith("run-a-mp4-9ef4fecdbe,run/a.mp4,video,")
    assert a.endswith(",run,run/a.mp4,64,48,25.0,60,60,2.4,,,")
    assert b.endswith(",run,run/b.mkv,64,48,25.0,30,,1.2,,,")
    seen = {p.name: [number_of(f) for _, _, f in media.read_frames(p)] for p in sorted((out / "files").iterdir())}
    assert seen == {
        "run-a-mp4-9ef4fecdbe_0.mp4": list(range(10, 30)),
        "run-a-mp4-9ef4fecdbe_1.mp4": list(range(30, 50)),
        "run-b-mkv-2dd840b7b0_0.mp4": list(range(10, 30)),
    }
    first = {p.relative_to(out): p.read_bytes() for p in out.rglob("*.*")}
    subclips.run(rules, tmp_path / "footage", out)
    assert {p.relative_to(out): p.read_bytes() for p in out.rglob("*.*")} == first


def test_shots_are_spans_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "footage" / "run").mkdir(parents=True)
    write_video(tmp_path / "footage" / "run" / "a.mkv", film([10, 15, 25]))
    write_images(tmp_path / "footage" / "run" / "walk", range(3, 15))
    rules = Dataset(
        footage="x",
        split=SPLIT,
        shots=Shots(threshold=0.2),
        subclips=Subclips(count=2, seconds=0.8, start_seconds=0, files=True),
    )
    out = tmp_path / "cuts"
    subclips.run(rules, tmp_path / "footage", out)
    assert (out / "cuts.csv").read_text() == (
        "source,start_seconds,end_seconds\n"
        "run-a-mkv-f89a57ae31,0.0,0.38\n"
        "run-a-mkv-f89a57ae31,0.38,0.8\n"
        "run-a-mkv-f89a57ae31,0.8,0.98\n"
        "run-a-mkv-f89a57ae31,0.98,1.6\n"
        "run-walk-24a48237ac,0.0,0.48\n"
    )
    rows = [line.split(",") for line in (out / "shots.csv").read_text().splitlines()]
    assert [(*row[:4], bool(row[4]), len(row[5])) for row in rows] == [
        ("source", "shot", "first_frame", "start_seconds", True, 8),
        ("run-a-mkv-f89a57ae31", "0", "0", "0.0", False, 64),
        ("run-a-mkv-f89a57ae31", "1", "10", "0.38", True, 64),
        ("run-a-mkv-f89a57ae31", "2", "25", "0.98", True, 64),
        ("run-walk-24a48237ac", "0", "3", "0.0", False, 64),
    ]
    lengths = {p.name: media.probe(p).frames for p in sorted((out / "files").iterdir())}
    assert list(lengths.values()) == [10, 10, 5, 15, 12]
    first = {p.relative_to(out): p.read_bytes() for p in out.rglob("*.*")}
    subclips.run(rules, tmp_path / "footage", out, workers=2)
    assert {p.relative_to(out): p.read_bytes() for p in out.rglob("*.*")} == first


def test_a_file_that_reads_back_wrong_costs_its_source_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noise is written less faithfully than plain gray: between the two lies what is asked for here."""
    monkeypatch.setattr(cutting, "LEAST_LUMA_PSNR_DB", 48.0)
    (tmp_path / "footage").mkdir()
    gray = np.broadcast_to(np.arange(100, 130, dtype=np.uint8)[:, None, None, None], (30, 48, 64, 3))
    noise = np.random.default_rng(0).integers(0, 255, (30, 48, 64, 3), np.uint8)
    write_video(tmp_path / "footage" / "gray.mkv", gray)
    write_video(tmp_path / "footage" / "noise.mkv", noise)
    asked = Subclips(count=2, seconds=0.5, start_seconds=0, files=True)
    rules = Dataset(footage="x", label="none", split=SPLIT, subclips=asked, max_reject_fraction=0.5)
    subclips.run(rules, tmp_path / "footage", tmp_path / "cuts")
    reject = tables.read(tmp_path / "cuts" / "rejects.csv", Reject)[0]
    assert (reject.path, reject.stage) == ("noise.mkv", "subclips")
    assert re.fullmatch(
        r"0 to 0.5 s read back from a file of their own: another first frame \(\d+\.\d dB\)", reject.reason
    )
    assert [s.path for s in tables.read(tmp_path / "cuts" / "sources.csv", Source)] == ["gray.mkv"]
    assert [p.name[:4] for p in sorted((tmp_path / "cuts" / "files").iterdir())] == ["gray", "gray"]


def test_a_failed_run_leaves_the_earlier_tables(make_video, tmp_path: Path) -> None:
    make_video("footage/run/a.mkv", 5)
    rules, out = Dataset(footage="x", split=SPLIT), tmp_path / "cuts"
    subclips.run(rules, tmp_path / "footage", out)
    before = (out / "sources.csv").read_bytes()
    for number in range(2):
        (tmp_path / "footage" / f"empty{number}.mp4").touch()
    with pytest.raises(ValueError, match=r"2 of 3 sources .* were rejected(?s:.*)empty0\.mp4: empty file"):
        subclips.run(rules, tmp_path / "footage", out)
    assert (out / "sources.csv").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="none holds no source that can be used"):
        subclips.run(rules, tmp_path / "none", out)
