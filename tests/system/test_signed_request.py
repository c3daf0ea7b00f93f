"""`signed-request`: what a callback got is the provider's or it is not, and whose grants it speaks of."""

import json

import pytest

from callbacks import ISSUED, USER, signed
from cards import Facts, refused
from prepared import fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault  # noqa: F401

APP, GRANT = "bds", "bds/user/eve"
USAGE, STOP = 2, 15


@pytest.fixture(name="secret")
def _secret(ready_vault, graph, canaries):
    """Of an app with a grant of the user."""
    made = graph.add_app()
    canaries.add("app secret", made["secret"])
    ready_vault.done("app", "add", APP, "--id", made["app_id"], "--origin", graph.origin,
                     stdin=made["secret"])
    token = graph.add_token(made["app_id"], USER)
    ready_vault.done("import", GRANT, stdin=token)
    ready_vault.done("inspect", GRANT)
    return made["secret"]


@pytest.mark.parametrize("form", ["{}", "{}\n", "signed_request={}", "signed_request={}&x=1\r\n"])
def test_one_of_the_provider(ready_vault, graph, secret, form):
    """Whose it is, when it was issued, and which grants are of that person; nothing is asked or changed."""
    asked, before = len(graph.requests()), Facts(ready_vault)
    result = ready_vault.done("signed-request", APP, stdin=form.format(signed(secret)))
    assert result.out.splitlines() == [f"user       {USER}", "issued     2023-11-14T22:13:20Z",
                                       f"grant      {GRANT}"]
    assert f"next: p11vault inspect {GRANT}" in result.err
    assert (len(graph.requests()), Facts(ready_vault).grants) == (asked, before.grants)
    ready_vault.done("audit", "verify")


def test_in_a_file(ready_vault, secret):
    """As JSON."""
    path = ready_vault.write("given/request", signed(secret, expires=ISSUED + 60))
    told = json.loads(ready_vault.done("signed-request", APP, path, "--json").out)
    assert told == {"user_id": USER, "issued_at": ISSUED, "expires": ISSUED + 60,
                    "grants": [GRANT]}


def test_of_somebody_else(ready_vault, secret):
    """Genuine, and of nobody who is known here."""
    told = json.loads(ready_vault.done("signed-request", APP, "--json",
                                       stdin=signed(secret, user_id="77")).out)
    assert (told["user_id"], told["grants"]) == ("77", [])


@pytest.mark.parametrize("make, words", [
    (lambda secret: signed(secret[::-1]), "not signed with this app's secret"),
    (lambda secret: signed(secret) + "x", "not signed with this app's secret"),
    (lambda secret: signed(secret, algorithm="none"), "algorithm is not HMAC-SHA256"),
    (lambda secret: signed(secret, user_id="../x"), "user_id is not an id"),
    (lambda secret: "x", "signed request"),
], ids=["another-secret", "changed", "algorithm", "user", "no-request"])
def test_one_that_is_none(ready_vault, secret, make, words):
    """It stands in the log that it was refused."""
    result = ready_vault.run("signed-request", APP, stdin=make(secret))
    refused(result, STOP, words)
    assert result.out == ""
    last = Facts(ready_vault).entries[-1]
    assert (last["type"], last["result"], last["code"]) == ("outcome", "failed", "stop")
    ready_vault.done("audit", "verify")


@pytest.mark.parametrize("given", ["", "\n", "signed_request=", "x" * (17 * 1024)],
                         ids=["nothing", "a-line", "a-form", "too-long"])
def test_no_use_of_the_card(ready_vault, given):
    """What cannot be one is refused before the card is asked."""
    before = Facts(ready_vault)
    refused(ready_vault.run("signed-request", "ads", stdin=given), USAGE)
    assert Facts(ready_vault).entries == before.entries
