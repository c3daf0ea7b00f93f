"""`status`: what needs attention first, each with the command for it; P11VAULT_PICTURES=1 keeps one in docs/images.

P11VAULT_CAMPAIGN=1 looks at 1,000 grants in place of a dozen.
"""

import json
import os
import re
import time
from pathlib import Path

import pytest

from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault)
from program import at_a_terminal

ROOT = Path(__file__).resolve().parents[2]
DAY = 86400
COUNT = 1000 if os.environ.get("P11VAULT_CAMPAIGN") == "1" else 12
# Name, what the provider says of it, the state, and the verb that helps.
STATES = [
    ("ads/user/expired", {"expires_at": 1000000000}, "expired", "login"),
    ("ads/user/revoked", {"is_valid": False}, "revoked", "login"),
    ("ads/user/data", {"data_access_expires_at": 1000000000}, "data access expired", "login"),
    ("ads/user/soon", {"expires_at": int(time.time()) + 5 * DAY + 3600}, "expiring", "refresh"),
    ("ads/user/fine", {"expires_at": int(time.time()) + 55 * DAY + 3600}, "valid", ""),
    ("ads/user/for-ever", {"expires_at": 0}, "never expires", ""),
]


@pytest.fixture(name="vault")
def _vault(ready_vault, graph):
    """One grant in each state, and as many more that nobody has looked at."""
    for name, said, *_ in STATES:
        token = graph.tell("add_token", app_id=ready_vault.app_id, user_id="1")["token"]
        ready_vault.done("import", name, stdin=token)
        graph.misbehave("debug_token", "fields", 1, set=said)
        ready_vault.run("inspect", name)
        graph.tell("clear_misbehaviours")
    for number in range(COUNT - len(STATES) - 1):
        ready_vault.done("import", f"ads/user/new-{number:03}", stdin=f"EAAB{number:010}")
    return ready_vault


def wide(vault, **environment):
    """What a terminal shows of the results."""
    result = at_a_terminal(vault, "out", "status", **environment)
    assert result.code == 0, result
    return result.out.replace("\r", "")


def test_states(vault):
    """Each state is told from the others, sorted by what needs attention, with its command."""
    lines = vault.done("status").out.splitlines()
    listed = [line.split("  ")[:2] for line in lines if not line.startswith(" ")]
    assert len(listed) == COUNT
    order = ["revoked", "expired", "data access expired", "not inspected", "expiring", "valid",
             "never expires"]
    ranks = [order.index(state) for _, state in listed]
    assert ranks == sorted(ranks)
    told = {item["name"]: item for item in json.loads(vault.done("status", "--json").out)}
    for name, _, state, verb in STATES:
        assert [name, state] in listed
        assert (told[name]["state"], told[name]["next"]) == (state, verb)
        following = lines[next(i for i, line in enumerate(lines) if line.startswith(name)) + 1:][:1]
        assert (f"  next: p11vault {verb} {name}" in following[0]) if verb else True
    assert told["ads/user/data"]["command"].endswith("--reauthorize")


def test_what_is_due(vault):
    """Without those that need nothing; and of one app alone."""
    out = vault.done("status", "--due").out
    assert "ads/user/fine" not in out and "for-ever" not in out and "ads/user/soon" in out
    assert len(json.loads(vault.done("status", "--due", "--json").out)) == COUNT - 2
    assert vault.done("status", "ads").out == vault.done("status").out


def test_a_terminal(vault):
    """80 columns, a bar for the days, colours unless they are not wanted."""
    shown = wide(vault, TERM="xterm")
    assert "\033[31m" in shown and "█" in shown
    plain = re.sub(r"\033\[\d*m", "", shown)
    lines = plain.splitlines()
    for name, _, state, _ in STATES:
        assert any(re.match(rf"{name} +{state} ", line) for line in lines), plain
    assert max(map(len, lines)) <= 80
    fine, soon = (next(line for line in lines if line.startswith(f"ads/user/{name}"))
                  for name in ("fine", "soon"))
    assert fine.count("█") > soon.count("█") >= 1 and fine.endswith("55 d")
    for environment in ({"TERM": "dumb"}, {"TERM": "xterm", "NO_COLOR": "1"}):
        assert "\033[" not in wide(vault, **environment)
    assert "\033[" not in vault.done("status").out
    if os.environ.get("P11VAULT_PICTURES"):
        (ROOT / "docs/images/status.txt").write_text("\n".join(lines) + "\n")
