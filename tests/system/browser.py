"""A headless Chromium, driven through chromedriver (WebDriver and the DevTools protocol), and its pictures."""

import base64
import contextlib
import http.client
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path

from program import Processes, ended

DRIVER = "/usr/bin/chromedriver"
SECONDS = 60
# Nothing that a browser does on its own account, and no sandbox, which root cannot have.
QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-breakpad", "--disable-dev-shm-usage", "--disable-default-apps",
         "--no-default-browser-check", "--no-proxy-server", "--hide-scrollbars",
         "--disable-features=OptimizationHints,MediaRouter,Translate"]


class Browser:
    """One browser with a new, empty profile."""

    def __init__(self, profile, processes):
        self._process = subprocess.Popen(
            [DRIVER, "--port=0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True,
            env={"PATH": os.defpath, "HOME": str(profile), "LANG": "C.UTF-8",
                 "TMPDIR": str(profile)})
        processes.add(self._process.pid)
        self._profile, self._session, self._port = profile, "", None

    def begin(self):
        """Start it; what has begun when this fails is for close()."""
        self._port = self._read_port()
        options = {"args": [*QUIET, f"--user-data-dir={self._profile}/data"],
                   "binary": shutil.which("chromium")}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"performance": "ALL"}}
        self._session = "/session/" + self._ask(
            "POST", "/session", capabilities={"alwaysMatch": wanted})["sessionId"]

    def _read_port(self):
        for line in self._process.stdout:
            found = re.search(rb"successfully on port (\d+)", line)
            if found:
                return int(found.group(1))
        raise AssertionError("chromedriver did not start")

    def close(self):
        """The browser first, whose profile is whole then."""
        try:
            if self._session:
                self._ask("DELETE", "")
        finally:
            self._process.terminate()
            ended(self._process.pid, SECONDS)
            self._process.wait()
            self._process.stdout.close()

    def _ask(self, method, path, **what):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._port,
                                                           timeout=SECONDS)) as connection:
            connection.request(method, self._session + path,
                               json.dumps(what) if method == "POST" else None)
            value = json.load(connection.getresponse())["value"]
        assert not (isinstance(value, dict) and "error" in value), value
        return value

    def tools(self, command, **parameters):
        """A command of the DevTools protocol."""
        return self._ask("POST", "/goog/cdp/execute", cmd=command, params=parameters)

    def show_as(self, scheme, width, height, phone=False):
        """The person's preference, and the size of the window."""
        self.tools("Emulation.setEmulatedMedia",
                   features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.tools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                   deviceScaleFactor=1, mobile=phone)

    def go(self, url):
        """Visit an address and wait for its page."""
        self._ask("POST", "/url", url=url)

    @property
    def address(self):
        """What stands in the address bar."""
        return self._ask("GET", "/url")

    def run(self, script):
        """The value of a script's `return`."""
        return self._ask("POST", "/execute/sync", script=script, args=[])

    def requests(self):
        """The addresses that were asked for over the network since the last look."""
        said = [json.loads(entry["message"])["message"]
                for entry in self._ask("POST", "/se/log", type="performance")]
        return [message["params"]["request"]["url"] for message in said
                if message["method"] == "Network.requestWillBeSent"]

    def picture(self):
        """What the person sees, as PNG."""
        return base64.b64decode(self.tools("Page.captureScreenshot", format="png",
                                           optimizeForSpeed=False)["data"])


@contextlib.contextmanager
def running_browser():
    """A browser, the directory of its profile gone afterwards, and all its processes."""
    started, profile = Processes(), Path(tempfile.mkdtemp(prefix="p11b-"))
    try:
        browser = Browser(profile, started)
        try:
            browser.begin()
            yield browser
        finally:
            browser.close()
        assert not started.left()
    finally:
        shutil.rmtree(profile, ignore_errors=True)


# ---- pictures ----

def _unfilter(kind, line, before, size):
    """One line of a PNG as it was before filtering (PNG specification, section 9)."""
    for at, byte in enumerate(line):
        left = line[at - size] if at >= size else 0
        above, corner = before[at], before[at - size] if at >= size else 0
        if kind == 4:
            guess = left + above - corner
            nearest = min((abs(guess - left), 0, left), (abs(guess - above), 1, above),
                          (abs(guess - corner), 2, corner))[2]
        else:
            nearest = (0, left, above, (left + above) // 2)[kind]
        line[at] = (byte + nearest) & 0xFF
    return line


def pixels(png):
    """Lines of (red, green, blue)."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, colour = struct.unpack(">IIBB", png[16:26])
    assert depth == 8 and colour in (2, 6)
    size, at, packed = (3, 4)[colour == 6], 8, b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at:at + 8])
        packed += png[at + 8:at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    data, stride = zlib.decompress(packed), width * size + 1
    lines, before = [], bytearray(width * size)
    for start in range(0, stride * height, stride):
        before = _unfilter(data[start], bytearray(data[start + 1:start + stride]), before, size)
        lines.append([tuple(before[n:n + 3]) for n in range(0, len(before), size)])
    return lines
