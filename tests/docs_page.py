"""Reads the page at /api/docs as its readers do."""

from __future__ import annotations

from html.parser import HTMLParser


class DocsPage(HTMLParser):
    """``links``: addresses of links; ``targets``: ids; ``loaded``: addresses of files that the page loads; ``inline``:
    scripts, styles and handlers that are part of it; ``snippets``: name → code of each example."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.targets: list[str] = []
        self.loaded: set[str] = set()
        self.inline: list[str] = []
        self.snippets: dict[str, str] = {}
        self._file: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.inline += [tag] if tag == "style" or (tag == "script" and "src" not in given) else []
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        if "id" in given:
            self.targets.append(given["id"])
        if tag == "a":
            self.links.add(given["href"])
        elif "src" in given or "href" in given:
            self.loaded.add(given.get("src") or given["href"])
        if "data-file" in given:
            self._file = given["data-file"]
            self.snippets[self._file] = ""

    def handle_data(self, data: str) -> None:
        if self._file is not None:
            self.snippets[self._file] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "code":
            self._file = None
