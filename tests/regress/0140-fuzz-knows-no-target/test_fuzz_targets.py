"""`tools/fuzz` without names means every target, wherever the list of fuzz/meson.build breaks its lines."""
import subprocess

from postern_server import ROOT


def test_every_target_is_known():
    done = subprocess.run([ROOT / "tools" / "fuzz", "list"], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    here = {p.stem for p in (ROOT / "fuzz").glob("*.c") if "LLVMFuzzerTestOneInput" in p.read_text() and p.stem != "replay"}
    assert set(done.stdout.split()) == here
