"""A visit to the page: what visitors do, and what the browser notices meanwhile."""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, FilePayload, Locator, Page, Request, Route, expect

from tests.e2e.server import ANALYZE, Server

#: how Chromium tells of an answer that is an error or of none, and of a header that only https may set
_EXPECTED = (
    "Failed to load resource",
    "The Cross-Origin-Opener-Policy header has been ignored",  # where the page does not come over https
)
#: long, for a machine that does much else; every wait ends as soon as what it waits for is there
PATIENCE_MS = 60_000

#: what is on a page by mistake: values that a script printed, names and settings of the API
_LEFTOVERS = re.compile(r"false|null|undefined|NaN|\[object|\w+_\w+|\w+=\w+")

#: selector → whether it is of the element that has the focus, in whatever shadow root
FOCUSED = """(selector) => {
    let focused = document.activeElement;
    while (focused.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
    return focused.matches(selector);
}"""

_TRANSFER = """([name, type, data]) => {
    const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, { type }));
    return transfer;
}"""


def photo_file(data: bytes, name: str = "photo.jpg", kind: str = "image/jpeg") -> FilePayload:
    """A file as a visitor has it."""
    return {"name": name, "mimeType": kind, "buffer": data}


def edited(change: Callable[[dict[str, Any]], None]) -> Callable[[Route], None]:
    """A route that answers with the service's own answer, changed."""

    def fulfil(route: Route) -> None:
        answer = route.fetch().json()
        change(answer)
        route.fulfill(json=answer)

    return fulfil


class Visit:
    """``strangers``: addresses asked that are not the service's. ``complaints``: what the browser's console says."""

    def __init__(self, page: Page, url: str, friends: tuple[str, ...] = ()) -> None:
        """``friends``: other addresses that the page at ``url`` may ask."""
        self.page = page
        self.url = url
        self._known = (url, *friends, "blob:", "data:", "file:")  # the last three stay on this machine
        self.strangers: list[str] = []
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", self._note_request)
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self) -> Visit:
        self.page.goto(self.url)
        expect(self.page.locator("#controls")).to_be_enabled()
        return self

    def choose(self, *photos: bytes) -> Visit:
        """Choose a photo, and add the others as views of the same spot."""
        first, *others = photos
        self.page.set_input_files("#file", [photo_file(first)])
        for number, photo in enumerate(others, 2):
            self.page.set_input_files("#another", [photo_file(photo)])
            expect(self.page.locator("#previews li")).to_have_count(number)
        return self

    def transfer(self, data: bytes, name: str = "photo.jpg", kind: str = "image/jpeg") -> Any:
        """A DataTransfer of the page that holds a file, as drops and pastes bring it."""
        return self.page.evaluate_handle(_TRANSFER, [name, kind, base64.b64encode(data).decode()])

    def analyse(self) -> dict[str, Any]:
        """Press the button and wait for the answer's screen. The answer that the service gave."""
        with self.page.expect_response(lambda response: ANALYZE in response.url) as sent:
            self.page.click("#analyse")
        answer: dict[str, Any] = sent.value.json()
        expect(self.page.locator("#headline")).to_have_text(answer["summary"]["headline"])
        assert _LEFTOVERS.findall(self.page.locator("dermserve-analyzer .answer").inner_text()) == []
        return answer

    def open_all(self) -> Visit:
        """Open everything that is folded."""
        self.page.locator("details").evaluate_all("(parts) => parts.forEach((part) => { part.open = true; })")
        return self

    def save(self, place: str) -> None:
        """Save the answer to the diary."""
        self.page.get_by_role("button", name="Save to diary").click()
        self.page.get_by_label("Which spot is it?").fill(place)
        self.page.get_by_role("button", name="Save", exact=True).click()
        expect(self.page.locator(".saved")).to_be_visible()

    def listed(self, catalogue: str, service: str | None = None) -> dict[str, dict[str, Any]]:
        """name → entry of a catalogue, such as "measures", of the service at ``service``, or at the page's address."""
        entries = self.page.request.get(f"{service or self.url}/api/{catalogue}").json()[catalogue]
        return {one["name"]: one for one in entries}

    def open_diary(self) -> None:
        self.page.get_by_role("button", name=re.compile("^Diary")).click()
        expect(self.page.locator("#diary-title")).to_be_visible()

    def fail(self) -> Locator:
        """Press the button and wait for the message of what went wrong."""
        self.page.click("#analyse")
        failure = self.page.locator("#failure")
        expect(failure).to_be_visible()
        assert _LEFTOVERS.findall(failure.inner_text()) == []
        return failure

    def barriers(self) -> list[str]:
        """What axe finds that keeps people out, of serious or critical impact."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{one['id']} ({one['impact']}): {node['html'][:160]}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    def words(self) -> str:
        """All that is to be read on the page, in its elements too."""
        parts = self.page.locator("body, .visit, .answer").filter(visible=True)
        return "\n".join(parts.all_inner_texts())

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return width

    def load_pictures(self) -> None:
        """Also those below the window, for a picture of the whole page."""
        self.page.locator("img").evaluate_all("""async (images) => {
            const pictures = images.filter((image) => image.checkVisibility());
            pictures.forEach((image) => { image.loading = "eager"; });
            await Promise.all(pictures.map((image) => image.decode()));
        }""")

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith(self._known):
            self.strangers.append(request.url)

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_EXPECTED):
            self.complaints.append(message.text)


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is there."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUSED, selector):
            return
    raise AssertionError(f"{selector} cannot be reached with the Tab key")


@contextmanager
def held_upload(server: Server) -> Iterator[None]:
    """A client that keeps a place at the gate: it has sent only a part of its photo."""
    host, port = server.url.removeprefix("http://").split(":")
    head = f"POST {ANALYZE} HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/jpeg\r\nContent-Length: 100000\r\n\r\n"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + b"\xff\xd8\xff")
        yield
