"""What these tests take from the system tests, and one scene of cards, vault and stand-in."""

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "system"), str(TESTS / "readers"), str(Path(__file__).resolve().parent)]

from fixtures import (  # noqa: E402, F401
    fixture_limited_time, fixture_processes, fixture_programs, pytest_configure)
from pivscene import PivScene  # noqa: E402


@pytest.fixture(scope="session", name="whole_scene")
def fixture_whole_scene(programs):
    """Made once by each worker."""
    scene = PivScene()
    try:
        scene.prepare(programs)
        yield scene
    finally:
        scene.remove()


@pytest.fixture(params=list(PivScene.MODULES))
def module(request):
    """For a test that is run with both modules."""
    return request.param


@pytest.fixture
def blank(whole_scene):
    """A card with keys in the first reader and an empty vault that knows OpenSC."""
    yield whole_scene.use("blank opensc")
    whole_scene.check()


@pytest.fixture
def ready(whole_scene):
    """The same card enrolled, the app `ads`, and the grant `ads/user/alice`."""
    yield whole_scene.use("ready opensc")
    whole_scene.check()


@pytest.fixture
def blank_each(whole_scene, module):
    """`blank` with OpenSC, and with ykcs11."""
    yield whole_scene.use(f"blank {module}")
    whole_scene.check()


@pytest.fixture
def ready_each(whole_scene, module):
    """`ready` with OpenSC, and with ykcs11."""
    yield whole_scene.use(f"ready {module}")
    whole_scene.check()


@pytest.fixture
def canaries_found(whole_scene):
    """The search for secrets: canaries_found(paths, texts) -> list of places."""
    return whole_scene.canaries.leaks
