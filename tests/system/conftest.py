"""Fixtures of the system tests: real programs, a real (soft) card, a stand-in for Graph."""

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from canary import Canaries  # noqa: E402
from fixtures import (  # noqa: E402, F401
    fixture_limited_time, fixture_processes, fixture_programs, pytest_configure)
from standin import Standin  # noqa: E402
from vaulttool import Vault  # noqa: E402


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
