"""The keys of a vault, got from outside: with its card and pkcs11-tool, as a recovery would."""

import json
import re
import sqlite3

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sealing import epk, public_of, unb64


def _rows(vault, query, *values):
    store = sqlite3.connect(f"file:{vault.directory}/vault.db?mode=ro", uri=True)
    try:
        return store.execute(query, values).fetchall()
    finally:
        store.close()


def _stretch(shared, algorithm):
    name = algorithm.encode()
    info = len(name).to_bytes(4, "big") + name + bytes(8) + (256).to_bytes(4, "big")
    return ConcatKDFHash(SHA256(), 32, info).derive(shared)


def _ask_card(vault, card, header, *operation):
    """The card's answer to a question that only it can answer."""
    question, answer = vault.base / "question", vault.base / "answer"
    question.write_bytes(header)
    listed = card.tool("--list-objects", "--type", "privkey")
    number = re.search(r"label: +p11vault \w+ unwrap\n +ID: +(\w+)", listed)[1]
    card.tool("--id", number, *operation, "--input-file", question, "--output-file", answer)
    shared = answer.read_bytes()
    question.unlink()
    answer.unlink()
    return shared


def _agreed(vault, card, header):
    """ECDH with the sender of an app key record."""
    sender = public_of(header["epk"]).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return _ask_card(vault, card, sender, "--derive", "--mechanism", "ECDH1-DERIVE")


def _decrypted(vault, card, recipient):
    """The content key of an app key record that is sealed to an RSA key."""
    digest = {"RSA-OAEP": "SHA-1", "RSA-OAEP-256": "SHA256"}[recipient["header"]["alg"]]
    return _ask_card(vault, card, unb64(recipient["encrypted_key"]), "--decrypt", "--mechanism",
                     "RSA-PKCS-OAEP", "--hash-algorithm", digest)


def has_app(vault, app):
    """The store knows it."""
    return bool(_rows(vault, "SELECT 1 FROM app WHERE app = ?", app))


class Keys:
    """All that opens one app, and every needle that follows from it."""

    def __init__(self, vault, card, app="ads"):
        self._vault = vault
        self._app = app
        [[text]] = _rows(vault, "SELECT key_record FROM app WHERE app = ?", app)
        record = json.loads(text)
        [recipient] = record["recipients"]
        self.needles = {}
        if recipient["header"]["alg"] == "ECDH-ES+A256KW":
            shared = _agreed(vault, card, recipient["header"])
            wrapping = _stretch(shared, "ECDH-ES+A256KW")
            content = aes_key_unwrap(wrapping, unb64(recipient["encrypted_key"]))
            self.needles.update({"card-agreed": shared, "wrapping-key": wrapping})
        else:
            content = _decrypted(vault, card, recipient)
        sealed = unb64(record["ciphertext"]) + unb64(record["tag"])
        scalar = unb64(json.loads(AESGCM(content).decrypt(
            unb64(record["iv"]), sealed, record["protected"].encode()))["d"])
        self._private = ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1())
        self.needles.update({"app-key": scalar, "app-content-key": content})

    def of_records(self):
        """What each record of the store was agreed on and is sealed with, also the newest."""
        found = {}
        for name, version, jwe in _rows(self._vault, "SELECT name, version, jwe FROM record "
                                                     "WHERE app = ? AND jwe IS NOT NULL", self._app):
            shared = self._private.exchange(ec.ECDH(), epk(jwe))
            found[f"record-agreed:{name}:{version}"] = shared
            found[f"record-key:{name}:{version}"] = _stretch(shared, "A256GCM")
        return found
