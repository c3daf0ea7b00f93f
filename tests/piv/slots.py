"""Key slots of a PIV card: the keys in them, what they compute, and the certificates about them."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding, NoEncryption, PrivateFormat, PublicFormat, load_der_private_key)
from cryptography.x509.oid import NameOID

import apdu
from apdu import Refused
from ber import tlv

AUTHENTICATION, SIGNATURE, MANAGEMENT, CARD, ATTESTATION = 0x9A, 0x9C, 0x9D, 0x9E, 0xF9
RETIRED = range(0x82, 0x96)
SLOTS = (AUTHENTICATION, SIGNATURE, MANAGEMENT, CARD, *RETIRED, ATTESTATION)
CERTIFICATES = {AUTHENTICATION: "5fc105", SIGNATURE: "5fc10a", MANAGEMENT: "5fc10b",
                CARD: "5fc101", ATTESTATION: "5fff01",
                **{0x82 + n: f"5fc1{0x0d + n:02x}" for n in range(20)}}

RSA2048, P256, P384 = 0x07, 0x11, 0x14
ALGORITHMS = {"rsa2048": RSA2048, "p256": P256, "p384": P384}
CURVES = {P256: ec.SECP256R1(), P384: ec.SECP384R1()}
DIGESTS = {32: hashes.SHA256(), 48: hashes.SHA384()}

# Yubico's policies: when the PIN, and when a touch is asked for.
PIN_NEVER, PIN_ONCE, PIN_ALWAYS = 1, 2, 3
TOUCH_NEVER, TOUCH_ALWAYS, TOUCH_CACHED = 1, 2, 3
PIN_POLICIES = {"never": PIN_NEVER, "once": PIN_ONCE, "always": PIN_ALWAYS}
TOUCH_POLICIES = {"never": TOUCH_NEVER, "always": TOUCH_ALWAYS, "cached": TOUCH_CACHED}
PIN_DEFAULTS = {SIGNATURE: PIN_ALWAYS, CARD: PIN_NEVER}
MADE_HERE, IMPORTED = 1, 2


def generate(algorithm):
    """A new private key."""
    if algorithm in CURVES:
        return ec.generate_private_key(CURVES[algorithm])
    if algorithm == RSA2048:
        return rsa.generate_private_key(65537, 2048)
    raise Refused(apdu.WRONG_DATA)


class Slot:
    """A key with its policies."""

    def __init__(self, key, algorithm, pin=PIN_ONCE, touch=TOUCH_NEVER, origin=MADE_HERE):
        self.key, self.algorithm = key, algorithm
        self.pin, self.touch, self.origin = pin, touch, origin

    def dump(self):
        """For JSON."""
        key = self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return [key.hex(), self.algorithm, self.pin, self.touch, self.origin]

    @staticmethod
    def load(dumped):
        """The reverse."""
        return Slot(load_der_private_key(bytes.fromhex(dumped[0]), None), *dumped[1:])

    @property
    def public(self):
        """The public half as the card answers it."""
        public = self.key.public_key()
        if self.algorithm in CURVES:
            return tlv(0x86, public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
        numbers = public.public_numbers()
        return (tlv(0x81, numbers.n.to_bytes(256, "big"))
                + tlv(0x82, numbers.e.to_bytes(3, "big")))

    def agree(self, point):
        """ECDH: the x coordinate."""
        if self.algorithm not in CURVES:
            raise Refused(apdu.WRONG_DATA)
        try:
            peer = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[self.algorithm], point)
        except ValueError as error:
            raise Refused(apdu.WRONG_DATA) from error
        return self.key.exchange(ec.ECDH(), peer)

    def compute(self, data):
        """ECDSA over a digest; RSA raw, which is signing and deciphering both."""
        if self.algorithm in CURVES:
            size = (CURVES[self.algorithm].key_size + 7) // 8
            if not data or len(data) > size:
                raise Refused(apdu.WRONG_DATA)
            digest = data if len(data) in DIGESTS else data.rjust(size, b"\0")  # zeros count nothing
            return self.key.sign(digest, ec.ECDSA(utils.Prehashed(DIGESTS[len(digest)])))
        numbers = self.key.private_numbers()
        value, modulus = int.from_bytes(data, "big"), numbers.public_numbers.n
        if len(data) != 256 or value >= modulus:
            raise Refused(apdu.WRONG_DATA)
        return pow(value, numbers.d, modulus).to_bytes(256, "big")


def certificate(public, subject, issuer, signer, extensions=()):
    """X.509, as DER."""
    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
    builder = (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer))
               .public_key(public).serial_number(x509.random_serial_number())
               .not_valid_before(datetime.datetime(2016, 3, 14))
               .not_valid_after(datetime.datetime(2052, 4, 17)))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.DER)


def key_usage(*uses):
    """The extension that says what a key is for: digital_signature, key_agreement..."""
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: name in uses for name in names})


def unknown(oid, value):
    """An extension of somebody's own."""
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
