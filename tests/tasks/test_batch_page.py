"""The page of a batch of every kind: what it says, where it leads, how a browser takes it."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tasks import params
from tasks.batch import kinds, sources, tables
from tasks.batch.known import Known
from tasks.files import read_json, sha256_of, write_json
from tasks.report import batch_charts, batch_page
from tests.tasks._pages import Tags
from tests.tasks.test_features import Levels
from tests.tasks.test_interpolate import CrossFade

NASTY = """<b>&amp;"'#1%41?<script>alert(1)<"""  # and .png behind it
SIDE = 16
INPUT = {"height_px": SIDE, "width_px": SIDE, "fit": "crop", "gray": True, "length_frames": 8, "stride_frames": 8}
INTERVAL = {"level": 0.8, "half_width": 1.5, "films": 18}
SCORE = {"metric": "psnr_db", "value": 33.123, "low": 32.5, "high": 34.0}


class Dim:
    """Answers everything a little brighter, and nothing brighter than 0.6."""

    uri, recipe, kind = "models:/rushes-dim/12", "dim", "reconstruct"
    input = INPUT

    def predict(self, clip_BTHWC: np.ndarray) -> np.ndarray:
        answer: np.ndarray = np.minimum(clip_BTHWC / 255.0, 0.6).astype(np.float32) + np.float32(0.02)
        return answer


class Bright:
    """Rates a clip by how bright it is."""

    uri, recipe, kind = "models:/rushes-bright/2", "bright", "regress"
    score_range, interval = (0.0, 10.0), INTERVAL
    input = INPUT

    def predict(self, clip_BTHWC: np.ndarray) -> np.ndarray:
        return (clip_BTHWC.mean(axis=(1, 2, 3, 4)) / 25.5).astype(np.float32)


def strip(path: Path, levels: list[int], white: range = range(0)) -> None:
    """Frames of one gray level each; those in `white` have a white corner."""
    frames = np.zeros((len(levels), SIDE, SIDE), np.uint8) + np.array(levels, np.uint8)[:, None, None]
    frames[list(white), :4, :4] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(list(frames), axis=1)).save(path)


def made(root: Path, name: str, model: Any, version: str, **about: Any) -> Path:
    """The batch `name` over `root/new`, made by the engine's own parts."""
    folder = root / "batch" / name / model.recipe / f"v{version}"
    batch = params.Batch(footage=("new",), models=(model.recipe,))
    settings = kinds.settings(model.kind, batch)
    listing = sources.look(batch.footage, root, Known(root / "known.json"))
    records = []
    for found in listing.found:
        place = folder / "sources" / found.id
        place.mkdir(parents=True)
        row, notes = kinds.make(model, found, settings, place)
        own = {"source": found.id, "path": found.path, "sha256": found.source.sha256}
        records.append(own | {"row": own | row, "notes": notes, "about": kinds.about(model, settings)})
    told = {"batch": name, "recipe": model.recipe, "kind": model.kind, "version": version, "model": model.uri}
    counts = {"sources": len(records) + len(listing.rejects), "done": len(records), "kept": 0}
    told |= {"weights_sha256": "0123abcd" * 8, "settings": settings, "executor": "local", "footage": ["new"], **counts}
    told |= {"rejected": len(listing.rejects), "anomaly_deviations": 6.0, **about}
    tables.write(folder, model.kind, records, listing.rejects, told, 6.0)
    batch_page.write(folder)
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("batch")
    strip(place / "new" / f"{NASTY}.png", [100] * 64, white=range(40, 45))
    for number in range(7):
        strip(place / "new" / f"gate {number}" / "plain.png", [60 + 10 * number] * 16)
    strip(place / "new" / "gate 7" / "bright.png", [200] * 16)
    (place / "new" / "broken.mp4").write_bytes(b"not a video")
    made(place, "watch", Dim(), "12", score=SCORE)
    made(place, "slow", CrossFade(), "3")
    made(place, "words", Levels(), "1")
    no_signal = {"found": False, "enough": True}
    made(place, "rates", Bright(), "2", interval=INTERVAL, signal=no_signal)
    batch_page.write_index(place / "batch")
    return place


FOLDERS = {"watch": "watch/dim/v12", "slow": "slow/fade/v3", "words": "words/levels/v1", "rates": "rates/bright/v2"}


def rows_of(page: Path, region: str) -> list[list[str]]:
    """The cells of a table's rows as text, tags left out."""
    text = page.read_text(encoding="utf-8")
    table = text[text.index(f'aria-label="{region}"') :]
    table = table[: table.index("</table>")]
    cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.S) for row in re.findall(r"<tr.*?</tr>", table, re.S)]
    return [[html.unescape(re.sub(r"<[^>]*>", "", cell)).strip() for cell in row] for row in cells]


def facts_of(page: Path) -> dict[str, str]:
    found = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page.read_text(encoding="utf-8"))
    return {name: re.sub(r"<[^>]+>", " | ", value).rstrip("| ") for name, value in found}


def test_reconstruction_tells_anomalies_and_leads_to_their_moment(root: Path) -> None:
    page = root / "batch" / FOLDERS["watch"] / "index.html"
    base, spot, bright = 0.02**2, (0.38**2 + 15 * 0.02**2) / 16, (200 / 255 - 0.62) ** 2
    psnr_db = np.mean(-10 * np.log10([base] * 7 + [bright, (59 * base + 5 * spot) / 64]))
    assert facts_of(page) == {
        "Model": "Version 12 | dim, weights 0123abcd",
        "PSNR, when judged": "33.12 dB | 95% interval 32.50 to 34.00",
        "Sources": "10 | 9 new, 0 done before",
        "Left out": "1",
        "PSNR here": f"{psnr_db:.2f} dB | mean over sources",
        "Anomalies": "1",
    }
    line = Tags(page).line
    assert "9 sources reconstructed; 1 left out, with the reasons below." in line
    assert f"1 anomaly in 1 source; the strongest is in {NASTY}.png, at 1.60 s: " in line
    deviations = f"{(spot - base) / (0.02 * base):,.1f}"
    assert rows_of(page, "Anomalies")[1:] == [
        [f"{NASTY}.png", "1.60 – 1.80 s", "1.60", deviations, f"{1000 * spot:.3f}", f"{1000 * base:.3f}"]
    ]
    source = pd.read_csv(page.parent / "anomalies.csv")["source"][0]
    links = re.findall(r'href="([^"]+)">1\.60 – 1\.80 s</a>', page.read_text(encoding="utf-8"))
    assert links == 2 * [f"sources/{source}/video.mp4#t=1.6"]
    every = rows_of(page, "Every source")[1:]
    assert [row[0] for row in every[:2]] == [f"{NASTY}.png", "gate 7/bright.png"]  # the others differ by rounding only
    assert sorted(row[0] for row in every[2:]) == [f"gate {n}/plain.png" for n in range(7)]
    assert [(row[4], row[5]) for row in every] == [("1", deviations)] + [("0", "–")] * 8
    assert float(every[1][6].replace(",", "")) > 1000  # against the others: bright throughout, and no anomaly in itself
    [reject] = rows_of(page, "Left out")[1:]
    assert reject == pd.read_csv(page.parent / "rejects.csv").iloc[0].replace("new/broken.mp4", "broken.mp4").tolist()


def test_interpolation_leads_to_its_videos(root: Path) -> None:
    page = root / "batch" / FOLDERS["slow"] / "index.html"
    assert facts_of(page)["Frames made"] == f"{64 * 5 + 8 * 16 * 5:,}"
    assert rows_of(page, "Every source")[1] == [f"{NASTY}.png", "64", "384", "150.00", "2.56", "2", "none"]
    videos = [a for tag, a in Tags(page).tags if tag == "video"]
    assert len(videos) == 9
    assert all((page.parent / str(a["src"])).is_file() and str(a["poster"]).startswith("data:") for a in videos)


def test_descriptors_name_their_nearest_neighbours(root: Path) -> None:
    page = root / "batch" / FOLDERS["words"] / "index.html"
    near = {row[0]: row for row in rows_of(page, "Every source, and what is most like it")[1:]}
    names = re.split(r"\d\.\d{3} ", near["gate 0/plain.png"][3])[1:]
    assert names == ["gate 1/plain.png", "gate 2/plain.png", "gate 3/plain.png"]  # levels 70, 80 and 90 beside 60
    assert "by chance" not in Tags(page).line  # no folder holds two


def test_ratings_stand_on_their_scale_with_a_warning_where_there_is_no_signal(root: Path) -> None:
    page = root / "batch" / FOLDERS["rates"] / "index.html"
    line = Tags(page).line
    assert "a constant may be as good" in line
    assert "On the scale from 0.0 to 10.0" in line
    assert "holds 80% of films like the 18 it was judged on" in line
    first = rows_of(page, "Ratings")[1]
    assert (first[0], first[1], first[4]) == ("gate 7/bright.png", "7.846.34 – 9.34", "16")
    dot = re.search(r'<circle class="dot strong" cx="([\d.]+)" cy="10" r="5"', page.read_text(encoding="utf-8"))
    assert dot is not None
    assert float(dot[1]) == pytest.approx(6 + 200 / 255 * 208, abs=0.1)


@pytest.mark.parametrize("name", [*FOLDERS, "index"])
def test_a_page_fetches_only_its_videos_and_every_link_leads_somewhere(root: Path, name: str) -> None:
    page = root / "batch" / FOLDERS.get(name, ".") / "index.html"
    read = Tags(page)
    digest = base64.b64encode(hashlib.sha256(read.style.encode()).digest()).decode()
    policy = next(a["content"] for tag, a in read.tags if a.get("http-equiv") == "Content-Security-Policy")
    media = "data:" if name == "index" else "'self' file:"
    assert policy == (
        f"default-src 'none'; img-src data:; media-src {media}; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert {tag for tag, _ in read.tags} & {"script", "iframe", "object", "embed", "form", "base"} == set()
    for tag, attributes in read.tags:
        assert not [key for key in attributes if key.startswith("on") or key == "style"]
        for link in filter(None, (attributes.get("href"), attributes.get("src"))):
            if not link.startswith("data:"):
                assert tag in {"a", "video"}
                assert (page.parent / unquote(urlsplit(link).path)).is_file()


def test_the_list_of_batches_has_the_newest_version_first(root: Path, tmp_path: Path) -> None:
    rows = rows_of(root / "batch" / "index.html", "Batches")[1:]
    assert [row[:6] for row in rows] == [
        ["rates", "bright", "2", "10", "9", "1"], ["slow", "fade", "3", "10", "9", "1"],
        ["watch", "dim", "12", "10", "9", "1"], ["words", "levels", "1", "10", "9", "1"],
    ]  # fmt: skip
    assert rows[2][6] == "31.46 dB; 1 anomaly"
    for version in ("9", "12"):
        shutil.copytree(root / "batch" / FOLDERS["watch"], tmp_path / "watch" / "dim" / f"v{version}")
        about = read_json(tmp_path / "watch" / "dim" / f"v{version}" / "batch.json")
        write_json(tmp_path / "watch" / "dim" / f"v{version}" / "batch.json", about | {"version": version})
    (tmp_path / "watch" / "dim" / "v13").mkdir()  # begun, and without results
    page = batch_page.write_index(tmp_path)
    assert [row[2] for row in rows_of(page, "Batches")[1:]] == ["12", "9"]
    assert "None yet." in Tags(batch_page.write_index(tmp_path / "none")).line


def test_equal_results_give_equal_bytes_wherever_they_lie(root: Path, tmp_path: Path) -> None:
    for place in FOLDERS.values():
        copy = shutil.copytree(root / "batch" / place, tmp_path / place)
        (copy / "index.html").unlink()
        assert sha256_of(batch_page.write(copy)) == sha256_of(root / "batch" / place / "index.html")


def test_thousands_of_sources_are_cut_off_with_a_word_where_the_rest_is(root: Path, tmp_path: Path) -> None:
    about = read_json(root / "batch" / FOLDERS["words"] / "batch.json")
    write_json(tmp_path / "batch.json", about | {"done": 5000, "rejected": 301})
    many = range(5000)
    table = {"source": [f"s{n}" for n in many], "path": [f"new/{n}.mp4" for n in many], "clips": 2, "frames": 24}
    pd.DataFrame(table).to_csv(tmp_path / "results.csv", index=False)
    rejects = {"path": [f"new/bad/{n}.mp4" for n in range(301)], "stage": "footage", "reason": "empty"}
    pd.DataFrame(rejects).to_csv(tmp_path / "rejects.csv", index=False)
    page = batch_page.write(tmp_path)
    assert len(rows_of(page, "Every source, and what is most like it")) == 1 + 300
    assert "4,700 more are in results.csv." in Tags(page).line
    assert "1 more is in rejects.csv." in Tags(page).line
    assert page.stat().st_size < 200_000
    with pytest.raises(ValueError, match=r"has no batch\.json, so it is not the folder of a batch"):
        batch_page.write(root)


def test_no_peak_of_a_long_film_is_lost_in_its_curve() -> None:
    mse = np.full(100_000, 0.01)
    mse[70_001] = 0.5
    told = {"start_seconds": 2800.04, "end_seconds": 2800.08, "peak_seconds": 2800.04, "deviations": 9.0}
    chart = batch_charts.error_curve(
        (np.arange(100_000) / 25).tolist(), mse.tolist(), [told], median=0.01, threshold=0.02, title="<film>"
    )
    assert "&lt;film&gt;" in chart
    points = re.search(r'<polyline class="line s0 fine" points="([^"]+)"', chart)
    peak = re.search(r'<circle class="peak" cx="([\d.]+)" cy="([\d.]+)"', chart)
    assert points is not None
    assert peak is not None
    assert len(points[1].split()) <= 2 * batch_charts.MOST_COLUMNS
    assert f"{peak[1]},{peak[2]}" in points[1].split()
    assert re.search(r'<rect class="unusual" x="[\d.]+" y="8" width="3.0"', chart)


@pytest.mark.parametrize(("scheme", "width_px"), [("light", 1280), ("dark", 360)])
def test_a_browser_shows_every_page_and_its_videos(root: Path, browser: Any, scheme: str, width_px: int) -> None:
    context = browser.new_context(viewport={"width": width_px, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("dialog", lambda dialog: heard.append(dialog.message))
    for place in (".", *FOLDERS.values()):
        page.goto((root / "batch" / place / "index.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width_px  # nothing sticks out
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert colour == {"light": "rgb(250, 250, 248)", "dark": "rgb(19, 21, 24)"}[scheme]  # the style was let in
        assert page.evaluate("Promise.all([...document.images].map(i => i.decode())).then(() => true)")
    for place in (FOLDERS["watch"], FOLDERS["slow"]):
        page.goto((root / "batch" / place / "index.html").as_uri())
        page.evaluate("document.querySelector('video').load()")
        page.evaluate("document.querySelector('video').muted = true")
        page.evaluate("document.querySelector('video').play()")
        for _ in range(200):
            if page.evaluate("document.querySelector('video').currentTime") > 0:
                break
            page.wait_for_timeout(100)
        assert page.evaluate("document.querySelector('video').currentTime") > 0
        assert page.evaluate("document.querySelector('video').error") is None
    page.goto((root / "batch" / FOLDERS["watch"] / "index.html").as_uri())
    page.locator('a[href*="#t=1.6"]').first.click()
    page.wait_for_url("**/video.mp4#t=1.6")
    assert heard == []
    context.close()
