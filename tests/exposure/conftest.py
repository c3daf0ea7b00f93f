"""What the exposure tests take from the system tests, and the build that they look at."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "system"), str(Path(__file__).resolve().parent)]

from scanning import Needles  # noqa: E402


def _system():
    """Its conftest by another name: this file has the name as well."""
    place = importlib.util.spec_from_file_location("system_conftest", TESTS / "system/conftest.py")
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


_SYSTEM = _system()
pytest_configure = _SYSTEM.pytest_configure
programs, processes = _SYSTEM.programs, _SYSTEM.processes


def _is_sanitized(directory):
    return b"__asan_init" in (directory / "p11vault").read_bytes()


@pytest.fixture(scope="session")
def build(programs):
    """The directory with our programs and, below it, the scanner."""
    if _is_sanitized(programs):
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


def pytest_terminal_summary(terminalreporter):
    """The table: copies found by program and moment, most of any one look; then the totals."""
    cells, total, looks = {}, 0, 0
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", []):
                if name == "look" and report.when == "call":
                    program, moment, copies, size = value
                    known = cells.setdefault(moment, {}).setdefault(program, [0, 0])
                    known[0], known[1] = known[0] + 1, max(known[1], copies)
                    looks, total = looks + 1, total + size
    if not cells:
        return
    programs = ("p11vault", "p11vault-card", "p11vault-exchange")
    terminalreporter.write_line(f"{'copies (looks)':32}" + "".join(f"{p:>19}" for p in programs))
    for moment in sorted(cells):
        row = [cells[moment].get(program) for program in programs]
        terminalreporter.write_line(f"{moment:32}" + "".join(
            f"{f'{cell[1]} ({cell[0]})' if cell else '-':>19}" for cell in row))
    terminalreporter.write_line(f"{looks} looks at processes, {total >> 20} MiB read")
