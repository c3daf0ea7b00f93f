"""The checks themselves: what `make check` counts, and what the shell checks find."""

import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WHY = "the vectors of Wycheproof and RFC 7520 are not in ../shared/vectors, nor P11VAULT_VECTORS set"
# What a stage of unit tests says where the published vectors are missing; every other stage is content.
MAKE = f"""#!/bin/sh
case "$*" in
*' unit') printf '[  SKIPPED ] test_wycheproof_points\\n[  PASSED  ] 7 test(s).\\n'
    printf 'SKIP: {WHY}\\n[  SKIPPED ] 1 test(s), listed below:\\n' ;;
*) echo 'ok: a stage' ;;
esac
"""


def test_what_is_skipped_stands_in_the_totals(tmp_path):
    """The last line counts it, and the reason stands above: nobody takes it for a test that passed."""
    (tmp_path / "tests/checks").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    shutil.copy(ROOT / "tests/checks/run.sh", tmp_path / "tests/checks")
    for name, text in (("make", MAKE), ("shellcheck", "#!/bin/sh\n"), ("mandoc", "#!/bin/sh\n")):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "docs/man").mkdir(parents=True)
    (tmp_path / "docs/man/page.1").touch()
    done = subprocess.run([tmp_path / "tests/checks/run.sh"], capture_output=True, text=True, check=False,
                          env={"PATH": f"{tmp_path / 'bin'}:{os.defpath}"})
    assert done.returncode == 0, done
    # With gcc and with sanitizers.
    assert re.search(rf"\n2 skipped:\n  2  {re.escape(WHY)}\n\d+ passed, 0 failed, 2 skipped\n$", done.stdout), done


def test_a_device_is_no_output_file(tmp_path):
    """As root, a tool that replaces its output file replaces the device; and this tree has none that does."""
    def floors(directory):
        return subprocess.run([ROOT / "tests/checks/floors.sh", directory], capture_output=True, text=True,
                              check=False, env={"PATH": os.defpath})
    done = floors(ROOT)
    assert done.returncode == 0 and "ok: no tool writes its output to a device" in done.stdout, done
    (tmp_path / "src").mkdir()
    (tmp_path / "include/p11vault").mkdir(parents=True)
    (tmp_path / "src/a.c").touch()
    device = "/dev/null"
    for line in (f"gcc -c -o {device} a.c", f"dd if=a of={device}", f"cc --output={device} a.c"):
        (tmp_path / "Makefile").write_text(f"all:\n\t{line}\n")
        done = floors(tmp_path)
        assert done.returncode == 1, done
        assert f"Makefile:2:\t{line}\nFAILED: no tool writes its output to a device" in done.stdout, done
