"""A visit to the page: what visitors do, and what the browser notices meanwhile."""

from __future__ import annotations

import base64
import re
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, FilePayload, Locator, Page, Request, expect

from tests.e2e.server import ANALYZE

#: how Chromium tells of an answer that is an error or of none, and of a header that only https may set
_EXPECTED = (
    "Failed to load resource",
    "The Cross-Origin-Opener-Policy header has been ignored",  # where the page does not come over https
)
#: long, for a machine that does much else; every wait ends as soon as what it waits for is there
PATIENCE_MS = 60_000

#: what is on a page by mistake: values that a script printed, names and settings of the API
_LEFTOVERS = re.compile(r"false|null|undefined|NaN|\[object|\w+_\w+|\w+=\w+")

_TRANSFER = """([name, type, data]) => {
    const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, { type }));
    return transfer;
}"""


def photo_file(data: bytes, name: str = "photo.jpg", kind: str = "image/jpeg") -> FilePayload:
    """A file as a visitor has it."""
    return {"name": name, "mimeType": kind, "buffer": data}


class Visit:
    """``strangers``: addresses asked that are not the service's. ``complaints``: what the browser's console says."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
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
        self.page.set_input_files("#file", [photo_file(photo) for photo in photos])
        return self

    def transfer(self, data: bytes, name: str = "photo.jpg", kind: str = "image/jpeg") -> Any:
        """A DataTransfer of the page that holds a file, as drops and pastes bring it."""
        return self.page.evaluate_handle(_TRANSFER, [name, kind, base64.b64encode(data).decode()])

    def analyse(self) -> dict[str, Any]:
        """Press the button and wait for the report. The answer that the service gave."""
        with self.page.expect_response(lambda response: ANALYZE in response.url) as sent:
            self.page.click("#analyse")
        answer: dict[str, Any] = sent.value.json()
        expect(self.page.locator("#report")).to_be_visible()
        assert _LEFTOVERS.findall(self.page.locator("#report").inner_text()) == []
        return answer

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

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return width

    def load_pictures(self) -> None:
        """Also those below the window, for a picture of the whole page."""
        self.page.evaluate("""async () => {
            const pictures = [...document.images].filter((image) => image.checkVisibility());
            pictures.forEach((image) => { image.loading = "eager"; });
            await Promise.all(pictures.map((image) => image.decode()));
        }""")

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((self.url, "blob:", "data:")):
            self.strangers.append(request.url)

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_EXPECTED):
            self.complaints.append(message.text)
