"""The report over a small project: what it says, that it stands alone, and how a browser takes it."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tasks import media, params, pictures, report
from tasks.files import read_json, write_json
from tasks.params import Params
from tasks.report import charts, class_charts, films, scatter, thumbnails
from tests.tasks import _classified, _judged, _panned
from tests.tasks._pages import Tags, stands_alone

ASKED = {"first": "conv3d_autoencoder", "second": "gru_autoencoder", "later": "conv3d_autoencoder"}
BETWEEN = {"panned": "default", "faded": "article"}
NAMED = {"mover": 3, "still": 1}  # kernel depths
CROWD = 101  # classes
WARNING = "2 of 4 classes have one group only: left, <b>right</b>; a class of one group cannot be learned and judged"
DATASETS = ["data-blobs", "data-many", "data-streets", "data-ways"]
NAMES = [*DATASETS, "index", *(f"recipe-{name}" for name in sorted([*ASKED, *BETWEEN, *NAMED, "crowd"]))]
PAGES = [f"{name}.html" for name in NAMES]


def asked(root: Path) -> Params:
    """The project's parameters as if its two runs were the two architectures of the question, and beside them a
    dataset for interpolation with two variants of one architecture, one of classes with a network that sees motion and
    one that does not, and one of very many classes."""
    values = _judged.settings(root).model_dump()
    for name, architecture in ASKED.items():
        values["recipes"][name]["architecture"] = architecture
    values["datasets"]["streets"] = _panned.DATASET | {"footage": str(root / "streets")}
    for name, variant in BETWEEN.items():
        values["recipes"][name] = {"dataset": "streets", "architecture": "pix2pix", "config": {"variant": variant}}
    for dataset in ("ways", "many"):
        values["datasets"][dataset] = _classified.DATASET | {"footage": str(root / dataset)}
    for name, depth in NAMED.items():
        values["recipes"][name] = {"dataset": "ways", "architecture": "c3d", "config": {"kernel_depth": depth}}
    values["recipes"]["crowd"] = {"dataset": "many", "architecture": "c3d"}
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
    _panned.data(place)
    for name, pixels_a_frame in (("panned", 1.0), ("faded", -0.5)):  # one knows the camera, one has it backwards
        _panned.train(place, name, pixels_a_frame)
        path = _panned.judge(place, name) / "metrics.json"
        write_json(path, read_json(path) | {"architecture": "pix2pix", "variant": BETWEEN[name]})
    _classified.data(place)
    for name, depth in NAMED.items():
        _classified.train(place, name, depth)
        path = _classified.judge(place, name) / "metrics.json"
        write_json(path, read_json(path) | {"warnings": [WARNING]})
    (place / "data/evaluation/crowd").mkdir()
    _classified.many(place / "data/evaluation/crowd", CROWD)
    report.run(asked(place), place / "data", place / "site")
    return place


def test_the_site_is_whole_and_equal_for_equal_inputs(root: Path, tmp_path: Path) -> None:
    report.run(asked(root), root / "data", tmp_path / "again")
    names = sorted(str(p.relative_to(root / "site")) for p in (root / "site").rglob("*") if p.is_file())
    assert names == sorted(
        [*PAGES, "metrics.json", "plots/answers.csv", "plots/losses.csv", "strip.png", "between.png", "motion.png"]
    )
    assert [n for n in names if (root / "site" / n).read_bytes() != (tmp_path / "again" / n).read_bytes()] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_stands_alone_and_runs_nothing(root: Path, name: str) -> None:
    stands_alone(root / "site", name)


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
    pair, *_ = figures["comparisons"]
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


def test_the_index_says_of_each_variant_whether_it_beats_the_cross_fade(root: Path) -> None:
    text = re.sub(r"\s+", " ", Tags(root / "site/index.html").text)
    judged = {name: read_json(root / f"data/evaluation/{name}/metrics.json") for name in BETWEEN}
    gain = {name: result["gains"]["cross_fade"]["psnr_db"] for name, result in judged.items()}
    assert gain["panned"]["low"] > 3  # it knows the camera
    assert gain["faded"]["high"] < 0
    assert f"Does the default variant (panned) beat the cross-fade? Yes, by {gain['panned']['value']:.2f} dB (" in text
    assert f"Does the article's variant (faded) beat the cross-fade? No: {-gain['faded']['value']:.2f} dB below" in text
    ahead = gain["panned"]["value"] - gain["faded"]["value"]
    said = f"On the same clips, the default variant (panned) is {ahead:.2f} dB ahead of the article's variant (faded)"
    assert said in text
    figures = read_json(root / "site/metrics.json")
    assert figures["comparisons"][1]["psnr_db"]["value"] == pytest.approx(ahead)
    assert figures["recipes"]["panned"]["answers"] == judged["panned"]["answers"]
    kept = {key: figures["recipes"]["panned"][key] for key in ("kind", "inputs", "outputs", "latent_floats")}
    assert kept == {"kind": "interpolate", "inputs": [0, 6], "outputs": [1, 2, 3, 4, 5], "latent_floats": None}
    assert figures["recipes"]["faded"]["baselines"]["cross_fade"]["outcome"] == "worse"
    table = pd.read_csv(root / "site/plots/answers.csv").set_index(["recipe", "answer"])
    assert list(table.loc["panned"].index) == ["model", "nearest_copy", "cross_fade", "dis_flow"]
    assert table["floats"]["panned"].isna().all()


def test_a_page_of_frames_between_shows_every_sequence_and_every_answer(root: Path) -> None:
    page = Tags(root / "site/recipe-panned.html")
    text = re.sub(r"\s+", " ", page.text)
    assert "pix2pix, default variant, on streets: given frames 0 and 6, answers frames 1 to 5" in text
    result = read_json(root / "data/evaluation/panned/metrics.json")
    gain = result["gains"]["cross_fade"]["psnr_db"]
    interval = f"95% interval of the gain {gain['low']:.2f} to {gain['high']:.2f} dB"
    assert f"Beats the cross-fade by {gain['value']:.2f} dB ({interval})." in text
    sources = pd.read_csv(root / "data/evaluation/panned/sources.csv").pivot(index="group", columns="answer")["psnr_db"]
    least = (sources["model"] - sources["cross_fade"]).min()
    assert f"Above the cross-fade on each of the 3 held-out sequences, by {least:.2f} dB or more." in text
    for answer in result["answers"].values():
        assert f"{answer['psnr_db']['value']:.2f}" in text
        assert f"{answer['flicker']['value'] * 1e3:.2f}" in text
    for name, row in sources.iterrows():
        assert re.search(rf"{name} ?\d+{row['cross_fade']:.2f}{row['dis_flow']:.2f}{row['model']:.2f}\+", text)
    videos = [a for t, a in page.tags if t == "video"]
    assert [a["aria-label"] for a in videos] == [
        *(f"{name}: truth, cross-fade, DIS flow and this model, two by two" for name in _panned.TEST),
        "Ground truth on the left, this model on the right",
    ]
    assert all({"autoplay", "loop", "muted", "playsinline", "controls"} <= set(a) for a in videos)
    strips = ["Given", "Truth", "Cross-fade", "DIS flow", "This model"]
    strips += ["Error, cross-fade", "Error, DIS flow", "Error, this model"]
    told = [str(a["alt"]).split(":")[0] for t, a in page.tags if t == "img" and "frame" in str(a["alt"])]
    assert told == strips * 3  # worst, median, best
    assert sum(a.get("class") == "chart" for t, a in page.tags if t == "svg") == 3  # places, gains, loss


def test_the_index_says_whether_temporal_kernels_help(root: Path) -> None:
    text = re.sub(r"\s+", " ", Tags(root / "site/index.html").text)
    judged = {name: read_json(root / f"data/evaluation/{name}/metrics.json") for name in NAMED}
    accuracy = {name: result["answers"]["model"]["video_accuracy"]["value"] for name, result in judged.items()}
    assert accuracy == {"mover": pytest.approx(11 / 12), "still": 0.25}  # one video is filed under the wrong class
    ahead = "mover (kernel depth 3) is 66.7 points ahead of still (image-only, kernel depth 1)"
    assert f"Does it look at motion?The temporal kernels help: {ahead} (95% interval" in text
    assert (
        "They name 91.7% (75.0 to 100.0) and 25.0% (25.0 to 25.0) of the videos rightly; the intervals do not" in text
    )
    assert "the image-only network cannot be told from chance (25.0%)." in text
    gain = judged["mover"]["gains"]["mean_frame_svm"]["video_accuracy"]
    assert f"mover names {gain['value']:.1%} more".replace("%", " points") in text
    descriptor = 100 * judged["mover"]["answers"]["descriptor_svm"]["video_accuracy"]["value"]
    assert re.search(rf"mover ?C3D, default.*?Its descriptor, linear SVM ?{descriptor:.1f}.*?Chance ?25.0", text)
    figures = read_json(root / "site/metrics.json")
    asked_of = next(c for c in figures["comparisons"] if c["first"] == "mover")
    assert asked_of["video_accuracy"]["value"] == pytest.approx(2 / 3)
    assert figures["recipes"]["mover"]["baselines"]["majority_class"]["outcome"] == "better"
    assert figures["recipes"]["mover"]["labels"] == list(_classified.WAYS)
    table = pd.read_csv(root / "site/plots/answers.csv").set_index(["recipe", "answer"])
    assert table.loc[("mover", "model"), "video_accuracy"] == pytest.approx(11 / 12)
    assert np.isnan(table.loc[("first", "model"), "video_accuracy"])
    assert np.isnan(table.loc[("mover", "model"), "psnr_db"])


def test_every_cell_of_the_confusion_matrix_leads_to_its_videos(root: Path) -> None:
    page = Tags(root / "site/recipe-mover.html")
    labels = list(_classified.WAYS)
    titles = {str(a["href"]): str(a["title"]) for t, a in page.tags if t == "a" and "title" in a}
    assert titles == {
        "#cell-0-0": "down named rightly: 3 of 3 videos",
        "#cell-1-1": "left named rightly: 2 of 3 videos",
        "#cell-1-2": "left taken for right: 1 of 3 videos",
        "#cell-2-2": "right named rightly: 3 of 3 videos",
        "#cell-3-3": f"{labels[3]} named rightly: 3 of 3 videos",
    }
    text = re.sub(r"\s+", " ", page.text)
    videos = pd.read_parquet(root / "data/evaluation/mover/videos.parquet").query("answer == 'model'")
    (wrong,) = videos[~videos["correct"]]["source"]
    assert "12 held-out videos, 1 of them named wrongly." in text
    assert re.search(rf"left, taken for right ?1 video {re.escape(wrong)}[\d.]+% sure", text)
    pictured = [str(a["alt"]) for t, a in page.tags if t == "img" and "A frame of" in str(a["alt"])]
    assert sorted(pictured) == sorted(f"A frame of {source}" for source in videos["source"])


def test_a_page_of_classes_shows_every_figure_and_warns_before_them(root: Path) -> None:
    page = Tags(root / "site/recipe-mover.html")
    text = re.sub(r"\s+", " ", page.text)
    assert text.index(f"{WARNING}.") < text.index("91.7%") < text.index("Verdict")
    result = read_json(root / "data/evaluation/mover/metrics.json")
    for level, error in result["calibration"]["expected_error"].items():
        assert f"{level.capitalize()}s: error {100 * error:.1f} points" in text
    for row in pd.read_csv(root / "data/evaluation/mover/recalls.csv").to_dict("records"):
        told = f"{100 * row['recall']:.1f}{100 * row['low']:.1f} – {100 * row['high']:.1f}"
        assert f"{row['label']}{row['videos']}{told}{100 * row['precision']:.1f}" in text.replace("> ", ">")
    assert "This model–91.7" in text.replace(" ", "").replace("Thismodel", "This model")
    for line in ("this model's descriptor", "raw pixels (the mean frame)", "descriptor of still, image-only"):
        assert line in text
    assert "Adown 3Bleft 3Cright 3D" in text
    spots = [a for t, a in page.tags if t == "g" and a.get("class") == "spot"]
    rings = [a for t, a in page.tags if t == "circle" and a.get("class") == "missed"]
    seen = [a for t, a in page.tags if t == "image"]
    assert (len(spots), len(rings), len(seen)) == (12, 1, 12)
    strips = [str(a["alt"]).split(":")[0] for t, a in page.tags if t == "img" and "of the clip" in str(a["alt"])]
    assert strips == ["Clip", "Looked at"] * 5  # the surest right one of four classes, and the wrong one
    assert sum(a.get("class") == "moments" for t, a in page.tags if t == "svg") == 5
    assert "descriptor of still" not in Tags(root / "site/recipe-still.html").text
    assert "named rightly, " in text
    assert "taken for right, " in text


def test_a_hundred_classes_are_a_list_and_a_picture(root: Path) -> None:
    page = Tags(root / "site/recipe-crowd.html")
    assert not [a for t, a in page.tags if t == "table" and "confusion" in str(a.get("class"))]
    name = "a_class_of_some_length_"
    links = re.findall(rf"{name}(\d+) taken for {name}(\d+) 1 of 5", page.text)
    wrong = [n // 5 for n in range(3, 5 * CROWD, 10)]
    assert links == [(f"{k:03d}", f"{k + 1:03d}") for k in wrong[:20]]
    assert f"{len(wrong) - 20} more pairs are in confusion.csv" in page.text
    led = {str(a["href"])[1:] for t, a in page.tags if t == "a" and str(a["href"]).startswith("#cell")}
    assert led == {f"cell-{k}-{k + 1}" for k in wrong[:20]} | {f"cell-{k}-{k}" for k in range(CROWD)}
    assert led == {str(a["id"]) for t, a in page.tags if t == "section" and "cell" in str(a.get("class"))}
    (matrix,) = [a for t, a in page.tags if t == "img" and a.get("class") == "matrix"]
    with Image.open(io.BytesIO(base64.b64decode(str(matrix["src"]).split(",")[1]))) as image:
        shares = np.asarray(image)[::6, ::6].sum(axis=2)
    assert shares.shape == (CROWD, CROWD)
    assert (shares.argmax(axis=1) == np.arange(CROWD)).all()


def test_the_videos_hold_the_frames_in_step(root: Path, tmp_path: Path) -> None:
    """Given frames and answers at their places, forwards, then back; of the model that has the camera backwards."""
    page = Tags(root / "site/recipe-faded.html")
    found = []
    for _, attributes in [(t, a) for t, a in page.tags if t == "video"]:
        (tmp_path / "video.mp4").write_bytes(base64.b64decode(str(attributes["src"]).split(",")[1]))
        found.append(np.stack([frame for *_, frame in media.read_frames(tmp_path / "video.mp4")]))
    *four, beside = found
    side, loop = _panned.SIDE, [*range(7), *range(5, 0, -1)]
    with np.load(root / "data/evaluation/faded/examples.npz") as examples:
        numbers = np.flatnonzero(examples["role"] == "sequence")
        windows = {}
        for key in ("input", "output"):
            given, answered = examples["shown"][numbers], examples[key][numbers]
            windows[key] = np.concatenate([given[:, :1], answered, given[:, 1:]], axis=1)
    truth = np.concatenate([window[loop * 2] for window in windows["input"]])
    ours = np.concatenate([window[loop * 2] for window in windows["output"]])
    assert np.abs(truth - ours.astype(int)).mean() > 12  # so that one cannot be taken for the other
    assert beside.shape == (3 * 24, side, 2 * side, 3)
    assert np.abs(beside[:, :, :side] - truth.astype(int)).mean() < 4  # as H.264 has it
    assert np.abs(beside[:, :, side:] - ours.astype(int)).mean() < 4
    factor = films.BETWEEN_PANEL_PX // side
    for video, truth_window, our_window in zip(four, windows["input"], windows["output"], strict=True):
        half = (video.shape[1] - films.PANEL_GAP_PX) // 2
        upper = video[:, half - factor * side : half : factor, : factor * side : factor]
        lower = video[:, -factor * side :: factor, -factor * side :: factor]
        assert len(video) == len(loop)
        assert np.abs(upper - truth_window[loop].astype(int)).mean() < 4
        assert np.abs(lower - our_window[loop].astype(int)).mean() < 4


def test_the_side_by_side_is_the_same_bytes_again_and_takes_odd_sizes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    left, right = (list(rng.integers(0, 256, (5, 9, 13, 3), np.uint8)) for _ in range(2))
    for name in ("one.mp4", "two.mp4"):
        films.side_by_side(left, right, tmp_path / name)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()
    info = media.probe(tmp_path / "one.mp4")
    assert (info.frames, info.height_px, info.width_px) == (5, 10, 28)
    assert (info.frames_per_second, info.pixel_format) == (8.0, "yuv420p")


def test_given_frames_stand_where_they_belong() -> None:
    frames = np.stack([np.full((2, 3, 3), level, np.uint8) for level in (10, 20)])
    found = pictures.placed(frames, [0, 2], 3)
    assert found.shape == (2, 3 * 3 + 2, 4)
    assert found[0, :, 3].tolist() == [255] * 3 + [0] * 5 + [255] * 3
    assert found[0, [0, 10], 0].tolist() == [10, 20]
    window = films.window(frames[:, :, :, :1], np.stack([frames[0] + 5] * 2)[:, :, :, :1], [0, 3], [1, 2])
    assert window[:, 0, 0, 0].tolist() == [10, 15, 15, 20]
    ahead = films.window(frames, frames + 5, [0, 1], [2, 3])  # frame prediction
    assert ahead[:, 0, 0, 0].tolist() == [10, 20, 15, 25]


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
    text = Tags(tmp_path / "site/index.html").text
    assert "Not answered yet: first is not run yet, second is not run yet, later is not run yet." in text
    assert "Does it beat the cross-fade?Not answered yet: panned is not run yet, faded is not run yet." in text


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
    page.goto((root / "site" / "recipe-panned.html").as_uri())
    for number in range(page.locator("video").count()):
        page.locator("video").nth(number).scroll_into_view_if_needed()
        for _ in range(200):
            if page.evaluate(f"document.querySelectorAll('video')[{number}].currentTime") > 0:
                break
            page.wait_for_timeout(100)
        assert page.evaluate(f"!document.querySelectorAll('video')[{number}].paused")
    assert page.evaluate("document.querySelector('video').videoWidth") == 2 * 256 + 4
    page.goto((root / "site" / "recipe-mover.html").as_uri())
    assert page.locator(".cell:visible h3").all_inner_texts() == ["left, taken for right1 video"]  # before one chooses
    page.locator('a[href="#cell-2-2"]').focus()
    page.keyboard.press("Enter")
    assert page.locator(".cell:visible h3").all_inner_texts() == ["right, named rightly3 videos"]
    assert page.evaluate("document.documentElement.scrollWidth") == width_px
    context.close()
    assert heard == []


def test_the_readme_shows_the_answers_between_two_frames(root: Path) -> None:
    with Image.open(root / "site" / "between.png") as image:
        picture = np.asarray(image)
    side = 4 * _panned.SIDE
    assert picture.shape == (34 + 2 * side + 8 + 2 * 20, 5 * side + 4 * 8 + 2 * 20, 3)
    errors = [picture[-20 - side : -20, 20 + k * (side + 8) : 20 + k * (side + 8) + side].mean() for k in (2, 3, 4)]
    assert errors[2] < errors[0] / 2  # ours is darker than the cross-fade's


def test_the_readme_strip_has_a_row_for_each_answer(root: Path) -> None:
    with Image.open(root / "site" / "strip.png") as image:
        found = image.size
    frames_px = (8 * 16 + 7) * 7  # eight frames of 16 px and seven lines, sevenfold
    assert found == (frames_px + 190 + 2 * 20, 5 * 16 * 7 + 4 * 8 + 2 * 20)


def test_the_readme_shows_what_seeing_motion_is_worth(root: Path) -> None:
    with Image.open(root / "site" / "motion.png") as image:
        picture = np.asarray(image)
    rows = picture.shape[0] - 2 * 20 - 30  # five bars: two networks, three baselines
    bars = picture[20 : 20 + rows, picture.shape[1] - 20 - 460 - 74 : picture.shape[1] - 20]
    lengths = [(bars[round(rows / 5 * (k + 0.55))] != (250, 250, 248)).any(axis=1).sum() for k in range(5)]
    accuracy = {
        name: read_json(root / f"data/evaluation/{name}/metrics.json")["answers"]["model"]["video_accuracy"]["value"]
        for name in NAMED
    }
    assert lengths[:2] == pytest.approx([460 * accuracy["mover"], 460 * accuracy["still"]], abs=4)
    assert (bars == (0, 114, 178)).all(axis=2).any(axis=1).sum() == pytest.approx(
        0.4 * rows / 5, abs=3
    )  # one stands out


def test_heat_lies_on_gray_and_a_share_has_its_bar() -> None:
    frame = np.full((1, 2, 3), 200, np.uint8)
    found = pictures.heat(frame, np.array([[0, 255]], np.uint8))
    assert found[0, 0].tolist() == [130, 130, 130]
    assert found[0, 1].tolist() == [255, 255, 255]
    bar = class_charts.share_bar(0.5, 0.25, 0.75, title="<half>")
    assert 'aria-label="&lt;half&gt;"' in bar
    assert 'class="fill" width="80.0"' in bar
    assert 'd="M41.0 9.0H119.0"' in bar
    assert class_charts.share_bar(float("nan"), None, None, title="none") == ""


def test_pictures_among_the_points_cover_nothing() -> None:
    spots = [
        scatter.Spot(f"v{n}", "a", "ab"[n == 3], x, 0.5, "data:", 1.5) for n, x in enumerate((0.5, 0.5, 0.51, 0.9))
    ]
    drawn = scatter.scatter(spots, ["a", "b"], title="map")
    boxes = [tuple(map(float, b)) for b in re.findall(r'rim c0" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"', drawn)]
    assert len(boxes) == drawn.count('class="seen"') >= 3
    for n, (left, top, width) in enumerate(boxes):
        for other_left, other_top, _ in boxes[:n]:
            assert abs(left - other_left) >= width or abs(top - other_top) >= thumbnails.PICTURE_PX
    assert len(boxes) + drawn.count('class="peek"') == 4
    assert drawn.count("missed") == 1
    assert "v3: a, taken for b" in drawn
    assert list(scatter.marks_of([str(n) for n in range(27)]).values())[-1] == "27"
