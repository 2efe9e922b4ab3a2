"""The demonstration is a promise: it must hold on every machine that runs the tests."""
import os
import re
import subprocess

from postern_server import POSTERN, ROOT


def test_demo_shows_the_proof():
    done = subprocess.run([ROOT / "tools" / "demo", POSTERN], capture_output=True, text=True, timeout=120, check=False,
                          env=dict(os.environ, DEMO_ONCE="1"))
    assert done.returncode == 0, done.stderr
    when = r"\d\d:\d\d:\d\d\.\d{3}  "
    assert re.search(when + r"TLS +TLSv1\.3, TLS_\w+, \w+", done.stdout)
    assert re.search(when + r"login +demo/first, from demo@postern\.localhost", done.stdout)
    assert re.search(when + r"queue id +[0-9a-z]{12}, \d+ octets", done.stdout)
    assert re.search(when + r"arrived +/\S+/Maildir/new/\S+", done.stdout)
    assert "with ESMTPSA id" in done.stdout
    assert "AUTH SCRAM-SHA-256-PLUS" in done.stdout
