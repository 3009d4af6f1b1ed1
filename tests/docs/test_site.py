# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
OUTSIDE = (
    *(ROOT / name for name in ("README.md", "ACCESSIBILITY.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    *(ROOT / "clients" / name / "README.md" for name in ("core", "python", "web")),
    ROOT / "server" / "signaling" / "PROTOCOL.md",
)
"""What people read beside the code; MkDocs looks after the links of `docs/`."""

MOST_IMAGE_BYTES = 1_500_000
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)")
HEADING = re.compile(r"^#+ +(.*?) *#*$", re.MULTILINE)
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)")


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def headings(page: Path) -> set[str]:
    """What a link may name in a page: its headings in lower case, without punctuation, words joined by dashes."""
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", text.lower())) for text in HEADING.findall(prose(page))}


def leads_somewhere(link: str, page: Path, root: Path) -> bool:
    """Whether a relative link of this page names something below `root`."""
    name, _, anchor = unquote(link).partition("#")
    target = (page.parent / name).resolve() if name else page
    found = target.is_relative_to(root) and target.exists()
    return found and (not anchor or anchor in headings(target))


def broken(page: Path, root: Path = ROOT) -> set[str]:
    """Links of a page that lead nowhere; addresses of other places are not asked."""
    links = [link for link in LINK.findall(prose(page)) if ":" not in link]
    return {link for link in links if not leads_somewhere(link, page, root)}


@pytest.mark.parametrize("page", OUTSIDE, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_outside_the_site_resolve(page: Path) -> None:
    """Every relative link, and the heading it names, exists."""
    assert broken(page) == set()


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    """A missing file and a missing heading are seen; code is not read."""
    page = tmp_path / "page.md"
    page.write_text("# I am here\n\n[a](#i-am-here) [b](#there) [c](none.md) [d](https://x.org)\n\n```\n[e](no)\n```\n")
    assert broken(page, tmp_path) == {"#there", "none.md"}


ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+\.[a-z]{2,}(:\d+)?(/[^\s<>\"']*)?")
LOCAL = ("localhost", "127.0.0.1")


class Page(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        facts = dict(attrs)
        self.anchors.update(name for name in (facts.get("id"), facts.get("name")) if name)
        self.links += [link for name in ("href", "src") if tag != "base" and (link := facts.get(name)) is not None]


def astray(site: Path) -> set[tuple[str, str]]:
    """Links of a built site that lead nowhere: every file and every anchor inside of it, addresses outside by shape."""
    pages = {file.resolve(): Page(file) for file in site.rglob("*.html") if file.name != "404.html"}
    found = set()
    for file, page in pages.items():
        for link in page.links:
            if not _leads(link, file, pages):
                found.add((str(file.relative_to(site.resolve())), link))
    return found


def _leads(link: str, file: Path, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme in ("http", "https"):
        return parts.hostname in LOCAL or ADDRESS.fullmatch(link) is not None
    if parts.scheme:
        return parts.scheme in ("mailto", "data")
    target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
    if target.is_dir():
        target /= "index.html"
    if target not in pages:
        return target.is_file()
    return not parts.fragment or unquote(parts.fragment) in pages[target].anchors


def test_a_link_that_goes_astray_is_found(tmp_path: Path) -> None:
    """A missing page, a missing anchor, an address that is none; what is right is not complained of."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "index.html").write_text('<h2 id="part">x</h2>')
    good = (
        "there/",
        "there/#part",
        "#here",
        "https://example.org/a?b#c",
        "mailto:a@example.org",
        "http://localhost:1/",
    )
    bad = ("nowhere/", "there/#no", "#no", "https://example", "htps://example.org")
    links = "".join(f'<a href="{link}">x</a>' for link in (*good, *bad))
    (tmp_path / "index.html").write_text(f'<p id="here">{links}</p>')
    assert astray(tmp_path) == {("index.html", link) for link in bad}


@pytest.mark.timeout(240)
def test_site_builds_strictly(tmp_path: Path) -> None:
    """Every link and anchor between the pages resolves, every page is in the navigation."""
    command = [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir"]
    built = subprocess.run([*command, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert "lead_ms" in (tmp_path / "protocol" / "index.html").read_text(encoding="utf-8")
    assert 'id="send_chat"' in (tmp_path / "reference" / "commands" / "index.html").read_text(encoding="utf-8")
    assert astray(tmp_path) == set()
    pages = "".join(page.read_text(encoding="utf-8") for page in tmp_path.rglob("*.html"))
    assert re.findall(r'<(?:script|img|link)[^>]+(?:src|href)="https?://[^"]*\.(?:js|css|png|svg|woff2?)"', pages) == []


def test_settings_table_is_up_to_date() -> None:
    """The page of settings says what `server.config` says today."""
    command = [sys.executable, "scripts/settings.py", "--check"]
    checked = subprocess.run(command, cwd=ROOT, check=False)
    assert checked.returncode == 0, "run: python scripts/settings.py"


def test_pictures_are_used_described_and_small() -> None:
    """No picture is left over or without words for those who do not see it, and together they are light."""
    pages = "".join(prose(page) for page in (ROOT / "docs").glob("*.md"))
    used = {name.rpartition("/")[2]: words for words, name in IMAGE.findall(pages)}
    files = {path.name: path.stat().st_size for path in (ROOT / "docs" / "images").iterdir()}
    assert used.keys() == files.keys()
    assert all(used.values())
    assert sum(files.values()) < MOST_IMAGE_BYTES
