"""Claims of the documents that no program can show by failing: each says what the tests expect."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def text_of(name):
    """A document with its lines joined."""
    return " ".join((DOCS / name).read_text(encoding="utf-8").split())


def table_under(name, heading):
    """The cells of the first table behind a heading, by their first one."""
    text = (DOCS / name).read_text(encoding="utf-8")
    lines = text[text.index(heading):].splitlines()
    rows = [re.split(r" *\| *", line)[1:-1] for line in lines if line.startswith("|")]
    end = next(at for at, line in enumerate(lines) if line.startswith("|"))
    count = next(at for at, line in enumerate(lines[end:]) if not line.startswith("|"))
    return {row[0]: row[1:] for row in rows[2:count]}


def test_what_stands_in_memory_while_a_login_waits():
    """docs/exposure.md names all that `make exposure` allows, where, and what is awaited meanwhile."""
    stands = table_under("exposure.md", "## What stands while something is awaited")
    assert list(stands) == [
        "app key", "login's `state`", "login's code, and its PKCE verifier",
        "client token of a device login", "device code", "a grant just issued",
        "part of an answer that has come"]
    assert [row[0] for row in stands.values()] == ["card"] + ["exchange"] * 6
    assert "the person who types its PIN" in stands["login's code, and its PKCE verifier"][3]
    assert "every poll" in stands["device code"][3]
    assert stands["device code"][2] == "a grant was issued"


def test_where_a_state_is_seen_outside():
    """The browser must know the address."""
    text = text_of("exposure.md")
    assert "the dialog's address with the login's `state` in the page that the browser is given" in text
    assert "with `--paste` on the screen" in text


def test_the_manual_tells_of_insecure_logins():
    """The browser shows an error, and p11vault waits on: what to do stands in both."""
    for name in ("login.md", "man/p11vault.1"):
        text = text_of(name)
        at = text.index("Insecure Login Blocked")
        around = text[max(0, at - 300):at + 300]
        assert "development mode" in around and "paste" in around, name


def test_the_tests_that_documents_name():
    """They are there, and each adversary of the threat model but root has some."""
    here = Path(__file__).parent
    for name in ("threat-model.md", "exposure.md", "yubikey.md"):
        for test in re.findall(r"`((?:tests/\w+/)?test_\w+\.py)`", text_of(name)):
            assert (here / test if "/" not in test else DOCS.parent / test).is_file(), (name, test)
    text = (DOCS / "threat-model.md").read_text(encoding="utf-8")
    for part in text.split("\n## ")[1:]:
        title = part.splitlines()[0]
        assert title == "Root" or re.search(r"test_\w+\.py", part), title
