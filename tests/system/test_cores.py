"""Signals that ask for a core get none, of any of the three programs, whoever runs them."""

import os
import resource
import signal
from pathlib import Path

import pytest

from cards import GRANT
from limited import LimitedVault, fixture_limited, fixture_limited_soft  # noqa: F401
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)
from program import Program
from rooms import has_walls
from watching import look

# The limit is the starter's, and the directory is where a core would go.
WITH_CORES = ("/bin/sh", "-c", 'ulimit -c unlimited && cd "$0" && exec "$@"')


@pytest.fixture(autouse=True)
def _cores(programs):
    """Only where there would be some."""
    if not has_walls(programs):
        pytest.skip("a build with sanitizers need not have walls: this is about walls")
    pattern = Path("/proc/sys/kernel/core_pattern").read_text(encoding="utf-8")
    if pattern.startswith(("|", "/")):
        pytest.skip(f"this machine's cores do not go where they can be seen: {pattern}")
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY:
        pytest.skip("cores are forbidden here")


@pytest.fixture(name="somebody", params=["root", "nobody"])
def fixture_somebody(request):
    """A ready vault of either."""
    return request.getfixturevalue({"root": "ready_vault", "nobody": "limited"}[request.param])


def start(vault, *command):
    """With cores allowed, in an empty directory."""
    place = vault.base / "cores"
    place.mkdir(exist_ok=True)
    if isinstance(vault, LimitedVault):
        vault.before = (*WITH_CORES, place)
        return vault.start(*command)
    return Program([*WITH_CORES, place, vault.programs / "p11vault", "--config", vault.config,
                    "--vault", vault.directory, *command], vault.environment(), vault.processes)


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGABRT])
@pytest.mark.parametrize("victim", ["front", "card", "exchange"])
def test_no_core(somebody, graph, victim, number):
    """While an answer is awaited, with everything in its place."""
    graph.misbehave("exchange", "silent", 1)
    count = len(graph.requests("exchange")) + 1
    program = start(somebody, "exchange", GRANT)
    graph.wait("request:exchange", count)
    os.kill(look(program.pid)[victim].pid, number)
    graph.tell("release")
    result = program.finish()
    assert result.code != 0, result
    if victim == "front":
        assert result.code == -number
    assert list((somebody.base / "cores").iterdir()) == []


def test_the_look_itself(vault, processes):
    """Another program leaves one there."""
    Program([*WITH_CORES, vault.base, "/bin/sh", "-c", "kill -QUIT $$"], {"PATH": os.defpath},
            processes).finish()
    assert [path.name for path in vault.base.iterdir() if path.name.startswith("core")]
