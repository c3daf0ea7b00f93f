"""docs/yubikey.md: every command of it, run as it stands there, on a card as it is sold."""

import json
import re
from pathlib import Path

import pytest

from pivcard import FACTORY_PIN, FACTORY_PUK, OPENSC_CONF, PIN, PUK
from program import Program
from vaulttool import Vault

PAGE = Path(__file__).resolve().parents[2] / "docs/yubikey.md"
SERIAL_THERE = "649607dd5d3f8c76"
MANAGEMENT_KEY = "8f3c1a5e77d2904b6c0e2f819ad45b63e1027c9f4d86ab35"
NEW_PIN = "908172"


class Reader:
    """Follows the page: who types what depends on what was typed before."""

    def __init__(self, scene, vault):
        self.scene, self.vault = scene, vault
        self.place = vault.base / "reader"
        self.place.mkdir()
        self.pins = iter((PIN, NEW_PIN))
        self.pin, self.puk, self.next = FACTORY_PIN, FACTORY_PUK, None

    def types(self, prompt):
        """The answer to a prompt."""
        if "management key" in prompt:
            return MANAGEMENT_KEY
        if prompt.startswith("Enter new pin"):
            self.pin = next(self.pins)
        if prompt.startswith("Enter new puk"):
            self.puk = PUK
        return self.puk if "puk" in prompt else self.pin

    def configure(self, text):
        """The section as it stands there, with this house's pcscd and this tree's opensc.conf."""
        assert "env.OPENSC_CONF = /etc/p11vault/opensc.conf\n" in text
        self.vault.configure(
            text.replace("/etc/p11vault/opensc.conf", str(OPENSC_CONF))
            + "".join(f"env.{name} = {value}\n" for name, value in self.scene.house.environment.items()))

    def follow(self, command, expected):
        """One command: asks what the page says, and says what the page says."""
        serial = SERIAL_THERE
        if "pkcs11:serial=" in command:
            [card] = json.loads(self.run("p11vault card list --json", []).out)
            serial = card["serial"]
        typed = [(re.escape(line).replace("…", ".*").replace(SERIAL_THERE, "[0-9a-f]{16}"), line)
                 for line in expected if line.endswith(":")]
        result = self.run(command.replace(SERIAL_THERE, serial),
                          [(pattern, lambda line=line: self.types(line)) for pattern, line in typed])
        assert result.code == 0, (command, result)
        said = result.out + result.err + result.terminal
        for line in expected:
            pattern = re.escape(line).replace("…", ".*").replace(SERIAL_THERE, "[0-9a-f]{16}")
            pattern = pattern.replace(re.escape("/etc/p11vault/opensc.conf"), re.escape(str(OPENSC_CONF)))
            assert re.search("^" + pattern, said, re.MULTILINE), (command, line, result)

    def run(self, command, dialogue):
        """In an empty directory, with the programs under test on the path."""
        environment = {**self.vault.environment(P11VAULT_DIR=str(self.vault.directory)),
                       **self.scene.house.environment}
        environment["PATH"] = f"{self.vault.programs}:{environment['PATH']}"
        return Program(["/bin/sh", "-c", f"cd {self.place} && {command}"], environment,
                       self.vault.processes, dialogue=dialogue).finish()


def blocks():
    """Kind and text of each, in their order."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(text):
    """[command, lines that follow it]."""
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append([line[2:], []])
        else:
            found[-1][1].append(line)
    return found


@pytest.fixture(name="reader")
def _reader(whole_scene, programs, processes):
    """Somebody with a YubiKey as it is sold, and no vault."""
    whole_scene.use("nothing")
    whole_scene.put_anew(factory=True, identity=False)
    vault = Vault(programs, processes)
    vault.config = vault.xdg_config / "p11vault/config"
    vault.config.parent.mkdir(mode=0o700)
    vault.config.touch(mode=0o600)
    yield Reader(whole_scene, vault)
    vault.remove()


def test_the_page(reader):
    """From the box to a vault, and past a locked PIN."""
    seen = set()
    for kind, text in blocks():
        seen.add(kind)
        if kind == "ini":
            reader.configure(text)
            continue
        assert kind == "console", kind
        for command, expected in commands(text):
            if "unblock-pin" in command:
                for _ in range(3):
                    reader.scene.card.tool("-a", "verify-pin", "-P", "000000", fails=True)
            reader.follow(command, expected)
    assert seen == {"console", "ini"}
    assert reader.scene.card.facts == {"user": 3, "puk": 3, "logged_in": 0}
    assert reader.pin == NEW_PIN
