"""The built-in footage of streets, in the MOTChallenge layout, the same bytes for the same settings.

    <out_dir>/streets-01/img1/000001.jpg ...
                         seqinfo.ini
                         gt/gt.txt         frame, id, left, top, width, height, conf, class, visibility

`gt.txt` as in MOT16 (Milan et al. 2016, section 3.3): frame, id, left and top count from 1; conf is 1 (to be judged)
and class 1 (pedestrian) everywhere. A box is of the whole person: it goes on where something hides them and where the
picture ends. Visibility is the share of the person, measured on the drawn pixels, that is in the picture and not behind
something. A person has a row while their box meets the picture, so visibility may be 0. Rows go by frame, then by id.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2

from tasks import files, media, parallel
from tasks.drawing import shoot, streets
from tasks.params import RenderedStreets

CRF = 23  # x264's own: what a camera or a video site leaves of a picture
JPEG_QUALITY = 90


@dataclass(frozen=True)
class _Job:
    settings: RenderedStreets
    number: int
    sequence: Path


def render_streets(out_dir: Path, settings: RenderedStreets, workers: int = 1) -> None:
    """Write the sequences `streets-01`, `streets-02` ...; an existing `out_dir` is replaced once all are complete.

    Every frame has been through H.264 before it becomes a JPEG. The bytes do not depend on `workers`, and a sequence
    does not depend on how many there are.

    Raises:
        parallel.WorkerError: a sequence, which it names, could not be written; the cause is chained.
    """
    with files.replacing_folder(out_dir) as folder:
        jobs = [_Job(settings, number, folder / f"streets-{number:02d}") for number in range(1, settings.sequences + 1)]
        parallel.map_sources(_write, jobs, workers, name=lambda job: job.sequence.name)


def _write(job: _Job) -> None:
    """Draw one sequence; in a worker."""
    settings, sequence = job.settings, job.sequence
    street = streets.plan(
        settings.seed,
        job.number,
        height_px=settings.height_px,
        width_px=settings.width_px,
        frames=settings.frames,
        frames_per_second=settings.frames_per_second,
    )
    (sequence / "img1").mkdir(parents=True)
    rows: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        film = Path(scratch) / "film.mp4"
        media.encode_video(_shown(street, rows), film, frames_per_second=settings.frames_per_second, crf=CRF)
        written = 0
        for written, (_, _, frame) in enumerate(media.read_frames(film, threads=1), start=1):
            done, jpeg = cv2.imencode(
                ".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
            )
            assert done
            (sequence / "img1" / f"{written:06d}.jpg").write_bytes(jpeg.tobytes())
        assert written == settings.frames, f"{written} of {settings.frames} frames came back from {film}"
    files.write_text(sequence / "gt" / "gt.txt", "".join(rows))
    files.write_text(sequence / "seqinfo.ini", _seqinfo(sequence.name, settings))


def _shown(street: streets.Street, rows: list[str]) -> Iterator[media.Frame]:
    """The drawn frames; what is known of each goes into `rows`, as lines of gt.txt."""
    for number, (frame, boxes) in enumerate(shoot.shoot(street), start=1):
        rows += [
            f"{number},{b.number},{b.left + 1},{b.top + 1},{b.width},{b.height},1,1,{b.visibility:.3f}\n" for b in boxes
        ]
        yield frame


def _seqinfo(name: str, settings: RenderedStreets) -> str:
    values = {
        "name": name,
        "imDir": "img1",
        "frameRate": settings.frames_per_second,
        "seqLength": settings.frames,
        "imWidth": settings.width_px,
        "imHeight": settings.height_px,
        "imExt": ".jpg",
    }
    return "[Sequence]\n" + "".join(f"{key}={value}\n" for key, value in values.items())
