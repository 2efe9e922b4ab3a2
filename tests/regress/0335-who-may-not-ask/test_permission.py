"""Somebody else's server: that it is not ours to ask is told, with what to do."""
import os
import pathlib
import shutil
import subprocess

import pytest

from postern_server import POSTERN

NOBODY = 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("words", [["queue", "list"], ["user", "attempts"]])
def test_somebody_else(tmp_path, words):
    home = pathlib.Path("/tmp") / f"postern-0335-{os.getpid()}"     # pytest's own folders are root's alone
    home.mkdir(mode=0o755)
    try:
        program = shutil.copy(POSTERN, home / "postern")
        (home / "state").mkdir(mode=0o700)
        done = subprocess.run([program, *words, "--state", home / "state"], user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True,
                              text=True, check=False, timeout=20)
        assert done.returncode == 69 and "root and the user it runs as may ask it" in done.stderr, done
    finally:
        shutil.rmtree(home)
