"""JOSE as docs/formats.md describes it, once more in Python, for what tests seal and open."""

import base64
import hashlib
import json
import os

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def b64(data):
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    """And back."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def canonical(value):
    """The one way to write this JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(text):
    """SHA-256 of a sealed record, as entries and messages name it."""
    return hashlib.sha256(text.encode()).hexdigest()


def new_key():
    """A P-256 key pair in software."""
    return ec.generate_private_key(ec.SECP256R1())


def point(public):
    """04 || x || y."""
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def public_of(data):
    """A public key from its point or its JWK."""
    if isinstance(data, dict):
        if data["kty"] == "RSA":
            modulus, exponent = (int.from_bytes(unb64(data[name]), "big") for name in "ne")
            return rsa.RSAPublicNumbers(exponent, modulus).public_key()
        data = b"\x04" + unb64(data["x"]) + unb64(data["y"])
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data)


def jwk(public):
    """The public JWK."""
    bytes_ = point(public)
    return {"crv": "P-256", "kty": "EC", "x": b64(bytes_[1:33]), "y": b64(bytes_[33:])}


def thumbprint(key):
    """RFC 7638."""
    return b64(hashlib.sha256(canonical(key).encode()).digest())


def agree(private, public, algorithm):
    """ECDH and the Concat KDF of RFC 7518, 256 bits."""
    name = algorithm.encode()
    info = len(name).to_bytes(4, "big") + name + bytes(8) + (256).to_bytes(4, "big")
    return ConcatKDFHash(SHA256(), 32, info).derive(private.exchange(ec.ECDH(), public))


def seal(app, payload, ephemeral=None):
    """A record for an app's public key."""
    ephemeral = ephemeral or new_key()
    header = b64(canonical({"alg": "ECDH-ES", "enc": "A256GCM", "kid": thumbprint(jwk(app)),
                            "epk": jwk(ephemeral.public_key())}).encode())
    nonce = os.urandom(12)
    text = AESGCM(agree(ephemeral, app, "A256GCM")).encrypt(nonce, payload.encode(),
                                                            header.encode())
    return ".".join([header, "", b64(nonce), b64(text[:-16]), b64(text[-16:])])


def epk(jwe):
    """The ephemeral key of a record."""
    return public_of(json.loads(unb64(jwe.split(".")[0]))["epk"])


def unseal(jwe, content_key):
    """The payload of a record."""
    header, _, nonce, text, tag = jwe.split(".")
    return json.loads(AESGCM(content_key).decrypt(unb64(nonce), unb64(text) + unb64(tag),
                                                  header.encode()))


def seal_app_key(private, cards):
    """An app key record for cards: pairs of public JWK and algorithm."""
    content_key, nonce = os.urandom(32), os.urandom(12)
    protected = b64(canonical({"cty": "jwk+json", "enc": "A256GCM"}).encode())
    scalar = private.private_numbers().private_value.to_bytes(32, "big")
    payload = canonical({**jwk(private.public_key()), "d": b64(scalar)})
    text = AESGCM(content_key).encrypt(nonce, payload.encode(), protected.encode())
    return canonical({"protected": protected, "iv": b64(nonce), "ciphertext": b64(text[:-16]),
                      "tag": b64(text[-16:]),
                      "recipients": [_recipient(content_key, *card) for card in cards]})


def _recipient(content_key, card, algorithm):
    header = {"alg": algorithm, "kid": thumbprint(card)}
    if algorithm == "ECDH-ES+A256KW":
        ephemeral = new_key()
        header["epk"] = jwk(ephemeral.public_key())
        wrapped = aes_key_wrap(agree(ephemeral, public_of(card), algorithm), content_key)
    else:
        name = SHA256() if algorithm == "RSA-OAEP-256" else SHA1()
        wrapped = public_of(card).encrypt(content_key, padding.OAEP(padding.MGF1(name), name,
                                                                    None))
    return {"header": header, "encrypted_key": b64(wrapped)}
