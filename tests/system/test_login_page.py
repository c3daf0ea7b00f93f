"""The page at the end of a login, in a real browser: light and dark, desk and telephone.

P11VAULT_PICTURES=1 puts the two pictures of docs/images in their place anew.
"""

import contextlib
import http.server
import os
import re
import threading
from pathlib import Path

import pytest

from browser import pixels, running_browser
from logging_in import CODE, Login, free_port
from rooms import Room

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
DESK, PHONE = (760, 560, False), (360, 640, True)
SCHEMES = ("light", "dark")
# The page's heading, and the query that leads to it.
VARIANTS = {
    "The login has arrived": {},
    "The login was declined": {"code": None, "error": "access_denied"},
    "The provider refused the login": {"code": None, "error": "invalid_scope"},
    "The provider cannot log you in now": {"code": None, "error": "server_error"},
    "This is not the answer": {"state": "0123456789abcdef0123"},
}
LAYOUT = """
const box = document.documentElement;
const text = [...document.querySelectorAll("h1, p, footer, svg")].map(element => {
    let behind = element;
    const clear = "rgba(0, 0, 0, 0)";
    while (getComputedStyle(behind).backgroundColor === clear) behind = behind.parentElement;
    return [element.tagName, getComputedStyle(element).color,
            getComputedStyle(behind).backgroundColor];
});
return {wide: [box.scrollWidth, box.clientWidth], text: text,
        heading: document.querySelector("h1").textContent, title: document.title,
        language: box.lang, role: document.querySelector("[role=status]") !== null,
        resources: performance.getEntriesByType("resource").length};
"""


@pytest.fixture(scope="module", name="browser")
def _browser():
    with running_browser() as browser:
        yield browser


@contextlib.contextmanager
def waiting(programs):
    """A login that waits for its answer; what becomes of it is tested elsewhere."""
    with Room(programs, "exchange") as room:
        login = Login(room, free_port()).begin()
        yield login
        if login.listens():
            login.redirect()
        room.receive()


def luminance(colour):
    """Relative luminance of rgb(…), by the Web Content Accessibility Guidelines."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
                        for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(colour, behind):
    """Their contrast ratio."""
    low, high = sorted((luminance(colour), luminance(behind)))
    return (high + 0.05) / (low + 0.05)


def visit(browser, login, query, scheme, size):
    """What the browser makes of an answer; checks what holds for every page."""
    browser.show_as(scheme, *size)
    browser.requests()
    browser.go(login.url(query))
    layout = browser.run(LAYOUT)
    assert layout["wide"][0] <= layout["wide"][1] == size[0]
    assert (layout["language"], layout["role"], layout["resources"]) == ("en", True, 0)
    assert layout["title"] == f"{layout['heading']} \N{MIDDLE DOT} p11vault"
    for element, colour, behind in layout["text"]:
        assert contrast(colour, behind) >= 4.5, (element, colour, behind)
    asked = [url for url in browser.requests() if not url.endswith("/favicon.ico")]
    assert asked == [login.url(query)]
    return layout


@pytest.mark.parametrize("heading", VARIANTS)
def test_every_page(programs, browser, heading, tmp_path):
    """In every form it can be read, fits, loads nothing, and leaves no code in the address bar."""
    for scheme in SCHEMES:
        for size in (DESK, PHONE):
            with waiting(programs) as login:
                query = login.answer(**VARIANTS[heading])
                assert visit(browser, login, query, scheme, size)["heading"] == heading
                assert browser.address == login.dialog["redirect_uri"]
                name = f"{heading}-{scheme}-{size[0]}.png".replace(" ", "-").lower()
                (tmp_path / name).write_bytes(browser.picture())


def test_light_and_dark(programs, browser):
    """Two really different pictures; docs/login.md shows them."""
    corners = []
    for scheme in SCHEMES:
        with waiting(programs) as login:
            visit(browser, login, login.answer(), scheme, DESK)
            picture = browser.picture()
        if os.environ.get("P11VAULT_PICTURES"):
            IMAGES.mkdir(exist_ok=True)
            (IMAGES / f"login-{scheme}.png").write_bytes(picture)
        lines = pixels(picture)
        assert (len(lines[0]), len(lines)) == DESK[:2]
        corners.append((lines[2][2], lines[len(lines) // 2][len(lines[0]) // 2 - 250]))
    (light_page, light_card), (dark_page, dark_card) = corners
    assert min(light_page + light_card) > 200 and max(dark_page + dark_card) < 80
    assert light_page != light_card and dark_page != dark_card


def test_from_the_provider(programs, browser):
    """By a redirect from another site, as it is in earnest; a reload afterwards does no harm."""
    with waiting(programs) as login:
        class Provider(http.server.BaseHTTPRequestHandler):
            """Its dialog, which the person has agreed to."""

            def do_GET(self):  # noqa: N802  (the name that the library calls)
                """Back to the program."""
                self.send_response(302)
                self.send_header("Location", login.url() + "#_=_")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                """Nothing."""

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider) as provider:
            thread = threading.Thread(target=provider.serve_forever)
            thread.start()
            try:
                browser.go(f"http://127.0.0.1:{provider.server_port}/dialog")
            finally:
                provider.shutdown()
                thread.join()
        assert browser.run(LAYOUT)["heading"] == "The login has arrived"
        assert browser.address == login.dialog["redirect_uri"]
        entries = browser.tools("Page.getNavigationHistory")["entries"]
        assert CODE not in str(entries[-1]) and login.state not in str(entries)
        assert login.room.expect("came") == []
        assert not login.listens()
        login.room.send("end")


def test_a_page_that_tries_from_a_frame(programs, browser):
    """Another site's frame or picture ends no login."""
    with waiting(programs) as login:
        browser.go("about:blank")
        loaded = browser.tools("Runtime.evaluate", awaitPromise=True, returnByValue=True,
                               expression=f"""new Promise(done => {{
            const picture = new Image();
            picture.onerror = picture.onload = () => done(picture.naturalWidth);
            picture.src = "http://localhost:{login.port}/?error=access_denied"; }})""")
        assert loaded["result"]["value"] == 0
        assert login.redirect()[0] == 200
        assert login.room.expect("came") == []
        login.room.send("end")
