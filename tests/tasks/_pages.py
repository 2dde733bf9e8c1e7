"""The report's pages as a test reads them."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path


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

    @property
    def line(self) -> str:
        """The text with every run of white space as one space."""
        return re.sub(r"\s+", " ", self.text)

    def count(self, tag: str, name: str) -> int:
        """How many tags have exactly this class."""
        return sum(t == tag and a.get("class") == name for t, a in self.tags)


def stands_alone(site: Path, name: str) -> None:
    """A page fetches and runs nothing, and its links lead somewhere."""
    page = Tags(site / name)
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
        if link.startswith("#"):
            assert sum(a.get("id") == link[1:] for _, a in page.tags) == 1
        else:
            assert link.startswith("data:") or (site / link).is_file()
