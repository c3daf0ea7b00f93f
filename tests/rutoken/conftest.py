"""What these tests take from the system tests, and one scene of cards, vault and stand-in."""

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "system"), str(TESTS / "readers"), str(Path(__file__).resolve().parent)]

from fixtures import (  # noqa: E402, F401
    fixture_limited_time, fixture_processes, fixture_programs, pytest_configure)
from rutokenscene import RutokenScene  # noqa: E402


@pytest.fixture(scope="session", name="whole_scene")
def fixture_whole_scene(programs):
    """Made once by each worker: what takes time is making keys."""
    scene = RutokenScene()
    try:
        scene.prepare(programs)
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
