"""Every verb of the program, by its own table, and each of its forms: the front holds nothing, ever.

A verb or a --json that is not named here fails the test of the table, so that none is left out.
"""

import hmac
import re
import secrets
import subprocess

import pytest

from anchored import Anchored
from callbacks import signed
from cards import GRANT
from modules import WatchedVault
from program import Processes
from stage import CARD, EXCHANGE, FRONT, a_secret, waits

ENDS = [(FRONT, "exit")]
WITH_CARD, WITH_EXCHANGE = [*ENDS, (CARD, "exit")], [*ENDS, (EXCHANGE, "exit")]
WITH_BOTH = [*WITH_CARD, (EXCHANGE, "exit")]
JSON = "--json"

WRONG_DEVICE = ("ads/user/bob", "--device", "--client-token-file", "{token}")

# What each form is given behind the verb, and whose ends must be among what was seen.
FORMS = {
    "init": [((), ENDS), (("--soft",), WITH_CARD)],
    "call": [((GRANT, "GET", "me"), WITH_BOTH), ((GRANT, "GET", "me", JSON), WITH_BOTH),
             ((GRANT, "--batch", "{batch}"), WITH_BOTH)],
    "notify": [((), ENDS), ((JSON,), ENDS)],
    "doctor": [((), WITH_CARD), ((JSON,), WITH_CARD)],
    "card list": [((), WITH_CARD), ((JSON,), WITH_CARD)],
    "card enroll": [((), WITH_CARD)],
    "card export": [((), WITH_CARD)],
    "app add": [(("more", "--id", "1", "--origin", "{origin}", "--secret-file", "{secret}"),
                 WITH_BOTH)],
    "app list": [((), ENDS), ((JSON,), ENDS)],
    "app show": [(("ads",), ENDS), (("ads", JSON), ENDS)],
    "app set-secret": [(("ads", "--secret-file", "{secret}"), WITH_EXCHANGE)],
    "import": [(("ads/user/bob", "--token-file", "{secret}"), WITH_EXCHANGE)],
    "exchange": [((GRANT,), WITH_BOTH), ((GRANT, JSON), WITH_BOTH)],
    "card remove": [(("{second}", "--yes"), WITH_CARD)],
    "app reseal": [(("ads",), WITH_CARD)],
    "app rekey": [(("ads",), WITH_BOTH)],
    "refresh": [((GRANT,), WITH_BOTH), ((GRANT, JSON), WITH_BOTH)],
    "login": [(WRONG_DEVICE, WITH_BOTH), ((*WRONG_DEVICE, JSON), WITH_BOTH)],
    "issue": [(("ads/app/main",), WITH_BOTH), (("ads/app/main", JSON), WITH_BOTH)],
    "pages": [((GRANT,), WITH_BOTH), ((GRANT, JSON), WITH_BOTH), ((GRANT, "--business"), WITH_BOTH)],
    "inspect": [((GRANT,), WITH_BOTH), ((GRANT, JSON), WITH_BOTH)],
    "permissions": [((GRANT,), WITH_BOTH), ((GRANT, JSON), WITH_BOTH)],
    "signed-request": [(("ads", "{request}"), WITH_BOTH), (("ads", "{request}", JSON), WITH_BOTH)],
    "webhook verify": [(("ads", "--signature", "{signature}"), WITH_BOTH),
                       (("ads", "--signature", "{signature}", JSON), WITH_BOTH)],
    "revoke": [((GRANT, "--yes"), WITH_BOTH)],
    "grant list": [((), ENDS), ((JSON,), ENDS)],
    "grant show": [((GRANT,), ENDS), ((GRANT, JSON), ENDS)],
    "grant rename": [((GRANT, "ads/user/ann"), WITH_BOTH)],
    "grant forget": [((GRANT, "--yes"), ENDS)],
    "backup": [(("{new}",), ENDS)],
    "restore": [(("{backup}",), ENDS)],
    "audit checkpoint": [((), WITH_CARD), ((JSON,), WITH_CARD)],
    "audit accept": [(("--yes",), WITH_CARD)],
    "audit prove": [(("1",), ENDS)],
    "audit export": [(("{new}",), ENDS)],
    "status": [((), ENDS), ((JSON,), ENDS)],
    "audit show": [((), ENDS), ((JSON,), ENDS)],
    "audit verify": [((), ENDS), ((JSON,), ENDS)],
    "audit key": [((), ENDS), ((JSON,), ENDS)],
}
NEW_VAULT = ("init", "restore")
# A good login needs a person: test_flows.py.
CODES = {"login": 14, "notify": 14}  # nobody is to be told here: no [notify] is configured
CASES = [(verb, *form) for verb, forms in FORMS.items() for form in forms]


def _help(build, *words):
    return subprocess.run([build / "p11vault", *words, "--help"], capture_output=True, text=True,
                          check=True).stdout


def test_table(build):
    """The verbs of the program are those that are looked at, and so are their --json forms."""
    listed = _help(build).split("\n\n")[1]
    verbs = [re.match(r"  ([a-z-]+(?: [a-z-]+)?)(?: +[A-Z[]|  )", line)[1].rstrip()
             for line in listed.splitlines()]
    assert sorted(verbs) == sorted(FORMS)
    for verb in verbs:
        has_json = JSON in _help(build, *verb.split())
        assert any(JSON in words for words, _ in FORMS[verb]) == has_json, verb


@pytest.mark.parametrize("verb, words, ends", CASES,
                         ids=[" ".join([verb, *words[-1:]]) for verb, words, _ in CASES])
def test_verb(stage, build, verb, words, ends):
    """Watched from the first instruction to the end of each of its programs."""
    secret = stage.needles.add("given", a_secret())
    file = stage.vault.write("given/new", secret + "\n")
    token = stage.needles.add("client-token", secrets.token_hex(16))
    given = {"origin": stage.graph.origin, "secret": file, "new": stage.vault.base / "new",
             "token": stage.vault.write("given/client-token", token),
             "request": stage.vault.write("given/request", signed(stage.app_secret)),
             "batch": stage.vault.write(
                 "given/batch", '[{"method":"GET","relative_url":"me/echo?how=escape"}]'),
             "signature": "sha256=" + hmac.new(stage.app_secret.encode(), b"", "sha256").hexdigest(),
             "second": _second_card(stage) if verb == "card remove" else "",
             "backup": _backup(stage) if verb == "restore" else ""}
    arguments = [word.format(**given) for word in words]
    if verb == "pages":
        stage.graph.set_token(stage.vault.token, scopes=[
            "public_profile", "pages_show_list", "business_management"])
    if verb == "audit accept":
        _roll_back(stage)
    if verb in NEW_VAULT:
        trust = stage.vault.trust.read_text()
        stage.vault = WatchedVault(build, Processes())
        stage.vault.write("conf/trust", trust if verb == "restore" else "")
    try:
        scene = stage.start(*verb.split(), *arguments, learn=lambda: _learn(stage))
        stage.judge(scene, CODES.get(verb, 0), ends)
    finally:
        if verb in NEW_VAULT:
            stage.vault.remove()


def _second_card(stage):
    serial = stage.card.add_second()
    stage.vault.done("card", "enroll", f"pkcs11:serial={serial}")
    return serial


def _backup(stage):
    file = stage.vault.base / "backup"
    stage.vault.done("backup", file)
    return file


def _roll_back(stage):
    anchored = Anchored(stage.vault)
    kept = anchored.keep()
    anchored.sign()
    anchored.roll_back(kept, head=True)


def _learn(stage):
    """What this run has made and now keeps in files, or has been issued."""
    stage.learn()
    for name in ("pin", "so-pin"):
        file = stage.vault.directory / "soft" / name
        if file.exists() and file.stat().st_size >= 8:
            stage.needles.add(f"new-{name}", file.read_text().strip())


def test_terminal(stage):
    """A verb that asks at the terminal: what is typed passes the front by."""
    secret = stage.needles.add("typed", secrets.token_hex(20))
    stage.case = "at the terminal"
    scene = stage.start("import", "ads/user/bob",
                        talk=[(r"token: $", secret, "wait for a secret")])
    stage.judge(scene, 0, waits("wait for a secret", rooms=(EXCHANGE,)))
