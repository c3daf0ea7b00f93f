"""`notify`: a real mail program brings the mail to a server; a hook gets JSON; once a grant and day."""

import json
import shutil
import stat
import time
from email.utils import parsedate_to_datetime

import pytest

from cards import GRANT, Facts, refused
from mailsink import Sink
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault)

FROM, TO = "p11vault@sender.example", "ann@example.org, bob@example.org"
DAY = 86400


@pytest.fixture(name="sink")
def fixture_sink():
    """A mail server."""
    made = Sink()
    yield made
    made.stop()


@pytest.fixture(name="mailing")
def fixture_mailing(ready_vault, sink):
    """The vault with msmtp, which hands every mail to the sink."""
    msmtp = shutil.which("msmtp")
    assert msmtp, "msmtp is not installed: make deps"
    rc = ready_vault.home / ".msmtprc"
    rc.write_text(f"account default\nhost 127.0.0.1\nport {sink.port}\ntls off\nauth off\n"
                  f"from {FROM}\n")
    rc.chmod(0o600)
    ready_vault.configure(f"[notify]\nsendmail = {msmtp}\nfrom = {FROM}\nto = {TO}\n")
    return ready_vault


def put_hook(vault, text, mode=0o755):
    """A hook that is configured."""
    path = vault.write("conf/hook", "#!/bin/sh\n" + text, mode)
    vault.configure(f"[notify]\nhook = {path}\n")
    return path


@pytest.fixture(name="ends")
def fixture_ends(graph, ready_vault):
    """The grant's end is so many days away, and the vault knows it; afterwards it is what it was."""
    before = graph.token(ready_vault.token)

    def end(days, **facts):
        graph.set_token(ready_vault.token, expires_at=int(time.time()) + days * DAY, **facts)
        assert ready_vault.run("inspect", GRANT).code == (12 if days < 0 else 0)
    yield end
    graph.set_token(ready_vault.token, **{name: before[name] for name in (
        "expires_at", "data_access_expires_at")})


def die(vault, graph):
    """Revoked, and the vault knows it."""
    graph.tell("revoke", token=vault.token)
    try:
        assert vault.run("inspect", GRANT).code == 12
    finally:
        graph.set_token(vault.token, revoked=None)


# ---- by mail ----

def test_a_mail(mailing, graph, sink, canaries):
    """Whole, in UTF-8, with the exact command; nothing secret in it, nor the person's id."""
    die(mailing, graph)
    result = mailing.done("notify")
    assert result.out == f"{GRANT}: revoked, told {TO}\n"
    (sender, recipients, message, data), = sink.mails
    assert (sender, recipients) == (FROM, ["ann@example.org", "bob@example.org"])
    assert message["From"].addresses[0].addr_spec == FROM
    assert [one.addr_spec for one in message["To"].addresses] == recipients
    assert message["Subject"] == f"p11vault: {GRANT} was revoked"
    assert message["Message-ID"] and message["MIME-Version"] == "1.0"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "text/plain" and not message.defects
    assert parsedate_to_datetime(message["Date"]).utcoffset().total_seconds() == 0
    text = message.get_content().replace("\r\n", "\n")
    assert (f"    p11vault --config '{mailing.config}' --vault '{mailing.directory}' "
            f"login {GRANT}\n") in text
    assert "name there is “ads”" in text
    assert mailing.user_id not in text and mailing.app_id not in text
    assert canaries.leaks([mailing.directory / "vault.db"], [data, result.out, result.err]) == []
    notice = [entry for entry in Facts(mailing).entries if entry["type"] == "notice"]
    assert [(one["name"], one["reason"], one["to"]) for one in notice] == [(GRANT, "revoked", TO)]


def test_once_a_day(mailing, graph, sink, ends):
    """And no grant that is well."""
    assert mailing.done("notify").said == "no grant needs its person\n"
    die(mailing, graph)
    mailing.done("notify")
    again = mailing.done("notify", GRANT)
    assert (again.out, again.said) == ("", f"{GRANT}: revoked; told today already\n")
    assert len(sink.mails) == 1
    ends(50)
    assert mailing.done("notify").said == "no grant needs its person\n"


@pytest.mark.parametrize("days, facts, reason, words", [
    (-2, {}, "expired", "has expired"), (5, {}, "expiring", "ends soon"), (9, {}, None, ""),
    (50, {"data_access_expires_at": 1}, "data access expired", "--reauthorize")])
def test_reasons(mailing, sink, ends, days, facts, reason, words):
    """Each with its words; what refresh will renew is no reason."""
    ends(days, **facts)
    result = mailing.done("notify", "--json")
    told = json.loads(result.out)
    assert [one["reason"] for one in told] == ([reason] if reason else []), result
    if reason:
        (_, _, message, _), = sink.mails
        assert words in message["Subject"] + message.get_content()


def test_what_nobody_takes(mailing, graph, sink):
    """The mail program fails: try again; nobody counts as told."""
    die(mailing, graph)
    sink.refuses = True
    result = mailing.run("notify")
    assert result.code == 10 and result.out == "" and "ended with code" in result.err, result
    sink.refuses = False
    mailing.done("notify")
    assert len(sink.mails) == 1


# ---- by hook ----

def test_a_hook(ready_vault, graph, canaries):
    """JSON on its input, no walls around it, what it says on standard error."""
    kept = ready_vault.base / "kept"
    put_hook(ready_vault, f"cat > {kept}\necho heard\ngrep NoNewPrivs /proc/self/status\n")
    die(ready_vault, graph)
    result = ready_vault.done("notify")
    told = json.loads(kept.read_text())
    assert (told["name"], told["app"], told["kind"], told["reason"]) == (GRANT, "ads", "user",
                                                                        "revoked")
    assert told["command"].endswith(f"login {GRANT}")
    assert "heard\nNoNewPrivs:\t0\n" in result.err and result.out.count("\n") == 1
    assert canaries.leaks(texts=[kept.read_text(), result.err]) == []


def test_a_name_that_turns_the_line_round(ready_vault, graph):
    """The log has the hook's name as it is; what a terminal shows of it turns nothing round."""
    path = ready_vault.write("conf/hook\u202etxt.sh", "#!/bin/sh\ncat\n", 0o755)
    ready_vault.configure(f"[notify]\nhook = {path}\n")
    die(ready_vault, graph)
    ready_vault.done("notify")
    [line] = [line for line in ready_vault.done("audit", "show").out.splitlines()
              if " notice " in line]
    assert line.endswith("conf/hook???txt.sh"), line
    assert json.loads(ready_vault.done("audit", "show", "--json").out.splitlines()[-1])[
        "entry"]["hook"] == str(path)


@pytest.mark.parametrize("text, mode, code, words", [
    ("exit 3\n", 0o755, 10, "ended with code 3"),
    ("kill -9 $$\n", 0o755, 10, "was ended by signal 9"),
    ("exit 0\n", 0o644, 14, "cannot be started"),
    ("exit 0\n", 0o777, 14, "hook"),
    (None, 0o755, 14, "hook")])
def test_hooks_that_fail(ready_vault, graph, text, mode, code, words):
    """Said, and it counts as not told."""
    path = put_hook(ready_vault, text or "", mode)
    if text is None:
        path.unlink()
    die(ready_vault, graph)
    refused(ready_vault.run("notify"), code, words)
    assert not [entry for entry in Facts(ready_vault).entries if entry["type"] == "notice"]


# ---- configuration ----

def test_not_configured(ready_vault):
    """Says which lines are missing."""
    refused(ready_vault.run("notify"), 14, "[notify]")
    ready_vault.configure("[notify]\nsendmail = /usr/bin/true\n")
    refused(ready_vault.run("notify"), 14, "from = ADDRESS")


@pytest.mark.parametrize("line", [
    "to = ann", "to = -x@a.b", "to = a@b.c,", "to = a@b c@d", "from = a@b,c@d", "from = @b",
    "from = a@-b", "to = a\"@b", "sendmail = msmtp", "hook = -x"])
def test_what_cannot_be_configured(ready_vault, line):
    """Nothing that could become an option or a header."""
    ready_vault.configure(f"[notify]\n{line}\n")
    refused(ready_vault.run("notify"), 14, "configuration")


def test_names(mailing):
    """Of grants that are there."""
    refused(mailing.run("notify", "ads/user/bob"), 2)
    refused(mailing.run("notify", "ads/secret"), 2)
    assert stat.S_IMODE(mailing.config.stat().st_mode) == 0o600
