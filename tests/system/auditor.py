#!/usr/bin/python3
"""A verifier by other people's rules, for exports and proofs.

Written from RFC 6962 and RFC 9162 section 2.1, and from the texts of c2sp.org: signed-note,
tlog-checkpoint, tlog-tiles, tlog-proof.  It uses nothing of p11vault and knows nothing of it but
that a vault's log is signed by the keys in a file of verifier keys, one a line.

    auditor.py KEYS DIRECTORY            an export: every tile, every entry, every checkpoint
    auditor.py KEYS PROOF ENTRY          a proof, for the bytes of an entry in a file
"""

import base64
import hashlib
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

WIDTH = 256
RSA = b"\xffPKIX-RSA-PKCS#1v1.5"
PSS = b"\xffPKIX-RSA-PSS-SHA256"
PADDINGS = {RSA: padding.PKCS1v15(), PSS: padding.PSS(padding.MGF1(SHA256()), SHA256.digest_size)}


class Refused(Exception):
    """What was read does not hold."""


def require(holds, what):
    """Ends the reading where something does not hold."""
    if not holds:
        raise Refused(what)


def decode(text):
    """Base64 of RFC 4648 section 4, the one right spelling."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as fault:
        raise Refused(f"no base64: {text[:20]!r}") from fault
    require(base64.b64encode(data).decode() == text, "base64 is not canonical")
    return data


# ---- signed-note ----

class Key:
    """A verifier key: NAME+ID+base64(type || key)."""

    def __init__(self, line):
        self.name, number, coded = line.split("+", 2)
        data = decode(coded)
        self.padding = None
        self.spki = data[1:]
        for kind, how in PADDINGS.items():
            if data.startswith(kind):
                self.spki, self.padding = data[len(kind):], how
        if self.padding:
            digest = hashlib.sha256(self.name.encode() + b"\n" + data).digest()
        else:
            require(data[0] == 2, "unknown type of key")
            digest = hashlib.sha256(self.spki).digest()
        self.id = digest[:4]
        require(self.id.hex() == number, "the id is not that of the key")
        self.until = None

    def check(self, text, signature):
        """An exception unless this key has signed the text."""
        public = load_der_public_key(self.spki)
        try:
            if self.padding:
                public.verify(signature, text, self.padding, SHA256())
            else:
                public.verify(signature, text, ec.ECDSA(SHA256()))
        except InvalidSignature as fault:
            raise Refused(f"signature of {self.name} does not verify") from fault


def read_keys(text):
    """The keys of a file, one a line, with the size they count to; lines that begin with # are for people."""
    keys = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            vkey, word, until = line.partition(" until ")
            keys.append(Key(vkey))
            keys[-1].until = int(until) if word else None
    return keys


def open_note(note, keys):
    """The text of a note that one of these keys has signed and none has signed wrongly."""
    require(all(char == "\n" or (char >= " " and char != "\x7f") for char in note),
            "control characters in a note")
    text, separator, signatures = note.rpartition("\n\n")
    require(separator and signatures.endswith("\n"), "no signatures")
    text += "\n"
    signed = False
    for line in signatures.splitlines():
        require(line.startswith("\u2014 "), "no signature line")
        name, _, coded = line[2:].partition(" ")
        data = decode(coded)
        require(name and "+" not in name and len(data) > 4, "no signature line")
        for key in keys:
            if (key.name, key.id) == (name, data[:4]):
                key.check(text.encode(), data[4:])
                size = text.split("\n")[1]
                require(key.until is None or int(size) <= key.until, "signed by a card removed before")
                signed = True
    require(signed, "signed by none of the keys")
    return text


# ---- tlog-checkpoint ----

class Checkpoint:
    """Origin, size, root."""

    def __init__(self, note, keys):
        lines = open_note(note, keys).split("\n")
        require(len(lines) == 4 and lines[3] == "", "a checkpoint has three lines")
        self.origin, size, root = lines[:3]
        require(size.isdecimal() and str(int(size)) == size, "no size")
        self.size, self.root = int(size), decode(root)
        require(self.origin and len(self.root) == 32, "no origin or root")


def split_notes(text):
    """Notes one behind the other: each ends with its last signature line."""
    notes, note, signing = [], "", False
    for line in text.splitlines(keepends=True):
        is_signature = line.startswith("\u2014 ")
        if signing and not is_signature:
            notes.append(note)
            note, signing = "", False
        note += line
        signing = signing or is_signature
    return [*notes, note] if note else notes


# ---- RFC 6962 section 2.1 ----

def leaf_hash(entry):
    """SHA-256(0x00 || entry)."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left, right):
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\1" + left + right).digest()


def tree_hash(hashes):
    """MTH over hashes that are leaves already, without recursion: perfect subtrees, then joined."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    stack = []
    for number, value in enumerate(hashes):
        while number & 1:
            value = node_hash(stack.pop(), value)
            number >>= 1
        stack.append(value)
    while len(stack) > 1:
        right = stack.pop()
        stack.append(node_hash(stack.pop(), right))
    return stack[0]


def check_inclusion(index, size, leaf, proof, root):
    """RFC 9162 section 2.1.3.2."""
    require(index < size, "the index is not in the tree")
    number, last, value = index, size - 1, leaf
    for item in proof:
        require(last > 0, "the proof is too long")
        if number & 1 or number == last:
            value = node_hash(item, value)
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            value = node_hash(value, item)
        number, last = number >> 1, last >> 1
    require(last == 0 and value == root, "the proof does not lead to the root")


# ---- tlog-proof ----

def check_proof(text, entry, keys):
    """That an entry is in the log, from its proof alone; returns its index and the checkpoint."""
    head, separator, note = text.partition("\n\n")
    require(separator, "no checkpoint in the proof")
    lines = head.split("\n")
    require(lines.pop(0) == "c2sp.org/tlog-proof@v1", "no proof")
    if lines and lines[0].startswith("extra "):
        decode(lines.pop(0)[6:])
    require(lines and lines[0].startswith("index "), "no index")
    index = lines.pop(0)[6:]
    require(index.isdecimal() and str(int(index)) == index, "no index")
    proof = [decode(line) for line in lines]
    require(all(len(item) == 32 for item in proof), "no hash")
    checkpoint = Checkpoint(note, keys)
    check_inclusion(int(index), checkpoint.size, leaf_hash(entry), proof, checkpoint.root)
    return int(index), checkpoint


# ---- tlog-tiles ----

def tile_name(level, number, width):
    """<L>/<N>[.p/<W>]."""
    name = f"{number % 1000:03}"
    while number >= 1000:
        number //= 1000
        name = f"x{number % 1000:03}/{name}"
    return f"tile/{level}/{name}" + (f".p/{width}" if width < WIDTH else "")


class Export:
    """A directory of tiles."""

    def __init__(self, directory, keys):
        self.directory, self.keys = Path(directory), keys
        self.checkpoint = Checkpoint(self._text("checkpoint"), keys)
        self.entries = self._entries()
        self.leaves = [leaf_hash(entry) for entry in self.entries]

    def _bytes(self, name):
        path = self.directory / name
        require(path.is_file(), f"{name} is missing")
        return path.read_bytes()

    def _text(self, name):
        try:
            return self._bytes(name).decode()
        except UnicodeDecodeError as fault:
            raise Refused(f"{name} is no text") from fault

    def _tiles(self, level, count):
        """Name and width of each tile that holds `count` things."""
        for number in range((count + WIDTH - 1) // WIDTH):
            width = min(WIDTH, count - number * WIDTH)
            yield tile_name(level, number, width), width

    def _entries(self):
        entries = []
        for name, width in self._tiles("entries", self.checkpoint.size):
            data, found = self._bytes(name), 0
            while data:
                size = int.from_bytes(data[:2], "big")
                require(len(data) >= 2 + size, f"{name} is cut off")
                entries.append(data[2:2 + size])
                data, found = data[2 + size:], found + 1
            require(found == width, f"{name} has {found} entries where {width} belong")
        return entries

    def check(self):
        """Everything; returns how many entries and checkpoints there are."""
        hashes, level = self.leaves, 0
        while hashes:
            for number, (name, width) in enumerate(self._tiles(level, len(hashes))):
                data = b"".join(hashes[number * WIDTH:number * WIDTH + width])
                require(self._bytes(name) == data, f"{name} has other hashes")
            whole = len(hashes) // WIDTH
            hashes = [tree_hash(hashes[number * WIDTH:(number + 1) * WIDTH])
                      for number in range(whole)]
            level += 1
        checkpoints = [Checkpoint(note, self.keys)
                       for note in split_notes(self._text("checkpoints"))]
        for one in [*checkpoints, self.checkpoint]:
            require(one.origin == self.checkpoint.origin, "a checkpoint of another log")
            require(one.size <= len(self.leaves), "a checkpoint of a longer log")
            require(tree_hash(self.leaves[:one.size]) == one.root,
                    f"checkpoint {one.size} has another root")
        return len(self.entries), len(checkpoints)


def main(arguments):
    """The command."""
    keys = read_keys(Path(arguments[0]).read_text())
    if len(arguments) == 2:
        entries, checkpoints = Export(arguments[1], keys).check()
        print(f"{entries} entries, {checkpoints} checkpoints: verified")
        return
    index, checkpoint = check_proof(Path(arguments[1]).read_text(),
                                    Path(arguments[2]).read_bytes(), keys)
    print(f"entry {index} of {checkpoint.size} in {checkpoint.origin}: verified")


if __name__ == "__main__":
    main(sys.argv[1:])
