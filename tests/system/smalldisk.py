"""p11vault on a vault whose disk has so much room left, in mounts that end with the run."""

import shutil
import subprocess

from program import Program

OWN_VIEW = ["/usr/bin/unshare", "--mount"]
# The card stays where it was: SoftHSM empties its files before it writes them.
SMALL = """
mkdir "$SIDE.card"; mount --bind "$VAULT/soft" "$SIDE.card"
cp -a "$VAULT" "$SIDE"; mount -t tmpfs -o size=8m,mode=0700 none "$VAULT"
cp -a "$SIDE/." "$VAULT"; mount --bind "$SIDE.card" "$VAULT/soft"
head -c $(( $(stat -f -c '%a * %S' "$VAULT") - ROOM * 1024 )) /dev/zero >"$VAULT/fill"
set +e; "$@"; code=$?
rm "$VAULT/fill"; umount "$VAULT/soft"; rm -r "$SIDE"; cp -a "$VAULT" "$SIDE"; exit $code
"""


def why_no_mounts():
    """What is said where nobody may mount anything for himself; "": it can be done."""
    probe = [*OWN_VIEW, "/bin/mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(probe, capture_output=True, text=True, check=False).stderr


def on_small_disk(vault, room, *arguments, env=None):
    """A run with `room` KiB left; afterwards the vault is as that left it, and has room again."""
    side = vault.base / "side"
    command = [*OWN_VIEW, "/bin/sh", "-ec", SMALL, "sh", vault.programs / "p11vault",
               "--config", vault.config, "--vault", vault.directory, *arguments]
    environment = vault.environment(VAULT=str(vault.directory), SIDE=str(side), ROOM=str(room),
                                    **(env or {}))
    result = Program(command, environment, vault.processes).finish()
    shutil.rmtree(side / "soft")
    shutil.move(vault.directory / "soft", side)
    shutil.rmtree(vault.directory)
    side.rename(vault.directory)
    side.with_name("side.card").rmdir()
    return result
