"""Tests that mount something work in a chroot whose / is no mount point, too; those of simulated cards are beside these."""

import pytest

from plainroot import passes_in_plain_root


@pytest.mark.parametrize("test", ["test_bad_disk.py::test_room_enough", "test_doctor_machine.py::test_read_only"])
def test_in_a_plain_root(test):
    """They are run there, not skipped."""
    passes_in_plain_root(f"tests/system/{test}")
