"""What tests do to a soft card behind p11vault's back, and how they look at what came of it."""

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

SPY = Path("/usr/lib/x86_64-linux-gnu/pkcs11-spy.so")
PKCS11_TOOL = "/usr/bin/pkcs11-tool"
SOFTHSM_UTIL = "/usr/bin/softhsm2-util"
WRONG_PIN = "000000000000"
GRANT = "ads/user/alice"
LATER = 60  # seconds by which the stand-in's clock goes on between two exchanges


class SoftCard:
    """The SoftHSM directory that `init --soft` made, and its section in the configuration."""

    def __init__(self, vault):
        self.vault = vault
        self.directory = vault.directory / "soft"
        self.module = self.setting("path")

    def setting(self, key):
        """A value of the section [module soft]."""
        lines = self.vault.config.read_text().splitlines()
        section = lines[lines.index("[module soft]"):]
        return next(line.partition(" = ")[2] for line in section if line.startswith(key + " = "))

    def change(self, key, value):
        """Another value for a key of that section; None takes the line away."""
        text = self.vault.config.read_text()
        old = f"{key} = {self.setting(key)}\n"
        assert text.count(old) == 1
        new = "" if value is None else f"{key} = {value}\n"
        self.vault.config.write_text(text.replace(old, new))

    @property
    def pin(self):
        """The file with the PIN."""
        return self.directory / "pin"

    @property
    def serial(self):
        """The one card's serial, as `card list` says it."""
        cards = json.loads(self.vault.done("card", "list", "--json").out)
        return next(card["serial"] for card in cards if card["label"] == "vault")

    def _tool(self, *command):
        environment = {"PATH": os.defpath, "SOFTHSM2_CONF": str(self.directory / "softhsm2.conf")}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def tool(self, *arguments):
        """pkcs11-tool, logged in to the card."""
        return self._tool(PKCS11_TOOL, "--module", self.module, "--token-label", "vault", "--login",
                          "--pin", self.pin.read_text(), *arguments)

    def add_second(self):
        """A second card with the same PIN; returns its serial."""
        pin = self.pin.read_text()
        self._tool(SOFTHSM_UTIL, "--module", self.module, "--init-token", "--free", "--label",
                   "second", "--pin", pin, "--so-pin", pin)
        cards = json.loads(self.vault.done("card", "list", "--json").out)
        return next(card["serial"] for card in cards if card["label"] == "second")

    def keep(self):
        """Everything on it, to be put back: what makes its anchor a weak one."""
        tokens = self.directory / "tokens"
        return {path.relative_to(tokens): path.read_bytes()
                for path in tokens.rglob("*") if path.is_file()}

    def put_back(self, kept):
        """As it was then."""
        self.take_out()
        for name, data in kept.items():
            path = self.directory / "tokens" / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(data)

    def take_out(self):
        """As if nobody had put a card in."""
        shutil.rmtree(self.directory / "tokens")
        (self.directory / "tokens").mkdir(mode=0o700)

    def spy(self):
        """Put a module between that writes down each call: PINs, too, so not into the vault."""
        spy = Spy(self.vault.base / "spy")
        self.change("path", SPY)
        self.change("writable", self.vault.base)  # the spy writes beside the card
        text = self.vault.config.read_text()
        self.vault.config.write_text(text.replace(
            "[module soft]\n",
            f"[module soft]\nenv.PKCS11SPY = {self.module}\nenv.PKCS11SPY_OUTPUT = {spy.file}\n"))
        return spy


class Spy:
    """What pkcs11-spy has written."""

    def __init__(self, file):
        self.file = file

    def calls(self, name):
        """How often a function was called so far."""
        if not self.file.exists():
            return 0
        lines = self.file.read_text(errors="replace").splitlines()
        return sum(line.partition(": ")[2] == name for line in lines)

    @property
    def logins(self):
        """C_Login: each is a try of the PIN."""
        return self.calls("C_Login")


class Facts:
    """What a vault says of itself: entries, grants; and all of it verified."""

    def __init__(self, vault, *options):
        vault.done(*options, "audit", "verify")
        lines = vault.done(*options, "audit", "show", "--json").out.splitlines()
        self.entries = [json.loads(line)["entry"] for line in lines]
        self.grants = json.loads(vault.done(*options, "status", "--json").out)
        self.sealed = [entry["digest"] for entry in self.entries if entry["type"] == "seal"]

    @property
    def outcome(self):
        """The newest outcome."""
        return next(entry for entry in reversed(self.entries) if entry["type"] == "outcome")

    @property
    def versions(self):
        """Version and pending of each grant."""
        return {grant["name"]: (grant["version"], grant["pending"]) for grant in self.grants}


def exchange_again(vault, graph, *options, **how):
    """One that can succeed: the clock of the provider has gone on, so the new expiry is later."""
    known = json.loads(vault.done("grant", "show", GRANT, "--json").out)
    graph.clock(LATER * (1 + known["version"]))
    result = vault.done("exchange", GRANT, *options, **how)
    vault.done("audit", "verify")
    return result


@contextmanager
def untouched(vault):
    """Nothing at all was written in between: not even an intent."""
    before = Facts(vault)
    yield before
    after = Facts(vault)
    assert (after.entries, after.grants) == (before.entries, before.grants)


@contextmanager
def grant_untouched(vault):
    """The log may have grown by a use that failed, but no record was sealed and none replaced."""
    before = Facts(vault)
    yield before
    after = Facts(vault)
    assert (after.sealed, after.versions) == (before.sealed, before.versions)
    assert after.outcome["result"] == "failed"


def refused(result, code, *pieces):
    """Exit code and telling words, said once on stderr as an error line; nothing on stdout."""
    said = result.err.splitlines()
    errors = [line for line in said if line.startswith("p11vault: error: ")]
    hints = [line for line in said if line.startswith("hint: ")]
    assert result.code == code and len(errors) == 1 and len(hints) <= 1 and not result.out, result
    text = "\n".join(errors + hints)
    for piece in pieces:
        assert str(piece) in text, f"{piece!r} is not in:\n{text}"
