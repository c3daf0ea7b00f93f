"""The main job as people do it: cards, an app, a token, exchanges, the log; each step verified."""

import json
import re
import time

import pytest

from cards import GRANT, Facts, SoftCard, exchange_again
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)

USER = "10153848260347724"
ISSUED = re.compile(rf"{GRANT}: user {USER}, expires \d{{4}}-\d\d-\d\d \(60 days\)\n")


def add_app(vault, graph, *options):
    """The app `ads` as the stand-in knows it, and a grant; what was said of the app."""
    facts = graph.tell("add_app")
    token = graph.tell("add_token", app_id=facts["app_id"], user_id=USER)["token"]
    vault.configure(f"[origin {graph.origin}]\nca = {graph.ca}\n")
    added = vault.done("app", "add", "ads", "--id", facts["app_id"], "--origin", graph.origin,
                       *options, stdin=facts["secret"])
    vault.done("import", GRANT, stdin=token)
    return added


# ---- a person at a terminal ----

def test_everything_typed(vault, graph, canaries):
    """Prompts as designed, in order; nothing that is typed is shown, by us or by the terminal."""
    vault.done("init", "--soft")
    card = SoftCard(vault)
    card.change("pin-source", None)
    pin, serial = canaries.add("PIN", card.pin.read_text()), card.serial
    facts = graph.tell("add_app")
    secret = canaries.add("typed secret", facts["secret"])
    token = canaries.add("typed token", graph.tell("add_token", app_id=facts["app_id"],
                                                   user_id=USER)["token"])
    vault.configure(f"[origin {graph.origin}]\nca = {graph.ca}\n")

    def asks(purpose):
        return rf"PIN for vault {serial} \({purpose}, 1 use\): $", pin

    steps = [
        (("card", "enroll"), [asks("enrol")], r"proved ECDH-ES\+A256KW; signing key.*\n"
         r"trusted: SHA256:[0-9a-f]{64}  \(keep a copy: p11vault audit key\)"),
        (("app", "add", "ads", "--id", facts["app_id"], "--origin", graph.origin),
         [asks("app add ads"), (r"app secret: $", secret)],
          "hint: one card opens 'ads'; put another one in as a recovery card, then: "
          "p11vault card enroll, p11vault app reseal ads"),
        (("import", GRANT), [(r"access token: $", token)],
         f"next: p11vault exchange {GRANT}"),
        (("exchange", GRANT), [asks(f"exchange {GRANT}")], "")]
    for arguments, dialogue, words in steps:
        prompts = [re.compile(prompt.rstrip("$")) for prompt, _ in dialogue]
        result = vault.done(*arguments, pty=dialogue)
        shown = result.terminal.replace("\r", "")
        for prompt in prompts:
            shown = prompt.sub("", shown, count=1)
        assert shown.strip() == "", result
        assert re.search(words, result.err), result
        assert bool(result.out) is (arguments[0] == "exchange")
        canaries.add_issued(graph)
        assert canaries.leaks(texts=[result.terminal, result.out, result.err]) == []
        vault.done("audit", "verify")
    assert vault.done("status").out == f"{GRANT}  valid  60 d\n"


def test_long_token_at_the_terminal(ready_vault):
    """Longer than the terminal's own line editing takes; and with corrections."""
    ready_vault.done("import", "ads/user/bob", pty=[("access token: $", "a" * 16384)])
    ready_vault.done("import", "ads/user/eve", pty=[
        ("access token: $", b"wrong\x15tokem\x7fn\n")])
    assert ready_vault.run("import", "ads/user/dan",
                           pty=[("access token: $", "a" * 16385)]).code == 2
    assert set(Facts(ready_vault).versions) == {GRANT, "ads/user/bob", "ads/user/eve"}


def test_interrupted_typing(ready_vault):
    """Control-C ends it, and nothing was written."""
    before = Facts(ready_vault)
    assert ready_vault.run("import", "ads/user/bob", pty=[("access token: $", b"\x03")]).code != 0
    assert Facts(ready_vault).entries == before.entries


# ---- keys and cards ----

@pytest.mark.parametrize("make, uri, options, alg", [
    (None, None, ("--key", "ec:P-256"), "ECDH-ES+A256KW"),
    (None, None, ("--key", "rsa:2048"), "RSA-OAEP"),
    (("rsa:2048", "--usage-decrypt"), "pkcs11:id=%42", (), "RSA-OAEP"),
    (("EC:prime256v1", "--usage-derive"), "pkcs11:object=mine;type=private", (), "ECDH-ES+A256KW"),
], ids=["ec", "rsa", "own-rsa", "own-ec"])
def test_unwrapping_keys(vault, graph, make, uri, options, alg):
    """Made here or there; SoftHSM's OAEP knows SHA-1 only, which is said and recorded."""
    vault.done("init", "--soft")
    card = SoftCard(vault)
    if make:
        card.tool("--keypairgen", "--key-type", *make, "--id", "42", "--label", "mine")
    result = vault.done("card", "enroll", *([uri] if uri else []), *options)
    assert f"proved {alg};" in result.err
    assert ("OAEP with SHA-1 only: recorded" in result.err) is (alg == "RSA-OAEP")
    keys = card.tool("--list-objects", "--type", "privkey")
    labels = re.findall(r"^  label: +(.*)$", keys, re.MULTILINE)
    ours = [label for label in labels if re.fullmatch("p11vault [0-9a-f]{8} (sign|unwrap)", label)]
    assert (len(labels), len(ours)) == (2, 1 if make else 2)
    enrolled = next(entry for entry in Facts(vault).entries if entry["type"] == "card")
    assert enrolled["alg"] == alg
    add_app(vault, graph)
    assert ISSUED.fullmatch(exchange_again(vault, graph).out)


def test_another_kind_of_key_is_made_when_asked_for(soft_vault):
    """A key of ours that is there is taken again, but not in place of another kind."""
    card = SoftCard(soft_vault)
    count = card.tool("--list-objects", "--type", "privkey").count("Private Key Object")
    assert "proved ECDH-ES+A256KW" in soft_vault.done("card", "enroll").err
    assert card.tool("--list-objects", "--type", "privkey").count("Private Key Object") == count
    assert "proved RSA-OAEP" in soft_vault.done("card", "enroll", "--key", "rsa:2048").err
    soft_vault.done("audit", "verify")


def test_two_cards(soft_vault, graph):
    """An app is sealed to both, and each opens it alone."""
    card = SoftCard(soft_vault)
    first, before = card.serial, set((card.directory / "tokens").iterdir())
    second = card.add_second()
    soft_vault.done("card", "enroll", f"pkcs11:serial={second}")
    added = (set((card.directory / "tokens").iterdir()) - before).pop()
    away = added.rename(soft_vault.base / "away")  # in a drawer while the app is added
    assert "one card opens" not in add_app(soft_vault, graph).err
    shown = json.loads(soft_vault.done("app", "show", "ads", "--json").out)
    assert sorted(shown["cards"]) == sorted([first, second])
    away.rename(added)
    spy = card.spy()
    assert soft_vault.run("exchange", GRANT).code == 20 and spy.logins == 0
    for number, serial in enumerate((second, first), start=1):
        assert ISSUED.fullmatch(exchange_again(soft_vault, graph, "--card", serial).out)
        assert spy.logins == number
    used = [entry["card"] for entry in Facts(soft_vault).entries
            if entry["type"] == "intent" and entry["verb"] == "exchange"]
    assert used[-2:] == [second, first]


@pytest.mark.parametrize("chosen", [False, True])
def test_two_cards_are_in_while_an_app_is_added(soft_vault, graph, chosen):
    """Any trusted card signs; --card says which one alone the app is sealed to."""
    card = SoftCard(soft_vault)
    first, second = card.serial, card.add_second()
    soft_vault.done("card", "enroll", f"pkcs11:serial={second}")
    spy = card.spy()
    added = add_app(soft_vault, graph, *(["--card", second] if chosen else []))
    assert spy.logins == 1 and ("one card opens" in added.err) is chosen
    shown = json.loads(soft_vault.done("app", "show", "ads", "--json").out)
    assert sorted(shown["cards"]) == ([second] if chosen else sorted([first, second]))
    soft_vault.done("audit", "verify")


# ---- what is said ----

def lines_of(result):
    """Standard output by lines."""
    return result.out.splitlines()


def test_readers_agree(ready_vault, graph):
    """Every reading verb says the same to people and as JSON, on stdout, and nothing on stderr."""
    exchange_again(ready_vault, graph)

    def both(*arguments):
        plain, data = ready_vault.done(*arguments), ready_vault.done(*arguments, "--json")
        assert plain.err == data.err or "sanitizer" in data.err
        assert "\n" not in data.out.strip() or arguments == ("audit", "show")
        return lines_of(plain), [json.loads(line) for line in lines_of(data)]

    plain, [cards] = both("card", "list")
    keys = ("module", "serial", "label", "model", "pin", "can")
    assert plain == ["  ".join(card[key] for key in keys) for card in cards]
    assert cards[0]["pin"] == "PIN ok"
    assert cards[0]["can"] == "unwraps ECDH RSA-OAEP, signs ECDSA RSA, makes EC RSA to 16384"
    plain, [apps] = both("app", "list")
    assert plain == [f"ads  meta  {ready_vault.app_id}"]
    assert apps == [{"app": "ads", "provider": "meta", "id": ready_vault.app_id}]
    plain, [app] = both("app", "show", "ads")
    assert [line.split(None, 1) for line in plain] == [
        ["app", "ads"], ["provider", "meta"], ["id", ready_vault.app_id],
        ["origin", graph.origin], ["card", cards[0]["serial"]]]
    assert app["origins"] == [graph.origin] and app["cards"] == [cards[0]["serial"]]
    plain, [[grant]] = both("status")
    assert plain == [f"{GRANT}  valid  60 d"]
    assert (grant["name"], grant["state"], grant["version"]) == (GRANT, "valid", 2)
    plain, entries = both("audit", "show")
    assert len(plain) == len(entries) and [entry["index"] for entry in entries] == [
        *range(len(entries))]
    for line, entry in zip(plain, entries):
        assert re.search(rf"\b{entry['index']}\b.*\b{entry['entry']['type']}\b", line), line
    plain, [report] = both("audit", "verify")
    signed = sum(entry["signed"] for entry in entries)
    assert (report["entries"], report["signed"]) == (len(entries), signed)
    assert plain == [f"{len(entries)} entries, {signed} signed, {len(entries) - signed} tail; "
                     f"{report['records']} records: verified"]
    plain, [keys] = both("audit", "key")
    assert plain == [text for key in keys for text in (f"# {key['fingerprint']}", key["vkey"])]
    assert keys[0]["vkey"] in ready_vault.trust.read_text()


def test_exchange_as_json(ready_vault):
    """The facts, and none of the secrets."""
    data = json.loads(ready_vault.done("exchange", GRANT, "--json").out)
    assert set(data) == {"name", "subject", "expires_before", "expires", "resolved"}
    assert (data["name"], data["subject"], data["resolved"]) == (GRANT, ready_vault.user_id, False)
    assert data["expires"] - data["expires_before"] > 59 * 86400 - 3600


def test_verbose(ready_vault):
    """With -v each of the three programs says what it does, on stderr; the result is the same."""
    result = ready_vault.done("exchange", GRANT, "-v")
    assert ISSUED.fullmatch(result.out)
    for program in ("p11vault", "p11vault-card", "p11vault-exchange"):
        assert re.search(rf"^{program}: \w", result.err, re.MULTILINE), result
    assert not [line for line in ready_vault.done("status").err.splitlines()
                if not line.startswith(("sanitizer build", "warning: one card opens 'ads'"))]


def test_second_exchange(ready_vault, graph):
    """The result of the first is the input of the second; its predecessor's ciphertext is gone."""
    for version in (2, 3):
        assert ISSUED.fullmatch(exchange_again(ready_vault, graph).out)
        assert Facts(ready_vault).versions == {GRANT: (version, False)}
    states = [(entry["version"], entry["state"]) for entry in Facts(ready_vault).entries
              if entry["type"] in ("seal", "state") and entry["name"] == GRANT]
    assert {version: state for version, state in states} == {
        1: "previous", 2: "previous", 3: "current"}


@pytest.mark.parametrize("step, options, code, line, following", [
    (None, {}, None, f"{GRANT}  not inspected", f"  next: p11vault exchange {GRANT}"),
    (2, {}, 0, f"{GRANT}  valid  60 d", None),
    (2, {"set": {"expires_at": 0}}, 0, f"{GRANT}  never expires", None),
    (2, {"set": {"data_access_expires_at": 1000000000}}, 0, f"{GRANT}  data access expired",
     f"  next: p11vault login {GRANT} --reauthorize"),
    (1, {"set": {"expires_at": 1000000000, "is_valid": False}}, 12, f"{GRANT}  expired",
     f"  next: p11vault login {GRANT}"),
    (1, {"set": {"is_valid": False}}, 12, f"{GRANT}  revoked", f"  next: p11vault login {GRANT}"),
    (2, {"set": {"expires_at": int(time.time()) + 10 * 86400}}, 0, f"{GRANT}  expiring  10 d",
     f"  next: p11vault refresh {GRANT}"),
], ids=["not-inspected", "valid", "never", "data-access", "expired", "revoked", "expiring"])
def test_status(ready_vault, graph, step, options, code, line, following):
    """State and days left, and what a person should do."""
    if code is not None:
        graph.misbehave("debug_token", "fields", step, **options)
        assert ready_vault.run("exchange", GRANT).code == code
    said = lines_of(ready_vault.done("status"))
    assert said[0].startswith(line) and said[1:] == ([following] if following else []), said


def test_verify_elsewhere(ready_vault, graph):
    """An auditor with a copy and a trust file needs nothing else."""
    exchange_again(ready_vault, graph)
    here = ready_vault.done("audit", "verify").out
    copy, trust = ready_vault.base / "copy.db", ready_vault.base / "ann.trust"
    copy.write_bytes((ready_vault.directory / "vault.db").read_bytes())
    trust.write_bytes(ready_vault.trust.read_bytes())
    result = ready_vault.start_bare("audit", "verify", "--trust", trust, copy).finish()
    assert (result.code, result.out) == (0, here), result


def test_help_and_version(vault):
    """On standard output, without a vault and without a configuration."""
    for arguments, words in ((("--help",), "p11vault VERB [NAME] [options]"),
                             (("exchange", "--help"), "p11vault exchange NAME"),
                             (("--version",), "p11vault 0.")):
        result = vault.start_bare(*arguments).finish()
        assert result.code == 0 and result.out.startswith(words), result
