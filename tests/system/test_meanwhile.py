"""While a person types the PIN, another process gives an app another key, or seals it anew."""

import pytest

from cards import GRANT, Facts, SoftCard, refused
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)

BUSY = 31
REKEY, RESEAL = ("app", "rekey", "ads"), ("app", "reseal", "ads")


@pytest.mark.parametrize("verb, meanwhile", [
    (("audit", "checkpoint"), REKEY), (("audit", "checkpoint"), RESEAL),
    (("grant", "rename", GRANT, "ads/user/bob"), RESEAL),
], ids=["checkpoint-rekey", "checkpoint-reseal", "rename-reseal"])
def test_told_to_wait(ready_vault, verb, meanwhile):
    """No card is asked to sign for what it did not see signed; run again it succeeds."""
    pin = SoftCard(ready_vault).pin.read_text()

    def type_late():
        ready_vault.done(*meanwhile)
        return pin

    result = ready_vault.run(*verb, "--ask-pin", pty=[("PIN for .*: $", type_late)])
    refused(result, BUSY, "another process is enrolling a card or changing an app",
            "wait for it to end, then run this again")
    assert Facts(ready_vault).outcome["result"] == "failed"
    ready_vault.done(*verb)
    ready_vault.done("audit", "verify")
