"""What the system tests, those of the exposure and those of the simulated Rutoken have in common."""

import os
import signal
from pathlib import Path

import pytest

from program import Processes, adopt_orphans

ROOT = Path(__file__).resolve().parents[2]
# A campaign's tests may take as long as they need: somebody watches them.
LIMIT = 0 if os.environ.get("P11VAULT_CAMPAIGN") == "1" else 600


def pytest_configure():
    """Before any test starts a process: whoever runs this in the background may have had signals ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    adopt_orphans()


@pytest.fixture(autouse=True, name="limited_time")
def fixture_limited_time():
    """A test that waits for ever fails, so that the others come to their turn."""
    def fail(*_):
        pytest.fail(f"not over after {LIMIT} s")
    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


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
