"""A Rutoken ECP as OpenSC's driver (card-rtecp.c) talks to it: what each command does.

Built from the commands that OpenSC 0.23 sends and from published traces of real cards; it has never
been compared with a real one.  GOST keys are answered as not supported.
"""

import os

import apdu
import files
import keys
from apdu import Refused
from files import File

# "Rutoken ECP", what ECP 2.0 and 3.0 say today, and one without RSA.
ATRS = {"ecp": "3b8b015275746f6b656e20454350a0", "ds": "3b8b015275746f6b656e20445320c1",
        "lite": "3b8b015275746f6b656e6c697465c2"}
MEMORY = 64 * 1024
ROOT = 0x3F00
OFFICER, USER = 1, 2  # references of the two PINs

# What tests call the commands: by instruction, or by instruction and both parameters.
NAMES = {0xA4: "select", 0xB0: "read", 0xD6: "update", 0xE0: "create", 0xE4: "delete",
         0x20: "verify", 0x24: "change", 0x2C: "unblock", 0x46: "generate", 0x22: "environment",
         0x84: "random", 0xCA: "data", (0x2A, 0x9E, 0x9A): "sign", (0x2A, 0x80, 0x86): "decipher",
         0x40: "logout", 0x8A: "erase"}
PROPRIETARY = {0x40, 0x8A}


class Card:
    """One Rutoken, in a reader or not.  `image` is a former dump()."""

    READER = "Virtual PCD"
    OPERATIONS = ("sign", "decipher", "generate")  # what takes a real one its time

    def __init__(self, serial, image=None, atr="ds", memory=MEMORY):
        self.serial, self.kind, self.memory = serial, atr, memory
        self.atr = bytes.fromhex(ATRS[atr])
        self.root, self.fresh = None, True  # fresh: between initialisation and its end, no rule applies
        if image:
            self.restore(image)
        self.reset()

    def restore(self, image):
        """As it was then, and nobody logged in."""
        self.fresh = image["fresh"]
        self.root = image["root"] and File.load(image["root"])
        self.reset()

    def dump(self):
        """What the card keeps without power, for JSON."""
        return {"fresh": self.fresh, "root": self.root and self.root.dump()}

    def reset(self):
        """Power on or reset: nobody is logged in, nothing selected."""
        self.directory = self.selected = self.root
        self.logged_in = 0
        self.environment = {}
        self.chain = b""

    def tries(self, reference):
        """How often a PIN may still be wrong; None before there is one."""
        pins = self.root and self.root.find(files.PINS)
        pin = pins and pins.child(reference)
        return pin.body["left"] if pin else None

    def facts(self):
        """Tries left for the user's and the officer's PIN, who is logged in, memory in use."""
        return {"user": self.tries(USER), "officer": self.tries(OFFICER),
                "logged_in": self.logged_in, "used": self.root.memory() if self.root else 0}

    # ---- one command ----

    @staticmethod
    def name_of(command):
        """What tests call it, or None."""
        if (command.cla & ~apdu.MORE_FOLLOWS == 0x80) != (command.ins in PROPRIETARY):
            return "finish" if command.ins == 0x84 else None
        if command.ins == 0x20 and not command.data:
            return "tries"
        return NAMES.get((command.ins, command.p1, command.p2)) or NAMES.get(command.ins)

    def execute(self, command):
        """The answer's data and status word."""
        if command.more:
            self.chain += command.data
            return b"", apdu.OK
        command.data, self.chain = self.chain + command.data, b""
        name = self.name_of(command)
        try:
            if name is None:
                raise Refused(apdu.NO_INSTRUCTION if command.cla in (0, 0x80) else apdu.NO_CLASS)
            return getattr(self, f"_{name}")(command) or b"", apdu.OK
        except Refused as refused:
            return refused.data, refused.status
        except (KeyError, IndexError):
            return b"", apdu.WRONG_DATA

    def _check(self, file, operation):
        if not self.fresh and not file.allows(operation, self.logged_in):
            raise Refused(apdu.NOT_ALLOWED)

    # ---- the life of the card ----

    def _erase(self, _):
        self.root, self.fresh = None, True
        self.reset()

    def _finish(self, command):
        if (command.p1, command.p2) != (0x4E, 0x19):
            raise Refused(apdu.WRONG_PARAMETERS)
        self.fresh = False

    def _random(self, command):
        return os.urandom(command.expected or 8)

    def _data(self, command):
        if (command.p1, command.p2) != (0x01, 0x81):
            raise Refused(apdu.NO_REFERENCE)
        return bytes.fromhex(self.serial)

    # ---- files ----

    def _select(self, command):
        found = self._find(command.p1, command.p2, command.data)
        if not found:
            raise Refused(apdu.NOT_FOUND)
        self.selected = found
        self.directory = found if found.kind == "directory" else found.parent
        return found.describe() if command.p2 & 0x0C != 0x0C else b""

    def _find(self, how, which, data):
        if self.root is None:
            return None
        if how == 0 and (which == 2 or not data):
            return self._next(data)
        if how == 0:
            fid = files.number(data)
            if fid in (ROOT, self.directory.fid):
                return self.root if fid == ROOT else self.directory
            return self.directory.child(fid)
        if how == 3:
            return self.directory.parent or self.root
        if how in (8, 9):
            path = [files.number(data[at:at + 2]) for at in range(0, len(data), 2)]
            return (self.root if how == 8 else self.directory).find(path)
        raise Refused(apdu.NOT_FOUND if how == 4 else apdu.WRONG_PARAMETERS)

    def _next(self, data):
        """A directory is listed one file at a time: the first, or the one behind that of an id."""
        ids = [child.fid for child in self.directory.children]
        at = ids.index(files.number(data)) + 1 if data and files.number(data) in ids else 0
        return self.directory.children[at] if at < len(ids) else None

    def _create(self, command):
        file = File.from_parameters(command.data)
        if file.fid == ROOT:
            if not self.fresh or self.root:
                raise Refused(apdu.EXISTS)
            self.root = self.selected = self.directory = file
            return
        internal = file.kind == "internal"
        home = self.root and (self.root.find(file.home) if internal else self.directory)
        if not home:
            raise Refused(apdu.NOT_FOUND)
        self._check(self.directory, files.CREATE_INTERNAL if internal else files.CREATE)
        if home.child(file.fid):
            raise Refused(apdu.EXISTS)
        if self.root.memory() + file.memory() > self.memory:
            raise Refused(apdu.NO_ROOM)
        home.add(file)
        if internal and file.properties[0] & 0x0F == files.PIN:
            most = file.properties[3] >> 4
            file.body = {"pin": None, "left": most, "most": most, "shortest": file.properties[1]}
        elif not internal:
            self.selected = file
            self.directory = file if file.kind == "directory" else self.directory

    def _delete(self, command):
        file = self.selected
        if command.data:
            file = self.directory.child(files.number(command.data))
        if not file or not file.parent:
            raise Refused(apdu.NOT_FOUND)
        self._check(file, files.DELETE)
        file.parent.children.remove(file)
        self.selected = self.directory = file.parent

    def _data_file(self, operation):
        if not self.selected or self.selected.kind != "data":
            raise Refused(apdu.NO_FILE_SELECTED)
        self._check(self.selected, operation)
        return self.selected

    def _read(self, command):
        content, start = self._data_file(files.READ).content, command.p1 << 8 | command.p2
        if start > len(content):
            raise Refused(apdu.WRONG_OFFSET)
        found = bytes(content[start:start + command.expected])
        if len(found) < command.expected:
            raise Refused(apdu.END_OF_FILE, found)
        return found

    def _update(self, command):
        file, start = self._data_file(files.UPDATE), command.p1 << 8 | command.p2
        if start + len(command.data) > file.size:
            raise Refused(apdu.NO_ROOM)
        file.content[start:start + len(command.data)] = command.data

    # ---- PINs ----

    def _internal(self, place, reference):
        home = self.root and self.root.find(place)
        file = home and home.child(reference)
        if not file:
            raise Refused(apdu.NO_REFERENCE)
        return file

    def _tries(self, command):
        """VERIFY without a PIN: how many tries are left."""
        left = self._internal(files.PINS, command.p2).body["left"]
        if self.logged_in != command.p2:
            raise Refused(apdu.TRIES_LEFT | left if left else apdu.BLOCKED)

    def _verify(self, command):
        body = self._internal(files.PINS, command.p2).body
        if self.logged_in:
            raise Refused(apdu.LOGGED_IN)
        if not body["left"]:
            raise Refused(apdu.BLOCKED)
        if body["pin"] != command.data.hex():
            body["left"] -= 1
            raise Refused(apdu.WRONG_PIN)
        body["left"] = body["most"]
        self.logged_in = command.p2

    def _logout(self, _):
        self.logged_in = 0

    def _unblock(self, command):
        file = self._internal(files.PINS, command.p2)
        self._check(file, files.UNBLOCK_PIN)
        file.body["left"] = file.body["most"]

    def _change(self, command):
        """A new value for a PIN or, with reference 0, for the key file that is selected."""
        parts = apdu.tlvs(command.data)
        value = b"".join(part for tag, part in parts[1:] if tag == 0xA5)
        if not parts or parts[0][0] != 0x80 or files.number(parts[0][1]) != len(value):
            raise Refused(apdu.WRONG_DATA)
        if not command.p2:
            self._import(value)
            return
        file = self._internal(files.PINS, command.p2)
        if file.body["pin"] is not None:
            self._check(file, files.CHANGE_PIN)
        if len(value) < file.body["shortest"]:
            raise Refused(apdu.WRONG_DATA)
        file.body.update(pin=value.hex(), left=file.body["most"])

    # ---- keys ----

    def _import(self, value):
        file = self.selected
        if not file or file.kind != "internal":
            raise Refused(apdu.NO_CONDITION)
        self._check(file, files.UPDATE_KEY)
        if file.properties[0] == files.RSA_PRIVATE:
            file.body = keys.imported(value)
        elif file.properties[0] == files.RSA_PUBLIC:
            file.body = {"value": value.hex()}
        else:
            raise Refused(apdu.NOT_SUPPORTED)

    def _generate(self, command):
        """Both halves have their files already; the answer is the modulus."""
        private = self._internal(files.PRIVATE_KEYS, command.p2)
        public = self._internal(files.PUBLIC_KEYS, command.p2)
        self._check(private, files.UPDATE_KEY)
        if private.properties[0] != files.RSA_PRIVATE:
            raise Refused(apdu.NOT_SUPPORTED)
        private.body = keys.generate(keys.bits_of(private.size))
        public.body = {"value": keys.modulus(private.body).hex()}
        return keys.modulus(private.body)

    def _environment(self, command):
        """Which key the next operation takes."""
        if command.p1 == 0xF3:
            self.environment = {}
        elif command.p1 == 0x41 and command.p2 in (0xB6, 0xB8, 0xAA):
            self.environment[command.p2] = dict(apdu.tlvs(command.data))
        else:
            raise Refused(apdu.WRONG_PARAMETERS)

    def _use_key(self, template, command):
        if template not in self.environment:
            raise Refused(apdu.NO_CONDITION)
        reference = files.number(self.environment[template][0x84])
        file = self._internal(files.PRIVATE_KEYS, reference)
        self._check(file, files.USE_KEY)
        if "p" not in file.body:
            raise Refused(apdu.NO_CONDITION)
        return keys.use(file.body, command.data)

    def _sign(self, command):
        return self._use_key(0xB6, command)

    def _decipher(self, command):
        return self._use_key(0xB8, command)
