"""Where few files may be open at once."""

import pytest

from cards import GRANT, refused
from prepared import (  # noqa: F401
    fixture_canaries, fixture_graph, fixture_prepared, fixture_ready_vault, fixture_soft_vault)
from program import Program


@pytest.fixture(name="limited")
def _limited(ready_vault):
    """An `exchange` that may have so many."""
    vault = ready_vault
    return lambda count: Program(
        ["/usr/bin/prlimit", f"--nofile={count}", vault.programs / "p11vault", "--config",
         vault.config, "--vault", vault.directory, "exchange", GRANT],
        vault.environment(), vault.processes).finish()


def test_few_are_enough(limited):
    """A limit that is low, but holds all that are needed."""
    result = limited(32)
    assert result.code == 0, result


@pytest.mark.parametrize("count, doing", [(13, "make a channel"), (15, "start a room")])
def test_too_few(limited, count, doing):
    """It is said what is too low, and how it is raised."""
    refused(limited(count), 14, f"{doing}: Too many open files",
            "raise the limit of open files: ulimit -n 1024; in a service's unit: LimitNOFILE=1024")
