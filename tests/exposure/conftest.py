"""What the exposure tests take from the system tests, and the build that they look at."""

import os
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "system"), str(Path(__file__).resolve().parent)]

from fixtures import (  # noqa: E402, F401
    fixture_limited_time, fixture_processes, fixture_programs, pytest_configure)
from modules import SoftHsm  # noqa: E402
from rooms import has_walls  # noqa: E402
from scanning import Needles  # noqa: E402
from scene import phase_of  # noqa: E402
from stage import EC, Prepared, Stage  # noqa: E402

PHASES = ("during", "after", "exit")
PROGRAMS = ("p11vault", "p11vault-card", "p11vault-exchange")


@pytest.fixture(scope="session")
def build(programs):
    """The directory with our programs and, below it, the scanner."""
    if not has_walls(programs):
        pytest.skip("a build with sanitizers keeps freed memory and has no walls: not looked at")
    if os.geteuid() != 0:
        pytest.skip("only root may look into processes that are not dumpable")
    for name in ("scan", "plant", "without"):
        if not os.access(programs / "exposure" / name, os.X_OK):
            pytest.fail(f"no exposure/{name} in {programs}: use make exposure", pytrace=False)
    return programs


@pytest.fixture
def needles(tmp_path):
    """The secrets of one test."""
    return Needles(tmp_path / "needles")


@pytest.fixture(scope="module")
def module():
    """The cards of most tests; a file of tests may have others."""
    return SoftHsm("ec:P-256", EC)


@pytest.fixture(scope="module")
def prepared(build, tmp_path_factory, module):
    """Vault, card and server, made once a file of tests and a kind of card."""
    made = Prepared(module)
    try:
        made.prepare(build, tmp_path_factory.mktemp("graph"))
        yield made
    finally:
        made.remove()


@pytest.fixture
def stage(prepared, build, needles, record_property):
    """A fresh one."""
    prepared.renew()
    return Stage(prepared, build, needles, record_property)


def _properties(terminalreporter, wanted):
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", []):
                if name == wanted and report.when == "call":
                    yield value


def pytest_terminal_summary(terminalreporter):
    """The table: most copies in any one look, by job, phase and program, and how often it was looked."""
    cells, total, looks = {}, 0, 0
    for job, program, moment, copies, size in _properties(terminalreporter, "look"):
        known = cells.setdefault((job, PHASES.index(phase_of(moment))), {})
        cell = known.setdefault(program, [0, 0])
        cell[0], cell[1] = cell[0] + 1, max(cell[1], copies)
        looks, total = looks + 1, total + size
    if not cells:
        return
    say = terminalreporter.write_line
    width = max(len(job) for job, _ in cells)
    say(f"{'copies (looks)':{width}}  {'':6}" + "".join(f"{p:>18}" for p in PROGRAMS))
    for (job, phase), row in sorted(cells.items()):
        shown = [row.get(program) for program in PROGRAMS]
        say(f"{job if phase == min(p for j, p in cells if j == job) else '':{width}}  "
            f"{PHASES[phase]:6}" + "".join(
                f"{f'{cell[1]} ({cell[0]})' if cell else '-':>18}" for cell in shown))
    say(f"{looks} looks at processes, {total >> 20} MiB read")
    _say_residues(say, _properties(terminalreporter, "residue"))


def _say_residues(say, residues):
    """What each module keeps, most in any one look."""
    most = {}
    for module, moment, hits in residues:
        known = most.setdefault((module, moment), hits)
        if hits is not None and len(hits) > len(known):
            most[module, moment] = hits
    if most:
        say("")
        say("left by modules in the card room, beside the app key:")
    for (module, moment), hits in sorted(most.items()):
        say(f"  {module}: {moment}" if hits is None else
            f"  {module}, {moment}: {len(hits) or 'nothing'}{'; ' if hits else ''}"
            f"{'; '.join(hits)}")
