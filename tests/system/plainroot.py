"""Runs a test again where / is no mount point, as in many a chroot: in a plain directory with everything bound below it."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mounts import OWN_VIEW, why_not

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120
# Links are links there too: on Debian /bin is one.
BIND = """set -e
root=$1; shift
for place in /*; do
    if [ -L "$place" ]; then cp -P "$place" "$root$place"
    elif [ -d "$place" ]; then mkdir "$root$place"; mount --rbind "$place" "$root$place"
    fi
done
cd "$root"
exec chroot "$root" /bin/sh -c 'cd "$0"; exec "$@"' "$@"
"""


def run_in_plain_root(*command):
    """One command there, from the top of the sources."""
    with tempfile.TemporaryDirectory(prefix="p11x-") as base:
        root = Path(base, "root")
        root.mkdir()
        try:
            return subprocess.run([*OWN_VIEW, "/bin/sh", "-c", BIND, "sh", root, ROOT, *command],
                                  capture_output=True, text=True, check=False, timeout=SECONDS,
                                  env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        finally:
            # One by one: whatever were still mounted here would be the machine's own.
            for place in root.iterdir():
                if place.is_symlink():
                    place.unlink()
                else:
                    place.rmdir()


def passes_in_plain_root(test):
    """That the test passes there, and is not skipped.  Itself it is skipped where nobody may mount anything."""
    refusal = why_not()
    if refusal:
        pytest.skip(f"no mounts of one's own here: {refusal}")
    assert run_in_plain_root("mountpoint", "-q", "/").returncode == 32
    done = run_in_plain_root(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", test)
    last = done.stdout.strip().rpartition("\n")[2]
    assert done.returncode == 0 and last.startswith("1 passed in "), done.stdout + done.stderr
