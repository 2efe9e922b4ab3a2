"""What `postern check --explain` prints has every key there is, and is a configuration."""
import re

from postern_server import postern


def test_each_key_can_stand_in_a_file(make_server):
    one = make_server().start()
    done = postern("check", *one.options, "--explain")
    assert done.returncode == 0, done.stderr
    assert len(set(re.findall(r"^#? ?([a-z][a-z0-9-]+) = ", done.stdout, re.M))) > 40
    (one.folder / "shown.conf").write_text(done.stdout)
    again = postern("check", "--config", str(one.folder / "shown.conf"))
    assert again.returncode == 0, again.stderr
