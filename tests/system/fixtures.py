"""What the system tests, those of the exposure and those of the simulated Rutoken have in common."""

import os
import signal
from pathlib import Path

import pytest

from program import Processes, adopt_orphans

ROOT = Path(__file__).resolve().parents[2]


def pytest_configure():
    """Before any test starts a process: whoever runs this in the background may have had signals ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    adopt_orphans()


@pytest.fixture(scope="session", name="programs")
def fixture_programs():
    """The directory with the programs; a missing build is a failure, not a skipped test."""
    directory = ROOT / os.environ.get("P11VAULT_BUILD", "build/release")
    for name in ("p11vault", "p11vault-card", "p11vault-exchange"):
        if not os.access(directory / name, os.X_OK):
            pytest.fail(f"no {name} in {directory}: build first, or set P11VAULT_BUILD",
                        pytrace=False)
    return directory


@pytest.fixture(name="processes")
def fixture_processes():
    """Everything started by this test's fixtures; nothing of it may be left behind."""
    started = Processes()
    yield started
    left = started.left()
    assert not left, f"processes left: {left}"
