"""Fixtures of the system tests: real programs, a real (soft) card, a stand-in for Graph."""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from canary import Canaries  # noqa: E402
from program import Processes, adopt_orphans  # noqa: E402
from standin import Standin  # noqa: E402
from vaulttool import Vault  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
# A campaign's tests may take as long as they need: somebody watches them.
LIMIT = 0 if os.environ.get("P11VAULT_CAMPAIGN") == "1" else 600


def pytest_configure():
    """Before any test starts a process: whoever runs this in the background may have had signals ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    adopt_orphans()


@pytest.fixture(autouse=True)
def limited_time():
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


@pytest.fixture(scope="session")
def programs():
    """The directory with the programs; a missing build is a failure, not a skipped test."""
    directory = ROOT / os.environ.get("P11VAULT_BUILD", "build/release")
    for name in ("p11vault", "p11vault-card", "p11vault-exchange"):
        if not os.access(directory / name, os.X_OK):
            pytest.fail(f"no {name} in {directory}: build first, or set P11VAULT_BUILD",
                        pytrace=False)
    return directory


@pytest.fixture
def processes():
    """Everything started by this test's fixtures; nothing of it may be left behind."""
    started = Processes()
    yield started
    left = started.left()
    assert not left, f"processes left: {left}"


@pytest.fixture
def graph(processes):
    """A running stand-in for the Graph API."""
    directory = Path(tempfile.mkdtemp(prefix="p11g-"))
    try:
        standin = Standin(directory, processes)
        try:
            yield standin
        finally:
            if standin.process.poll() is None:
                standin.stop()
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def canaries():
    """Secrets to search for; `canaries.leaks(paths, texts)` must stay empty."""
    return Canaries()


@pytest.fixture
def leaks(canaries):
    """The search itself: leaks(paths, texts) -> list of places."""
    return canaries.leaks


@pytest.fixture
def vault(programs, processes):
    """An empty vault directory with a home, a configuration file and a TMPDIR of its own."""
    made = Vault(programs, processes)
    yield made
    made.remove()


@pytest.fixture
def run(vault):
    """run(*arguments, stdin=…, pty=…, timeout=60) -> exit code, stdout, stderr."""
    return vault.run


@pytest.fixture
def soft_vault(vault):
    """A vault with an enrolled SoftHSM card."""
    vault.make_soft()
    return vault


@pytest.fixture
def ready_vault(soft_vault, graph, canaries):
    """A soft vault with the app `ads` and the grant `ads/user/alice`, both known to `graph`."""
    canaries.add("user token", soft_vault.make_ready(graph, canaries.app_secret))
    return soft_vault
