"""The page that says how a project goes: its rows, where it leads, what it says of a project where nothing was done."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from urllib.parse import unquote

import pandas as pd

from tasks.files import sha256_of, write_json
from tasks.report import front_page
from tests.tasks._pages import Tags
from tests.tasks.test_batch_page import rows_of

HOSTILE = "<script>alert(1)</script>#%41.mp4"


def _champion(data: Path, recipe: str, metric: str, value: float, low: float | None) -> None:
    high = None if low is None else value + 0.01
    score = {"metric": metric, "value": value, "low": low, "high": high}
    decision = {"promoted": True, "reason": f"{recipe} <was> better"}
    record = {"recipe": recipe, "champion_version": "7", "champion": score, "decision": decision}
    write_json(data / "registry" / f"{recipe}.json", record)


def _project(data: Path) -> Path:
    _champion(data, "c3d", "video_accuracy", 0.964, 0.91)
    _champion(data, "gru", "psnr_db", 31.254, None)
    write_json(
        data / "registry" / "new.json",
        {"recipe": "new", "champion_version": None, "champion": None, "decision": {"promoted": False, "reason": ""}},
    )
    (data / "ingest" / "door").mkdir(parents=True)
    inbox, footage = "data/inbox", "data/footage/new"
    lines = [
        {"from": f"{inbox}/a.mp4", "to": f"{footage}/a.mp4", "bytes": 1_500_000, "time": "2026-01-01T00:00:00Z"},
        {"from": f"{inbox}/b.mp4", "to": None, "reason": "no", "bytes": 5, "time": "2026-01-02T00:00:00Z"},
        {"from": f"{inbox}/c.mp4", "to": f"{footage}/{HOSTILE}", "bytes": 700_000, "time": "2026-01-03T00:00:00Z"},
    ]
    torn = '{"from": "data/inbox/d.mp4", "to'
    (data / "ingest/door/ledger.jsonl").write_text("\n".join([*map(json.dumps, lines), torn]))
    with (data / "ingest/door/rejects.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [["path", "stage", "reason", "bytes", "stamp", "time"]]
            + [[f"{number:02d}{HOSTILE}", "ingest", "no video stream", 5, "", ""] for number in range(12)]
        )
    for version in ("9", "12"):
        folder = data / "batch" / "watch" / "fade" / f"v{version}"
        about = {"batch": "watch", "recipe": "fade", "version": version, "kind": "interpolate"}
        write_json(folder / "batch.json", about | {"sources": 1, "rejected": 0})
        results = {"source": ["a"], "path": ["a.mp4"], "frames": [10], "video_frames": [55]}
        pd.DataFrame(results).to_csv(folder / "results.csv", index=False)
        (folder / "index.html").touch()
    for folder in ("report", "batch"):
        (data / folder).mkdir(exist_ok=True)
        (data / folder / "index.html").touch()
    return data


def test_champions_footage_and_batches_stand_on_one_page(tmp_path: Path) -> None:
    page = front_page.write(_project(tmp_path / "data"))
    assert rows_of(page, "Champions")[1:] == [
        ["c3d", "7", "Video accuracy", "96.4%91.0 – 97.4", "c3d <was> better"],
        ["gru", "7", "PSNR", "31.25 dB", "gru <was> better"],
        ["new", "none", "", "", ""],
    ]
    assert rows_of(page, "New footage")[1:] == [
        ["door", "2", "2.2", f"data/footage/new/{HOSTILE}, 2026-01-03T00:00:00Z", "12"]
    ]
    refused = rows_of(page, "Refused in door")[1:]
    assert refused == [[f"{number:02d}{HOSTILE}", "no video stream"] for number in range(10)]
    assert "And 2 more, in data/ingest/door/rejects.csv." in Tags(page).line
    assert rows_of(page, "Batches")[1:] == [["watch", "fade", "12", "1", "1", "0", "10 frames became 55"]]
    tags = Tags(page).tags
    assert "script" not in {tag for tag, _ in tags}
    links = [attributes["href"] for tag, attributes in tags if tag == "a"]
    assert links == [
        "index.html",
        "index.html",
        "report/index.html",
        "batch/index.html",
        "batch/watch/fade/v12/index.html",
    ]
    assert all((page.parent / unquote(link or "")).is_file() for link in links)
    before = sha256_of(page)
    assert sha256_of(front_page.write(tmp_path / "data")) == before


def test_where_nothing_was_done_it_says_how_to_begin(tmp_path: Path) -> None:
    line = Tags(front_page.write(tmp_path)).line
    assert line.count("None yet") == 3
    assert "rushes ingest" in line
