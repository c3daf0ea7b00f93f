"""What a test's $BROWSER does: opens the page, logs in at the stand-in, follows the redirect.

    opening.py SETTINGS.json file:///…/login-XXXX.html

It writes down what it saw, for the test to look at afterwards.
"""

import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from browsing import Redirect, open_dialog


def stat(pid):
    """Name, as the kernel cuts it, and parent of a process; nothing when it has gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return "", 0
    head, _, rest = text.rpartition(")")
    return head.partition("(")[2], int(rest.split()[1])


def rooms():
    """The rooms of the front that had us opened."""
    ancestors, pid = set(), os.getpid()
    while pid > 1:
        pid = stat(pid)[1]
        ancestors.add(pid)
    found = [stat(int(entry)) for entry in os.listdir("/proc") if entry.isdigit()]
    return sorted(name for name, parent in found
                  if parent in ancestors and name.startswith("p11vault-"))


def visit(redirect):
    """Status and page, or why there was none."""
    try:
        return redirect.follow()
    except OSError as error:
        return 0, str(error)


def main():
    """One login."""
    settings = json.loads(Path(sys.argv[1]).read_text())
    page = Path(sys.argv[2].removeprefix("file://"))
    text = page.read_text()
    url = html.unescape(re.search(r'<a href="([^"]+)"', text).group(1))
    told = {"argument": sys.argv[2], "mode": page.stat().st_mode & 0o777, "page": text,
            "url": url, "rooms": rooms(), "answers": []}
    redirect = open_dialog(SimpleNamespace(**settings["graph"]), url)
    told["location"] = redirect and redirect.location
    for command in settings["between"]:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        told.setdefault("between", []).append([done.returncode, done.stdout, done.stderr])
    for location in settings["strays"]:
        told["answers"].append(visit(Redirect(location)))
    for _ in range(settings["visits"] if redirect else 0):
        told["answers"].append(visit(redirect))
    Path(settings["told"]).write_text(json.dumps(told))


if __name__ == "__main__":
    main()
