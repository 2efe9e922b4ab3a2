"""A report that could not be written is no success: exit status 2, as for what could not be saved."""
import os
import subprocess

import pytest
from postern_server import POSTERN

TRANSCRIPT = "postern-audit 1\ntarget h\nat 2026-11-22T13:20:00Z\nendpoint 192.0.2.1 465 submissions\nconnect ok 1\nfirst tls\ntls TLSv1.3 A x25519\n"


def gone():
    """The writing end of a pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("output", [lambda: os.open("/dev/full", os.O_WRONLY), gone], ids=["full", "pipe"])
@pytest.mark.parametrize("form", [(), ("--json",), ("--html",), ("--sarif",)], ids=lambda form: "".join(form) or "text")
def test_lost(tmp_path, form, output):
    (tmp_path / "t").write_text(TRANSCRIPT)
    descriptor = output()
    done = subprocess.run([POSTERN, "audit", *form, "--judge", tmp_path / "t"], stdout=descriptor, stderr=subprocess.PIPE, timeout=30, check=False)
    os.close(descriptor)
    assert done.returncode == 2 and b"standard output" in done.stderr
