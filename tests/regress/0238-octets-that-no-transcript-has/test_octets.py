"""A foreign transcript loses no finding and steers no terminal."""
import json

from postern_server import postern


def test_octets(tmp_path):
    kept = tmp_path / "kept"
    kept.write_bytes(b"postern-audit 1\ntarget mail.example.org\nat 2026-11-22T00:00:00Z\nendpoint 192.0.2.1 465 submissions\n"
                     b"connect ok 1\nfirst smtp 220 \xff\x1b[2J\x00\r\n")
    for option in ("--json", "--sarif", "--html", "--details"):
        done = postern("audit", option, "--judge", kept, text=False)
        assert done.returncode == 1 and b"clear-smtp-on-465" in done.stdout, option
        assert not set(done.stdout) & {0xff, 0x1b, 0, 0x0d}
    finding, = [f for f in json.loads(postern("audit", "--json", "--judge", kept).stdout)["targets"][0]["endpoints"][0]["findings"]]
    assert finding["evidence"] == "first: smtp 220 ??[2J??"
