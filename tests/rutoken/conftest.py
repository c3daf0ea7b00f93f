"""What these tests take from the system tests, and one scene of cards, vault and stand-in."""

import importlib.util
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "system"), str(Path(__file__).resolve().parent)]

from scene import Scene  # noqa: E402


def _system():
    """Its conftest by another name: this file has the name as well."""
    place = importlib.util.spec_from_file_location("system_conftest", TESTS / "system/conftest.py")
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


_SYSTEM = _system()
pytest_configure = _SYSTEM.pytest_configure
programs, processes = _SYSTEM.programs, _SYSTEM.processes


@pytest.fixture(scope="session", name="whole_scene")
def fixture_whole_scene(programs):
    """Made once by each worker: what takes time is making keys."""
    scene = Scene(programs)
    try:
        scene.prepare()
        yield scene
    finally:
        scene.remove()


@pytest.fixture
def formatted(whole_scene):
    """A formatted card in the first reader and an empty vault that knows its module."""
    yield whole_scene.use("formatted")
    whole_scene.check()


@pytest.fixture
def ready(whole_scene):
    """The same card enrolled, the app `ads`, and the grant `ads/user/alice`."""
    yield whole_scene.use("ready")
    whole_scene.check()


@pytest.fixture
def canaries_found(whole_scene):
    """The search for secrets: canaries_found(paths, texts) -> list of places."""
    return whole_scene.canaries.leaks
