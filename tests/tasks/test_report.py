"""The report over a small project: what it says, that it stands alone, and how a browser takes it."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tasks import params, pictures, report
from tasks.files import read_json, write_json
from tasks.params import Params
from tasks.report import charts
from tests.tasks import _judged

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ASKED = {"first": "conv3d_autoencoder", "second": "gru_autoencoder", "later": "conv3d_autoencoder"}
PAGES = ["data-blobs.html", "index.html", "recipe-first.html", "recipe-later.html", "recipe-second.html"]


def asked(root: Path) -> Params:
    """The project's parameters as if its two runs were the two architectures of the question."""
    values = _judged.settings(root).model_dump()
    for name, architecture in ASKED.items():
        values["recipes"][name]["architecture"] = architecture
    return params.parse(values, root / "params.yaml")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("report")
    _judged.data(place)
    for name, level, seconds in (("first", 0.35, 10.0), ("second", 0.9, 10.5)):
        _judged.train(place, name, level, seconds)
        path = _judged.judge(place, name) / "metrics.json"
        write_json(path, read_json(path) | {"architecture": ASKED[name]})
    weights = read_json(place / "data/evaluation/first/metrics.json")["weights_sha256"]
    record = {
        "champion_version": "1", "challenger_version": "1", "champion": {"weights_sha256": weights},
        "challenger": {"weights_sha256": weights}, "decision": {"promoted": True, "reason": "<i>the first</i> version"},
    }  # fmt: skip
    write_json(place / "data/registry/first.json", record)
    report.run(asked(place), place / "data", place / "site")
    return place


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and the text outside the style."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.style = ""
        self._inside = ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.style += data
        else:
            self.text += data


def test_the_site_is_whole_and_equal_for_equal_inputs(root: Path, tmp_path: Path) -> None:
    report.run(asked(root), root / "data", tmp_path / "again")
    names = sorted(str(p.relative_to(root / "site")) for p in (root / "site").rglob("*") if p.is_file())
    assert names == sorted([*PAGES, "metrics.json", "plots/answers.csv", "plots/losses.csv", "strip.png"])
    assert [n for n in names if (root / "site" / n).read_bytes() != (tmp_path / "again" / n).read_bytes()] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_stands_alone_and_runs_nothing(root: Path, name: str) -> None:
    page = Tags(root / "site" / name)
    policy = next(a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; img-src data:; media-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert {tag for tag, _ in page.tags} & {"script", "iframe", "object", "embed", "form", "base"} == set()
    for _, attributes in page.tags:
        assert not [a for a in attributes if a.startswith("on") or a == "style"]
        assert (attributes.get("src") or "data:").startswith("data:")
        link = attributes.get("href") or "data:"
        assert link.startswith("data:") or (root / "site" / link).is_file()


def test_hostile_names_stay_text(root: Path) -> None:
    data, first = Tags(root / "site/data-blobs.html"), Tags(root / "site/recipe-first.html")
    assert _judged.HOSTILE in data.text
    assert "p0<broken>.png" in data.text  # among the rejects
    assert _judged.HOSTILE_CLASS in data.text
    assert _judged.HOSTILE_CLASS in first.text
    assert "The gate said: <i>the first</i> version" in first.text
    assert "Blobs & <b>others</b>" in first.text
    assert not any(tag in {"b", "i"} and "x" in attributes.values() for tag, attributes in first.tags)


def test_the_index_answers_the_question_from_the_figures(root: Path) -> None:
    text = re.sub(r"\s+", " ", Tags(root / "site/index.html").text)
    clips = [pd.read_parquet(root / f"data/evaluation/{name}/clips.parquet") for name in ("first", "second")]
    one, other = (c[c["answer"] == "model"].set_index("clip")["psnr_db"] for c in clips)
    gain = (one - other).mean()
    assert f"the 3-D CNN (first) rebuilds unseen clips {gain:.2f} dB better than the GRU (second)" in text
    assert "At equal floats (2,048 a clip) and equal training time (10 and 10 s)" in text
    assert "Not run yet" in text  # the recipe `later`
    assert "3-D CNN, default, champion" in text
    figures = read_json(root / "site/metrics.json")
    (pair,) = figures["comparisons"]
    assert (pair["first"], pair["second"], pair["comparable"]) == ("first", "second", True)
    assert pair["psnr_db"]["value"] == pytest.approx(gain)
    assert figures["recipes"]["later"] == {"status": "not run yet"}
    judged = figures["recipes"]["first"]
    assert judged["answers"] == read_json(root / "data/evaluation/first/metrics.json")["answers"]
    assert judged["champion"]["outcome"] == "better"
    assert judged["baselines"]["clip_mean_frame"]["outcome"] == "worse"  # a flat grey answer cannot beat it
    assert "does not beat" in text


def test_a_recipe_page_says_what_it_does_not_beat_and_shows_every_figure(root: Path) -> None:
    page = Tags(root / "site/recipe-first.html")
    text = re.sub(r"\s+", " ", page.text)
    assert "Does not beat the clip's mean frame" in text
    assert "These weights are the champion, version 1." in text
    assert "The 95% interval rests on only 2 groups (3, 4)" in text
    for answer in read_json(root / "data/evaluation/first/metrics.json")["answers"].values():
        assert f"{answer['psnr_db']['value']:.2f}" in text
    assert sum(tag == "video" for tag, _ in page.tags) == 3
    assert sum(tag == "img" for tag, _ in page.tags) == 3 * 3 + 1  # three strips each, and the colour bar
    assert sum(a.get("class") == "chart" for t, a in page.tags if t == "svg") == 3  # loss, validation, curve
    assert "Not registered yet" in Tags(root / "site/recipe-second.html").text


def test_the_data_page_counts_splits_and_names_rejects(root: Path) -> None:
    text = re.sub(r"\s+", " ", Tags(root / "site/data-blobs.html").text)
    assert "10 sources, " in text
    assert "1 file left out" in text
    assert "Leakage check" in text
    clips = pd.read_parquet(root / "data/clips/blobs/clips.parquet")
    assert f"train{len(clips) - 12:,}60, 1, 2" in text.replace(" ", "").replace("60,1,2", "60, 1, 2")


def test_a_project_that_never_ran_has_a_report_too(root: Path, tmp_path: Path) -> None:
    report.run(asked(root), tmp_path / "nothing", tmp_path / "site")
    assert sorted(p.name for p in (tmp_path / "site").glob("*.html")) == PAGES
    assert "Not run yet" in Tags(tmp_path / "site/recipe-first.html").text
    assert read_json(tmp_path / "site/metrics.json")["recipes"]["second"] == {"status": "not run yet"}
    waiting = "Not answered yet: first is not run yet, second is not run yet, later is not run yet."
    assert waiting in Tags(tmp_path / "site/index.html").text


def test_error_maps_share_a_scale() -> None:
    clip = np.zeros((2, 4, 4, 1), np.uint8)
    errors = pictures.error_of(clip, clip + 51)
    np.testing.assert_allclose(errors, 0.2)
    assert pictures.error_scale([errors]) == 0.2
    assert pictures.error_scale([errors * 1.01, errors]) == 0.25
    dark, light = pictures.error_colours(np.array([[0.0, 0.2, 9.0]]), 0.2)[0, [0, 1]]
    assert dark.sum() < 10 < light.sum()
    assert pictures.shown_frames(16) == [0, 2, 4, 6, 9, 11, 13, 15]
    assert pictures.shown_frames(3) == [0, 1, 2]


def test_charts_refuse_nothing_and_leave_out_unknown_points() -> None:
    drawn = charts.line_chart(
        [charts.Line("<a>", [0, 1, 2], [1.0, float("nan"), 3.0])], x_label="step", y_label="loss", title='"quoted"'
    )
    assert "&#34;quoted&#34;" in drawn
    assert re.findall(r'polyline class="line s0" points="([^"]+)"', drawn) == ["52.0,212.2 440.0,17.8"]
    with pytest.raises(ValueError, match="no point to draw"):
        charts.line_chart([charts.Line("a", [], [])], x_label="", y_label="", title="empty")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; .ci/run installs it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.mark.parametrize(("scheme", "width_px"), [("light", 1280), ("dark", 360)])
def test_a_browser_shows_every_page_without_complaint(root: Path, browser: Any, scheme: str, width_px: int) -> None:
    context = browser.new_context(viewport={"width": width_px, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("dialog", lambda dialog: heard.append(dialog.message))
    page.on(
        "request", lambda request: heard.append(request.url) if not request.url.startswith(("file:", "data:")) else None
    )
    for name in PAGES:
        page.goto((root / "site" / name).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width_px  # nothing sticks out
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert colour == {"light": "rgb(250, 250, 248)", "dark": "rgb(19, 21, 24)"}[scheme]  # the style was let in
        assert page.evaluate("Promise.all([...document.images].map(i => i.decode())).then(() => true)")
    page.goto((root / "site" / "recipe-first.html").as_uri())
    page.locator("video").first.scroll_into_view_if_needed()
    for _ in range(200):  # it plays by itself, soon after it is seen; the policy forbids playwright's own waiting
        if page.evaluate("document.querySelector('video').currentTime") > 0:
            break
        page.wait_for_timeout(100)
    assert page.evaluate("!document.querySelector('video').paused")
    assert page.evaluate("document.querySelector('video').videoWidth") == 3 * 192 + 8
    context.close()
    assert heard == []


def test_the_readme_strip_has_a_row_for_each_answer(root: Path) -> None:
    with Image.open(root / "site" / "strip.png") as image:
        found = image.size
    frames_px = (8 * 16 + 7) * 7  # eight frames of 16 px and seven lines, sevenfold
    assert found == (frames_px + 190 + 2 * 20, 5 * 16 * 7 + 4 * 8 + 2 * 20)
