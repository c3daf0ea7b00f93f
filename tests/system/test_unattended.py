"""The units of systemd: well formed, walled in, and right about what the programs do."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cards import GRANT, Facts
from test_notify import fixture_mailing, fixture_sink  # noqa: F401
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault)

ROOT = Path(__file__).resolve().parents[2]
REFRESH, NOTIFY = "p11vault-refresh.service", "p11vault-notify.service"
TIMER = "p11vault-refresh.timer"
EXPOSURE = 20  # of 100, by systemd's own count: "OK"


@pytest.fixture(name="units", scope="module")
def fixture_units(tmp_path_factory):
    """As `make install` writes them, beside a program that only has to be there."""
    prefix = tmp_path_factory.mktemp("usr")
    (prefix / "bin").mkdir()
    shutil.copy("/bin/true", prefix / "bin/p11vault")
    done = subprocess.run(["make", "-C", ROOT, "install-units", f"PREFIX={prefix}"],
                          capture_output=True, text=True, check=False,
                          env={"PATH": os.environ.get("PATH", os.defpath)})
    assert done.returncode == 0, done
    return prefix / "lib/systemd/system"


def analyze(*arguments):
    """systemd-analyze; its exit code and all it says."""
    assert shutil.which("systemd-analyze"), "systemd-analyze is not installed: make deps"
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True,
                          check=False, timeout=60,
                          env={"PATH": os.defpath, "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""})
    return done.returncode, done.stdout + done.stderr


def directives(path):
    """Every line of a unit, as pairs."""
    lines = [line for line in path.read_text().splitlines() if line and line[0] not in "#["]
    return [tuple(line.split("=", 1)) for line in lines]


def test_they_are_well_formed(units):
    """No word that systemd does not know, nor a program or unit that is not there."""
    code, said = analyze("verify", "--man=no", *(str(units / one)
                                                 for one in (REFRESH, NOTIFY, TIMER)))
    ours = [line for line in said.splitlines() if "p11vault" in line]
    assert not ours, said
    assert code == 0, said


def test_the_walls_around_it(units):
    """By systemd's own count."""
    code, said = analyze("security", "--offline=yes", f"--threshold={EXPOSURE}",
                         str(units / REFRESH))
    assert code == 0, said


def test_what_is_tried_again(units):
    """What passes by itself; never a PIN."""
    found = dict(directives(units / REFRESH))
    assert found["RestartForceExitStatus"].split() == ["10", "31"] and "Restart" not in found
    assert found["SuccessExitStatus"] == "11"
    assert found["OnFailure"] == found["OnSuccess"] == NOTIFY
    assert found["LoadCredentialEncrypted"].startswith("pin:/")
    assert not re.search("PIN=|pin-value", (units / REFRESH).read_text())


def test_the_pin_as_a_credential(ready_vault):
    """As systemd leaves it: root's, and an access list whose mask shows as the group's bits."""
    if os.geteuid() != 0:
        pytest.skip("only root has files of root")
    pin = ready_vault.directory / "soft/pin"
    credential = ready_vault.write("credentials/card-pin", pin.read_text(), 0o440)
    text = ready_vault.config.read_text()
    ready_vault.config.write_text(re.sub(r"(?m)^pin-source = .*$", "pin-source = credential:card-pin",
                                         text))
    env = {"CREDENTIALS_DIRECTORY": str(credential.parent)}
    ready_vault.done("refresh", "--all", env=env)
    credential.chmod(0o444)
    assert ready_vault.run("refresh", "--all", env=env).code == 14


def test_no_card(mailing, sink):
    """20, in plain words; whoever is named is told once a day."""
    tokens = mailing.directory / "soft/tokens"
    tokens.rename(tokens.with_name("away"))
    tokens.mkdir(mode=0o700)
    result = mailing.run("refresh", "--all")
    assert result.code == 20, result
    env = {"MONITOR_EXIT_STATUS": "20"}
    told = mailing.done("notify", "--monitored", env=env)
    assert told.out.startswith("refresh: refresh failed, told ")
    mail = [one[2] for one in sink.mails if "refresh" in one[2]["Subject"]]
    assert len(mail) == 1
    text = mail[0].get_content()
    assert "exit status 20: there is no card" in text and "journalctl -u" in text
    assert "told today already" in mailing.done("notify", "--monitored", env=env).err
    assert [one["reason"] for one in Facts(mailing).entries
            if one["type"] == "notice" and one["name"] == "refresh"] == ["refresh failed"]


@pytest.mark.parametrize("status, mails", [
    ("0", 0), ("10", 0), ("11", 0), ("12", 0), ("31", 0), ("21", 1), ("14", 1), ("KILL", 1),
    (None, 0)])
def test_who_is_told_of_what(mailing, sink, status, mails):
    """What passes by itself, or is told of each grant, is no failure."""
    mailing.done("notify", "--monitored", env={"MONITOR_EXIT_STATUS": status})
    about = [one for one in sink.mails if GRANT not in one[2]["Subject"]]
    assert len(about) == mails
