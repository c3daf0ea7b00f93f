"""`login --paste`: no loopback address; the person pastes where the browser was sent to."""

import json
import re
from types import SimpleNamespace

import pytest

from browsing import Redirect, open_dialog
from cards import SoftCard, grant_untouched, refused, untouched
from flows import ALICE, PERSON, Flow
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)
from program import Program
from watching import look

BOB = "ads/user/bob"
URI = "https://www.facebook.com/connect/login_success.html"
PROMPT = "address that the browser was sent to: $"
USAGE, LOGIN, STOP = 2, 12, 15
URL = re.compile(rb"^  (https://\S+)$", re.MULTILINE)


class Pasting(Program):
    """Reads the address off the screen, logs in there, types what the test makes of it."""

    def __init__(self, flow, arguments, make, terminal=True, dialogue=()):
        self.flow, self.make, self.url, self.rooms = flow, make, None, set()
        self.texts_seen = []
        vault = flow.vault
        super().__init__(
            [vault.programs / "p11vault", "--config", vault.config, "--vault", vault.directory,
             *arguments], vault.environment(), vault.processes,
            stdin=None if terminal else "waits",
            dialogue=[(PROMPT, self._typed), *dialogue] if terminal else None)
        if not terminal:
            self._selector.unregister(self.process.stdin)

    def _log_in(self):
        where = SimpleNamespace(ca=self.flow.graph.ca, port=self.flow.graph.port)
        redirect = open_dialog(where, self.url)
        return self.make(redirect)

    def _typed(self):
        return self._log_in().encode() + b"\n"

    def _converse(self):
        if self._dialogue and callable(self._dialogue[0][1]) and self.url:
            pattern, typed = self._dialogue[0]
            if pattern.search(self._texts["terminal"], self._seen):
                seen = look(self.pid)
                self.rooms = set(seen)
                self.texts_seen = [text for one in seen.values() for text in one.texts]
                self._dialogue[0] = (pattern, typed())
        if self._dialogue and not callable(self._dialogue[0][1]):
            super()._converse()

    def _read(self, key):
        super()._read(key)
        found = URL.search(self._texts["err"])
        if found and not self.url:
            self.url = found.group(1).decode()
            if self._master is None:
                self._input = self._log_in().encode()
                self._write_all()
            else:
                self._converse()

    def _write_all(self):
        self.process.stdin.write(self._input)
        self.process.stdin.close()


@pytest.fixture(name="flow")
def _flow(ready_vault, graph, canaries):
    """The app's redirect address is Meta's own page."""
    flow = Flow(ready_vault, graph, canaries)
    graph.set_app(flow.app_id, redirect_uris=[URI, "https://app.example/cb?from=meta"], mode="live")
    return flow


def paste(flow, make=lambda redirect: redirect.location, *options, name=BOB, **how):
    """The result of a login, checked."""
    program = Pasting(flow, ("login", name, "--paste", *options), make, **how)
    result = program.finish()
    flow.check(result)
    return program, result


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_paste(flow, terminal):
    """Typed or piped in; nothing of it is shown, and the card room is not there yet."""
    asked = [(rf"keep it as {BOB}\? \[y/N\] $", "y")] if terminal else []
    program, result = paste(flow, terminal=terminal, dialogue=asked)
    assert result.code == 0, result
    assert re.fullmatch(rf"{BOB}: user {PERSON}, expires \S+ \(60 days\)\n", result.out)
    assert flow.steps() == ["code", "exchange", "debug_token"]
    if terminal:
        assert program.rooms == {"front", "exchange"}
        assert flow.canaries.leaks(texts=program.texts_seen) == []
    assert flow.works(BOB)


@pytest.mark.parametrize("make", [
    lambda redirect: redirect.location.partition("?")[2],
    lambda redirect: "?" + redirect.location.partition("?")[2].partition("#")[0],
    lambda redirect: redirect.location.partition("#")[0] + "#_",
], ids=["query", "question-mark", "other-fragment"])
def test_what_may_be_pasted(flow, make):
    """The whole address or its query, with whatever the browser kept of the fragment."""
    _, result = paste(flow, make, terminal=False)
    assert result.code == 0, result


def test_a_declined_permission(flow):
    """Named as after a login in a browser."""
    flow.person(decline=["ads_read"])
    _, result = paste(flow, lambda one: one.location, "--scope", "ads_read,email", "--json",
                      terminal=False)
    assert json.loads(result.out)["not_granted"] == ["ads_read"]
    assert f"{BOB}: asked for and not granted: ads_read\n" in result.err


def test_another_redirect_address(flow):
    """The same to the letter in the dialog and with the code."""
    _, result = paste(flow, lambda redirect: redirect.location, "--redirect",
                      "https://app.example/cb?from=meta", terminal=False)
    assert result.code == 0, result


@pytest.mark.parametrize("make, words", [
    (lambda redirect: re.sub("state=.", "state=x!", redirect.location), "has another state"),
    (lambda redirect: re.sub("state=[^&#]*", "", redirect.location), "has no state"),
    (lambda redirect: redirect.location.partition("#")[0] + "&code=AQx", "names a parameter twice"),
    (lambda redirect: URI, "is not the query of a redirect"),
    (lambda redirect: "nothing", "has no state"),
], ids=["state", "no-state", "twice", "no-query", "text"])
def test_what_is_no_answer(flow, make, words):
    """Nothing is exchanged and nothing written."""
    spy = SoftCard(flow.vault).spy()
    with untouched(flow.vault):
        _, result = paste(flow, make, terminal=False)
        assert result.code == STOP, result
    result.err = result.err[result.err.index("p11vault: error"):]
    refused(result, STOP, words, f"p11vault login {BOB}")
    assert flow.steps() == [] and spy.logins == 0


def test_cancelled(flow):
    """The person has said no in the dialog."""
    flow.person(answer="cancel")
    with untouched(flow.vault):
        _, result = paste(flow, terminal=False)
        assert result.code == LOGIN and "the person has declined" in result.err, result


def test_pasted_twice(flow):
    """The code of a login that is over belongs to another state, and would be used anyway."""
    kept = []
    assert paste(flow, lambda one: kept.append(one) or one.location, terminal=False)[1].code == 0
    used = kept[0].location

    def again(redirect):
        state = redirect.parameters["state"]
        return re.sub("state=[^&#]*", f"state={state}", used)
    with grant_untouched(flow.vault):
        _, result = paste(flow, again, terminal=False)
    assert result.code == LOGIN and "log in again" in result.err, result


def test_another_account_at_a_terminal(flow):
    """Shown and asked; no is no."""
    flow.done("exchange", ALICE)
    flow.person("10153848260347725")
    _, result = paste(flow, name=ALICE, dialogue=[(rf"keep it as {ALICE}\? \[y/N\] $", "")])
    assert result.code == USAGE and f"it was {PERSON} before" in result.err, result
    assert flow.columns()["subject"] == PERSON


def test_an_empty_paste(flow):
    """The end of the input is no answer."""
    with untouched(flow.vault):
        result = flow.run("login", BOB, "--paste", stdin="")
    assert result.code == USAGE and "it is empty" in result.err, result
    assert Redirect(URI + "?code=1").parameters == {"code": "1"}
