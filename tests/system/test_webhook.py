"""`webhook verify`: whether a body is signed with the app's secret; nothing of it is ever shown."""

import hashlib
import hmac
import json

import pytest

from cards import Facts, refused
from prepared import fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault  # noqa: F401

APP = "ads"
USAGE, STOP = 2, 15
MEBIBYTE = 1 << 20
BODY = b'{"object":"page","entry":[{"id":"1","message":"caf\xc3\xa9 \\u00e9"}]}\r\n'


def signature(secret, body, algorithm=hashlib.sha256):
    """The value of the header, computed here once more and not by the program's code."""
    return algorithm().name + "=" + hmac.new(secret.encode(), body, algorithm).hexdigest()


def verify(vault, body, given, *arguments):
    """The verb."""
    return vault.run("webhook", "verify", APP, "--signature", given, *arguments, stdin=body)


def names(body):
    """Words of the body that must not be seen."""
    return [word for word in (b"entry", b"message", b"caf") if word in body]


@pytest.mark.parametrize("body", [
    BODY, b"", b"\x00\xff" * 7, b"x" * (48 * 1024), bytes(range(256)) * 4096],
    ids=["a-body", "nothing", "bytes", "one-piece", "a-mebibyte"])
def test_genuine(ready_vault, graph, canaries, body):
    """Of any bytes and up to 1 MiB; nobody is asked."""
    asked = len(graph.requests())
    result = verify(ready_vault, body, signature(canaries.app_secret, body))
    assert result.code == 0 and result.out == f"signed with the secret of app '{APP}'\n", result
    assert len(graph.requests()) == asked
    entries = Facts(ready_vault).entries
    assert [(entry["type"], entry.get("verb")) for entry in entries if entry["type"] == "intent"][
        -1] == ("intent", "webhook verify")
    assert (entries[-1]["result"], entries[-1]["plaintext_us"] > 0) == ("done", True)
    ready_vault.done("audit", "verify")


def test_json(ready_vault, canaries):
    """What was checked."""
    result = verify(ready_vault, BODY, signature(canaries.app_secret, BODY), "--json")
    assert json.loads(result.out) == {"app": APP, "bytes": len(BODY), "signed": True}


@pytest.mark.parametrize("change", [
    lambda secret, body: (signature(secret[::-1], body), body),
    lambda secret, body: (signature(secret, body), body + b"x"),
    lambda secret, body: (signature(secret, body), body[:-2]),
    lambda secret, body: (signature(secret, body + b"x" * 99999), body + b"x" * 99998 + b"y"),
], ids=["another-secret", "longer", "cut", "in-the-last-piece"])
def test_forged(ready_vault, canaries, change):
    """Refused, and in the log; nothing of the body is said."""
    given, body = change(canaries.app_secret, BODY)
    result = verify(ready_vault, body, given)
    refused(result, STOP, "not signed with this app's secret")
    assert result.out == "" and not any(word.decode() in result.err for word in names(body))
    last = Facts(ready_vault).entries[-1]
    assert (last["type"], last["result"], last["code"]) == ("outcome", "failed", "stop")
    assert canaries.leaks([ready_vault.directory / "vault.db"], [result.out, result.err]) == []
    ready_vault.done("audit", "verify")


@pytest.mark.parametrize("code, arguments, body", [
    (STOP, ["--signature", "x"], BODY),
    (STOP, ["--signature", signature("x", BODY, hashlib.sha1)], BODY),
    (STOP, ["--signature", signature("x", BODY).upper()], BODY),
    (USAGE, ["--signature", signature("x", BODY)], b"x" * (MEBIBYTE + 1)),
    (USAGE, [], BODY)], ids=["no-signature", "sha1", "upper-case", "too-long", "none-given"])
def test_no_use_of_the_card(ready_vault, code, arguments, body):
    """What cannot be right is refused before the card is asked."""
    before = Facts(ready_vault).entries
    result = ready_vault.run("webhook", "verify", APP, *arguments, stdin=body)
    refused(result, code)
    assert result.out == "" and Facts(ready_vault).entries == before
