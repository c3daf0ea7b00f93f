#!/usr/bin/python3
"""A view of the file systems of one's own: what is mounted there, nobody else sees.

    mounts.py [--ipc] COMMAND...

What unshare(1) does with --mount, and with --ipc; but unshare wants / to be a mount point, and in many a chroot it is
none.
"""

import ctypes
import errno
import os
import subprocess
import sys

CLONE_NEWNS, CLONE_NEWIPC = 0x20000, 0x8000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18


def _call(name, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def mount(source, target, kind, flags):
    """mount(2)."""
    _call("mount", str(source).encode(), str(target).encode(), kind.encode(), flags, None)


def _keep_to_ourselves():
    mount("none", "/", "none", MS_REC | MS_PRIVATE)


def take_own_view(also=0):
    """From now on this process and its children have their own mounts; `also` are other name spaces to leave.

    Only a mount point can be told to keep mounts to itself.  Where / is none, that is said of the root of the whole
    name space, which is always one: setns goes there, and chroot back again.
    """
    _call("unshare", CLONE_NEWNS | also)
    here, root = os.open(".", os.O_PATH), os.open("/", os.O_PATH)
    try:
        _keep_to_ourselves()
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        own = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        _call("setns", own, CLONE_NEWNS)
        os.close(own)
        _keep_to_ourselves()
        os.fchdir(root)
        os.chroot(".")
        os.fchdir(here)
    os.close(here)
    os.close(root)


OWN_VIEW = (sys.executable, os.path.abspath(__file__))  # before a command


def why_not():
    """Why there is no such view here, or an empty text."""
    done = subprocess.run([*OWN_VIEW, "/bin/mount", "-t", "tmpfs", "none", "/tmp"],
                          capture_output=True, text=True, check=False)
    return done.stderr.strip().rpartition("\n")[2] if done.returncode else ""


def main():
    """Leave, and become the command."""
    command = sys.argv[1:]
    also = CLONE_NEWIPC if command[:1] == ["--ipc"] else 0
    take_own_view(also)
    command = command[1:] if also else command
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
