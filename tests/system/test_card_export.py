"""A card that is elsewhere: exported there, enrolled here, and used there with what was sealed to it here."""

import base64
import hashlib
import json
import re
import shutil

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from cards import GRANT, Facts, SoftCard, refused
from sealing import canonical, thumbprint
from test_main_job import add_app, exchange_again
from vaulttool import Vault

SAID = ("alg", "card", "jwk", "kid", "label", "manufacturer", "model", "sign")


@pytest.fixture(name="colleague")
def fixture_colleague(programs, processes):
    """Somebody with a card and a machine of their own, and no vault in use."""
    made = Vault(programs, processes)
    made.done("init", "--soft")
    yield made
    made.remove()


def export(colleague, vault, *options):
    """The file that was sent, and its fingerprint as the colleague sees it."""
    shutil.move(colleague.directory / "vault.db", colleague.base / "unused.db")  # needs no vault
    said = colleague.done("card", "export", *options)
    shutil.move(colleague.base / "unused.db", colleague.directory / "vault.db")
    return (vault.write("given/bob.card", said.out),
            re.search(r"^fingerprint: (SHA256:[0-9a-f]{64})$", said.err, re.MULTILINE)[1])


def text_of(said):
    """The text that was signed, made from the documentation."""
    return "p11vault card export 1\n" + canonical({name: said[name] for name in SAID}) + "\n"


def move_in(colleague, vault):
    """The colleague's machine as one of the vault: its store, its trust file, its server."""
    colleague.trust.write_text(vault.trust.read_text())
    lines = vault.config.read_text().splitlines()
    at = next((number for number, line in enumerate(lines) if line.startswith("[origin")), None)
    if at is not None:
        colleague.configure("\n".join(lines[at:at + 2]) + "\n")
    colleague.directory = vault.directory


def said_by_doctor(vault):
    """What `doctor` says, whatever it finds beside."""
    result = vault.run("doctor")
    return result.out + result.err


def test_whole_way(soft_vault, graph, colleague, canaries):
    """Export, enrolment by its fingerprint, reseal; then the second card alone opens the app."""
    mine, theirs = SoftCard(soft_vault).serial, SoftCard(colleague).serial
    add_app(soft_vault, graph)
    file, fingerprint = export(colleague, soft_vault)
    canaries.add("PIN", SoftCard(colleague).pin.read_text())
    assert canaries.leaks(texts=[file.read_text()]) == []
    refused(soft_vault.run("card", "enroll", "--from", file), 2, "nothing was changed", "--yes")
    said = soft_vault.done("card", "enroll", "--from", file, "--yes").err
    assert f"fingerprint {fingerprint}" in said and "not proved here by a round trip" in said
    shown = json.loads(soft_vault.done("app", "show", "ads", "--json").out)
    assert shown["cards"] == [mine]
    assert "2 cards can open it" in soft_vault.done("app", "reseal", "ads").err
    shown = json.loads(soft_vault.done("app", "show", "ads", "--json").out)
    assert sorted(shown["cards"]) == sorted([mine, theirs])
    assert ", by its export" in soft_vault.done("audit", "show").out
    unproved = f"card '{theirs}' was enrolled by its export and has not been used here"
    assert unproved in said_by_doctor(soft_vault)
    soft_vault.done("audit", "verify")
    refused(soft_vault.run("card", "enroll", "--from", file, "--yes"), 2, "is enrolled already")
    move_in(colleague, soft_vault)
    shutil.rmtree(SoftCard(soft_vault).directory)
    exchange_again(colleague, graph)
    assert unproved not in said_by_doctor(colleague)
    colleague.done("app", "rekey", "ads")
    assert colleague.run("exchange", GRANT, "--card", mine).code == 20
    colleague.done("card", "remove", mine, "--yes")
    exchange_again(colleague, graph)
    colleague.done("audit", "verify")


def test_other_programs_can_check_it(soft_vault, colleague):
    """Signature, fingerprint and kid by the documentation alone; and the entry that comes of it."""
    file, fingerprint = export(colleague, soft_vault, "--key", "ec:P-384")
    said = json.loads(file.read_text())
    assert set(said) == {*SAID, "v", "signature", "fingerprint"} and said["v"] == 1
    text = text_of(said).encode()
    assert said["fingerprint"] == fingerprint == f"SHA256:{hashlib.sha256(text).hexdigest()}"
    name, _, key = said["sign"].split("+", 2)
    assert name == "p11vault/card" and said["kid"] == thumbprint(said["jwk"])
    load_der_public_key(base64.b64decode(key)[1:]).verify(
        base64.b64decode(said["signature"]), text, ec.ECDSA(SHA256()))
    soft_vault.done("card", "enroll", "--from", file, "--yes")
    entry = Facts(soft_vault).entries[-2]
    assert entry["type"] == "card" and entry["proof"] == said["signature"]
    assert {**entry, "sign": said["sign"]}.items() >= {n: said[n] for n in SAID}.items()
    assert entry["sign"].split("+", 2)[2] == key and entry["sign"] in soft_vault.trust.read_text()


def test_prompt_names_the_fingerprint(soft_vault, colleague):
    """The card room itself says whose keys are signed for, when a person types the PIN."""
    card = SoftCard(soft_vault)
    pin, serial = card.pin.read_text(), SoftCard(colleague).serial
    card.change("pin-source", None)
    file, fingerprint = export(colleague, soft_vault)
    soft_vault.done("card", "enroll", "--from", file, pty=[
        (rf"{serial}: did its owner read you {fingerprint}, .* \[y/N\] $", "y"),
        (rf"PIN for vault {card.serial} \(card enroll {serial} {fingerprint}, 1 use\): $", pin)])
    assert soft_vault.run("card", "enroll", "--from", file,
                          pty=[(r"\[y/N\] $", "n")]).code == 2


@pytest.mark.parametrize("change", [
    {"card": "other"}, {"kid": "A" * 43}, {"alg": "RSA-OAEP"}, {"label": "x" * 65},
    {"model": "\x1b[31m"}, {"signature": base64.b64encode(b"x" * 70).decode()}, {"signature": "!"},
    {"fingerprint": "SHA256:" + "0" * 64}, {"v": 2}, {"more": "1"}, {"sign": "x"}, {"jwk": {}},
    {"jwk": None}], ids=lambda change: "-".join(change))
def test_changed_on_the_way(soft_vault, colleague, change):
    """Nothing of it can be changed, but by who makes the whole anew, with another fingerprint."""
    file, _ = export(colleague, soft_vault)
    before, trust = Facts(soft_vault).entries, soft_vault.trust.read_text()
    said = {**json.loads(file.read_text()), **change}
    file.write_text(json.dumps({name: value for name, value in said.items() if value is not None}))
    refused(soft_vault.run("card", "enroll", "--from", file, "--yes"), 15, "enrol a card: ")
    assert Facts(soft_vault).entries == before and soft_vault.trust.read_text() == trust


def test_files_that_are_none(soft_vault, tmp_path):
    """Missing, too long, no JSON."""
    refused(soft_vault.run("card", "enroll", "--from", tmp_path / "none", "--yes"), 14)
    (tmp_path / "long").write_text("{" + " " * 20000)
    refused(soft_vault.run("card", "enroll", "--from", tmp_path / "long", "--yes"), 14)
    (tmp_path / "text").write_text("no JSON\n")
    refused(soft_vault.run("card", "enroll", "--from", tmp_path / "text", "--yes"), 15)


def test_not_the_first(vault, colleague):
    """A card on its own word only is no root of trust: one that is here signs for it."""
    vault.done("init", "--soft")
    file, _ = export(colleague, vault)
    refused(vault.run("card", "enroll", "--from", file, "--yes"), 14, "has no trusted card",
            "p11vault card enroll")


def test_keys_that_are_there_are_taken(soft_vault, colleague):
    """A second export says the same of the same keys; a key that can leave the card is refused."""
    card = SoftCard(colleague)
    _, first = export(colleague, soft_vault)
    _, second = export(colleague, soft_vault)
    assert first == second
    card.tool("--keypairgen", "--key-type", "rsa:2048", "--usage-decrypt", "--extractable",
              "--id", "42", "--label", "loose")
    refused(colleague.run("card", "export", "pkcs11:id=%42"), 14, "can leave the card")
    file, _ = export(colleague, soft_vault, "--key", "rsa:2048")
    assert json.loads(file.read_text())["alg"] == "RSA-OAEP"
    soft_vault.done("card", "enroll", "--from", file, "--yes")
    soft_vault.done("audit", "verify")
