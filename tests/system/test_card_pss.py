"""An RSA card that signs by PSS only, as some are set up: found at enrolment, recorded, verified by everybody."""

import base64

import pytest

import auditor
from cards import Facts, SoftCard, refused
from test_card_export import fixture_colleague  # noqa: F401
from test_main_job import add_app, exchange_again

PSS, PKCS1 = b"\xffPKIX-RSA-PSS-SHA256", b"\xffPKIX-RSA-PKCS#1v1.5"
# SoftHSM 2.6 overlooks the first name of such a list.
WITHOUT = "slots.mechanisms = -CKM_MD5,CKM_ECDSA"
NO_PKCS1 = ",CKM_SHA256_RSA_PKCS,CKM_RSA_PKCS"
NO_COMBINED = ",CKM_SHA256_RSA_PKCS_PSS"


def set_mechanisms(vault, line):
    """What the card can do from now on."""
    path = SoftCard(vault).directory / "softhsm2.conf"
    kept = [one for one in path.read_text().splitlines() if not one.startswith("slots.mechanisms")]
    path.write_text("\n".join([*kept, line]) + "\n")


def types(vault):
    """The types of the keys in the trust file, in its order."""
    lines = [line for line in vault.trust.read_text().splitlines() if not line.startswith("#")]
    coded = [base64.b64decode(line.split("+", 2)[2].split(" ")[0]) for line in lines]
    return [next((kind for kind in (PSS, PKCS1) if key.startswith(kind)), key[:1]) for key in coded]


@pytest.mark.parametrize("more", ["", NO_COMBINED], ids=["combined", "bare"])
def test_pss_only(vault, graph, more):
    """From enrolment to an auditor with other people's tools."""
    vault.done("init", "--soft")
    set_mechanisms(vault, WITHOUT + NO_PKCS1 + more)
    vault.done("card", "enroll")
    assert types(vault) == [PSS]
    assert "signs RSA" in vault.done("card", "list").out
    add_app(vault, graph)
    exchange_again(vault, graph)
    vault.done("audit", "verify")
    vault.done("audit", "export", vault.base / "export")
    keys = auditor.read_keys(vault.trust.read_text())
    notes = auditor.split_notes((vault.base / "export/checkpoints").read_text())
    assert [auditor.Checkpoint(note, keys).size for note in notes]
    other = auditor.Key(auditor_key(keys[0], PKCS1))
    with pytest.raises(auditor.Refused):
        auditor.Checkpoint(notes[0], [other])
    refused(vault.run("audit", "verify", "--trust",
                      vault.write("given/trust", auditor_key(keys[0], PKCS1) + "\n")), 30)


def auditor_key(key, kind):
    """The same key as one that signs in another way."""
    made = auditor.hashlib.sha256(f"{key.name}\n".encode() + kind + key.spki).digest()[:4].hex()
    return f"{key.name}+{made}+{base64.b64encode(kind + key.spki).decode()}"


def test_pkcs1_where_it_can(vault):
    """PSS is for cards that do nothing else: what other programs verify is better."""
    vault.done("init", "--soft")
    set_mechanisms(vault, WITHOUT)
    vault.done("card", "enroll")
    assert types(vault) == [PKCS1]


def test_set_up_anew(vault, graph):
    """A card that was enrolled with one padding and now does the other: it is enrolled again."""
    vault.done("init", "--soft")
    set_mechanisms(vault, WITHOUT)
    vault.done("card", "enroll")
    add_app(vault, graph)
    set_mechanisms(vault, WITHOUT + NO_PKCS1)
    refused(vault.run("exchange", "ads/user/alice"), 23, "C_SignInit", "p11vault card enroll")
    vault.done("card", "enroll")
    assert types(vault) == [PKCS1, PSS]
    exchange_again(vault, graph)
    vault.done("audit", "verify")
    cards = [entry for entry in Facts(vault).entries if entry["type"] == "card"]
    assert len(cards) == 2 and cards[0]["kid"] == cards[1]["kid"]
    first, second = SoftCard(vault).serial, SoftCard(vault).add_second()
    vault.done("card", "enroll", f"pkcs11:serial={second}")
    vault.done("app", "reseal", "ads", "--card", first)
    vault.done("card", "remove", first, "--yes", "--card", second)
    ended = [" until " in line for line in vault.trust.read_text().splitlines() if "+" in line]
    assert ended == [True, True, False], "neither way of signing counts any more"
    assert vault.run("audit", "checkpoint", "--card", first).code == 20
    vault.done("audit", "verify")


def test_neither(vault):
    """Nothing is trusted."""
    vault.done("init", "--soft")
    set_mechanisms(vault, WITHOUT + NO_PKCS1 + NO_COMBINED + ",CKM_RSA_PKCS_PSS")
    refused(vault.run("card", "enroll"), 23, "C_SignInit")
    assert not vault.trust.exists()


def test_exported(soft_vault, colleague, graph):
    """What such a card says of itself is signed so, too."""
    set_mechanisms(colleague, WITHOUT + NO_PKCS1)
    file = soft_vault.write("given/bob.card", colleague.done("card", "export").out)
    soft_vault.done("card", "enroll", "--from", file, "--yes")
    assert types(soft_vault)[1:] == [PSS]
    add_app(soft_vault, graph)
    soft_vault.done("audit", "verify")
