"""Every error that a provider is known to give, at the steps where it can stand: one operator action each."""

import re
import subprocess
from types import SimpleNamespace

import pytest

from browsing import open_dialog
from cards import GRANT, Facts
from errorrows import (APP_TOKEN, CODE, DEVICE, EXCHANGE, INSPECT, LOGIN, PAGES, REVOCATIONS,
                       SESSION, row_id)
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)

URI = "https://www.facebook.com/connect/login_success.html"
# The provider's own words, which may repeat anything: none of them may come out.
WORDS = "Zyxwvut of the provider"
COMMAND = re.compile(r"p11vault ((?:(?:app|card|grant|audit) )?[a-z-]+)((?: [\w./@-]+)*)")


class Row:
    """One error: what is ordered, and what is looked at afterwards."""

    def __init__(self, vault, graph, before):
        self.vault, self.graph, self.before = vault, graph, before

    def order(self, step, row, which="all"):
        """The stand-in will answer so."""
        code, subcode, _, _, options = row
        message = options.get("message", "An error") + ": " + WORDS
        more = {"error_user_msg": WORDS, **options.get("set", {})}
        self.graph.misbehave(step, "http_error", which, **{
            **options, "code": code, "subcode": subcode, "message": message, "set": more})

    def check(self, result, step, row):
        """Exit code, hint, log, store; and nothing of the provider's own."""
        code, subcode, exit_code, hint, _ = row
        assert result.code == exit_code, result
        said = result.err.splitlines()
        [error] = [line for line in said if line.startswith("p11vault: error: ")]
        hints = [line for line in said if line.startswith("hint: ")]
        told = re.search(rf": {step}: .* \(code {code}, trace (A[\w-]{{22}})\)$", error)
        assert told, result
        self.check_hint(hints, hint, result)
        for text in (result.out, result.err):
            assert "Zyxwvut" not in text and "facebook.invalid" not in text, result
        self.check_log(step, code, subcode, told[1])

    def check_hint(self, hints, wanted, result):
        """It is there when there is something to do, and what it says can be typed."""
        if wanted is None:
            assert hints == [], result
            return
        [hint] = hints
        for word, meant in (("NAME", GRANT), ("APP", "ads")):
            assert word not in hint.split(), result
            wanted = re.sub(rf"\b{word}\b", meant, wanted)
        assert wanted in hint, result
        for command in COMMAND.finditer(hint):
            self.check_command(*command.groups())

    def check_command(self, verb, words):
        """A verb of the program, and options that it takes."""
        asked = subprocess.run([self.vault.programs / "p11vault", *verb.split(), "--help"],
                               env=self.vault.environment(), capture_output=True, text=True,
                               check=False)
        assert asked.returncode == 0, asked
        for word in words.split():
            assert not word.startswith("--") or f"\n  {word} " in asked.stdout, (word, asked.stdout)

    def check_log(self, step, code, subcode, trace):
        """The use is closed with what the provider said, the step stands alone, too, and no record was touched."""
        facts = Facts(self.vault)
        assert (facts.sealed, facts.versions) == (self.before.sealed, self.before.versions)
        new = facts.entries[len(self.before.entries):]
        assert [entry["type"] for entry in new if entry["type"] in ("intent", "outcome")] == [
            "intent", "outcome"]
        steps = [entry for entry in new if entry["type"] == "step"]
        assert facts.outcome["result"] == "failed" and "message" in facts.outcome
        for entry in (facts.outcome, steps[-1]):
            assert entry["step"] == step
            assert entry.get("provider_code", 0) == code
            assert entry.get("subcode", 0) == subcode
            assert entry["trace"] == trace
        assert "Zyxwvut" not in str(new)


@pytest.fixture(name="before", scope="module")
def _before(prepared):
    """What each test starts from."""
    return Facts(prepared.use("ready"))


@pytest.fixture(name="row")
def _row(ready_vault, graph, before):
    """A fresh vault, and a stand-in that behaves well so far."""
    return Row(ready_vault, graph, before)


@pytest.mark.parametrize("wrong", EXCHANGE, ids=map(row_id, EXCHANGE))
def test_exchange(row, wrong):
    """One grant for another."""
    row.order("exchange", wrong)
    row.check(row.vault.run("exchange", GRANT), "exchange", wrong)


@pytest.mark.parametrize("wrong", INSPECT, ids=map(row_id, INSPECT))
def test_inspect(row, wrong):
    """The app's own credentials are at fault, or the call itself."""
    row.order("debug_token", wrong)
    row.check(row.vault.run("inspect", GRANT), "inspect-input", wrong)


@pytest.mark.parametrize("verb", ["exchange", "refresh"])
@pytest.mark.parametrize("wrong", INSPECT[-2:], ids=map(row_id, INSPECT[-2:]))
def test_inspection_before(row, wrong, verb):
    """The same, before anything else is done."""
    row.order("debug_token", wrong, 1)
    row.check(row.vault.run(verb, GRANT), "inspect-input", wrong)
    assert row.graph.requests()[-1]["step"] == "debug_token"


@pytest.mark.parametrize("subcode, hint", REVOCATIONS)
def test_dead_grant(row, graph, prepared, subcode, hint):
    """What debug_token says of it inside an answer that is fine."""
    graph.misbehave("debug_token", "fields", "all", set={
        "is_valid": False, "error": {"code": 190, "subcode": subcode, "message": WORDS}})
    result = row.vault.run("inspect", GRANT)
    assert result.code == LOGIN and "Zyxwvut" not in result.out + result.err, result
    row.check_hint([line for line in result.err.splitlines() if line.startswith("hint: ")], hint,
                   result)
    outcome = Facts(row.vault).outcome
    assert (outcome["result"], outcome["provider_code"], outcome["subcode"]) == (
        "failed", 190, subcode)
    assert Facts(row.vault).versions == row.before.versions


def paste(vault, graph, *arguments):
    """A login whose code comes by a pipe: what a person does who copies the address."""
    command = [vault.programs / "p11vault", "--config", vault.config, "--vault", vault.directory,
               "login", *arguments, "--paste", "--redirect", URI]
    with subprocess.Popen(command, env=vault.environment(), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          start_new_session=True) as process:
        vault.processes.add(process.pid)
        try:
            said, url = "", None
            while not url:
                line = process.stderr.readline()
                assert line, said
                said += line
                url = re.match(r"\s+(https://\S+)$", line)
            redirect = open_dialog(SimpleNamespace(ca=graph.ca, port=graph.port), url[1])
            out, rest = process.communicate(redirect.location + "\n", timeout=60)
        finally:
            process.kill()
    return SimpleNamespace(code=process.returncode, out=out, err=said + rest)


@pytest.mark.parametrize("wrong", CODE, ids=map(row_id, CODE))
def test_code(row, graph, wrong):
    """A code for a grant: it is used up, whatever comes back."""
    graph.set_app(row.vault.app_id, redirect_uris=[URI], mode="live")
    graph.person(row.vault.user_id, name="Ann")
    row.vault.configure(f"[meta]\ndialog = {graph.origin}\n")
    row.order("code", wrong)
    asked = len(graph.requests("code"))
    row.check(paste(row.vault, graph, GRANT), "code", wrong)
    assert len(graph.requests("code")) == asked + 1


@pytest.mark.parametrize("wrong", DEVICE, ids=map(row_id, DEVICE))
def test_device(row, graph, wrong):
    """No browser, no code yet: the app's client token is what the provider judges."""
    token = graph.set_app(row.vault.app_id)["client_token"]
    row.order("device_start", wrong)
    row.check(row.vault.run("login", GRANT, "--device", stdin=token), "device-start", wrong)


@pytest.mark.parametrize("wrong", PAGES, ids=map(row_id, PAGES))
def test_pages(row, wrong):
    """A list that the grant gives."""
    row.order("pages", wrong)
    row.check(row.vault.run("pages", GRANT), "pages", wrong)


@pytest.mark.parametrize("wrong", APP_TOKEN, ids=map(row_id, APP_TOKEN))
def test_issue_app_token(row, wrong):
    """Issued to the app itself: no grant is to blame."""
    row.order("app_token", wrong)
    row.check(row.vault.run("issue", "ads/app/main"), "app-token", wrong)


@pytest.mark.parametrize("wrong", SESSION, ids=map(row_id, SESSION))
def test_issue_session(row, wrong):
    """Made from a person's grant, which the hint is about."""
    row.order("session_info", wrong)
    row.check(row.vault.run("issue", "ads/session/one", "--from", GRANT), "session-info", wrong)
