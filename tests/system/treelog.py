"""The log once more in Python: entries, checkpoints, the Merkle tree of RFC 6962 section 2.1."""

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (Encoding, PublicFormat,
                                                          load_der_public_key)

from sealing import canonical, new_key

RSA_TYPES = {b"\xffPKIX-RSA-PKCS#1v1.5": padding.PKCS1v15(),
             b"\xffPKIX-RSA-PSS-SHA256": padding.PSS(padding.MGF1(SHA256()), 32)}


def leaf(entry):
    """The hash of one entry."""
    return hashlib.sha256(b"\0" + entry).digest()


def node(left, right):
    """The hash over two subtrees."""
    return hashlib.sha256(b"\1" + left + right).digest()


def split(count):
    """The largest power of two below a count."""
    return 1 << (count - 1).bit_length() - 1


def root(leaves):
    """MTH."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    half = split(len(leaves))
    return node(root(leaves[:half]), root(leaves[half:]))


def path(index, leaves):
    """PATH: the inclusion proof, bottom to top."""
    if len(leaves) == 1:
        return []
    half = split(len(leaves))
    if index < half:
        return [*path(index, leaves[:half]), root(leaves[half:])]
    return [*path(index - half, leaves[half:]), root(leaves[:half])]


def frontier(leaves):
    """The perfect subtrees a tree is made of, largest first."""
    if not leaves:
        return []
    size = 1 << len(leaves).bit_length() - 1
    return [root(leaves[:size]), *frontier(leaves[size:])]


class Signer:
    """A checkpoint key in software, for what a card would not sign."""

    def __init__(self, name):
        self.name, self._private = name, new_key()
        self._spki = self._private.public_key().public_bytes(Encoding.DER,
                                                             PublicFormat.SubjectPublicKeyInfo)
        self._id = hashlib.sha256(self._spki).digest()[:4]

    @property
    def vkey(self):
        """Its line in a trust file."""
        return f"{self.name}+{self._id.hex()}+{base64.b64encode(b'%c' % 2 + self._spki).decode()}"

    def sign_text(self, text):
        """The bare signature."""
        return self._private.sign(text.encode(), ec.ECDSA(SHA256()))

    def sign(self, leaves, origin=None):
        """A checkpoint over these leaves."""
        text = checkpoint(origin or self.name, leaves)
        signature = self.sign_text(text)
        return f"{text}\n\u2014 {self.name} {base64.b64encode(self._id + signature).decode()}\n"


def checkpoint(origin, leaves):
    """The three lines that are signed."""
    return f"{origin}\n{len(leaves)}\n{base64.b64encode(root(leaves)).decode()}\n"


def verify_note(note, vkey):
    """The signed text, checked with a card's key; an exception when it does not verify."""
    text, signature = note.split("\n\n\u2014 ")
    name, coded = signature.rstrip("\n").rsplit(" ", 1)
    key = base64.b64decode(vkey.split("+", 2)[2])
    assert name == vkey.split("+")[0]
    how = (ec.ECDSA(SHA256()),)
    if key[0] == 0xff:
        [kind] = [kind for kind in RSA_TYPES if key.startswith(kind)]
        key, how = key[len(kind) - 1:], (RSA_TYPES[kind], SHA256())
    else:
        assert key[0] == 2
    load_der_public_key(key[1:]).verify(base64.b64decode(coded)[4:], f"{text}\n".encode(), *how)
    return text + "\n"


def entry(kind, **members):
    """The stored bytes of a log entry."""
    return canonical({"v": 1, "type": kind, "time": "2026-11-20T10:00:00Z",
                      "who": {"uid": 0, "pid": 1, "exe": "/usr/bin/p11vault"}, **members}).encode()
