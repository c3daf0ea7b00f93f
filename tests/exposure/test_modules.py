"""What other PKCS#11 modules keep in the card room, listed a module; nothing anywhere else."""

import pytest

from cards import GRANT, refused
from modules import Opencryptoki, Remoted, SoftHsm, WatchedVault
from scanning import scan
from stage import AWAITED, EC, waits

SOFTOKEN = "/usr/lib/x86_64-linux-gnu/libsoftokn3.so"
CARDS = {"softhsm-ec": lambda: SoftHsm("ec:P-256", EC),
         "softhsm-rsa": lambda: SoftHsm("rsa:2048", "SoftHSM, RSA"),
         "p11-kit": Remoted, "opencryptoki": Opencryptoki}


@pytest.fixture(scope="module", params=CARDS.values(), ids=CARDS)
def module(request):
    """Each of them."""
    return request.param()


def test_main_job(stage):
    """Looked at while the module is loaded and logged in, and when it is gone."""
    stage.list_residue = True
    stage.case = "connecting"
    stage.graph.misbehave("connect", "silent")
    count = stage.graph.tell("wait", event="connection", count=0)["count"]
    stage.hold()
    scene = stage.start("exchange", GRANT)
    stage.graph.wait("connection", count + 1)
    scene.look("wait for the handshake")
    pids = stage.module.pids()
    for look in scan(stage.build, stage.needles, *pids) if pids else []:
        stage.note_residue(f"{stage.module.name}, {look['program']}", "logged in", look["hits"])
    stage.graph.tell("release")
    stage.at_each_answer(scene)
    stage.judge(scene, 0, waits("wait for the handshake", *AWAITED))


def test_softoken(build, processes, record_property):
    """NSS is not looked at yet: without `init` in its section it refuses to start.

    With it it works: docs/cards-matrix.md.
    """
    vault = WatchedVault(build, processes)
    try:
        vault.configure(f"[module nss]\npath = {SOFTOKEN}\n")
        result = vault.run("card", "list")
        refused(result, 23, "C_Initialize failed", "CKR_ARGUMENTS_BAD")
    finally:
        vault.remove()
    record_property("residue", ["NSS softoken", "cannot do the job: its C_Initialize wants an "
                                "argument (CKR_ARGUMENTS_BAD)", None])
