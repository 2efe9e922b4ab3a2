"""rspamd from Debian, in milter mode, scans what Postern's users send: it sees who they are, and what it refuses is refused."""
import shutil
import socket
import subprocess

import pytest

from postern_server import eventually, free_port
from test_milter import fields, served, submit        # noqa: F401

# RFC-less, but every scanner's: the generic test for unsolicited bulk mail.
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"

CONF = """
options {{
	filters = "";
	pidfile = "{here}/pid";
	url_tld = "{here}/tld";
	control_socket = "{here}/control mode=0600";
	dns {{ nameserver = ["127.0.0.1:9:1"]; timeout = 0.1s; retransmits = 1; }}
	hs_cache_dir = "{here}";
}}
logging {{ type = "console"; level = "info"; }}
actions {{ reject = 15; rewrite_subject = 10; add_header = 6; greylist = 4; subject = "[SPAM] %s"; }}
group "postern" {{ symbols = {{ "SEEN" {{ weight = 0.1; }} "SUBJECT" {{ weight = 11.0; }} }} }}
worker "rspamd_proxy" {{
	bind_socket = "127.0.0.1:{port}";
	milter = yes;
	timeout = 20s;
	count = 1;
	upstream "local" {{ default = yes; self_scan = yes; }}
}}
lua = "{here}/rules.lua";
"""
RULES = """
rspamd_config.SEEN = { score = 0.1, callback = function(task)
	local rcpts = task:get_recipients('smtp')
	task:set_milter_reply({ add_headers = { ['X-Seen'] = table.concat({ tostring(task:get_user()), tostring(task:get_from_ip()),
		tostring(task:get_helo()), tostring(task:get_queue_id()), tostring(#rcpts), rcpts[1].addr }, ' ') } })
	return true
end }
rspamd_config.SUBJECT = { score = 11.0, callback = function(task)
	return (task:get_subject() or ''):find('cheap') ~= nil
end }
"""


@pytest.fixture
def rspamd(tmp_path):
    if not shutil.which("rspamd"):
        pytest.skip("needs rspamd")
    here, port = tmp_path / "rspamd", free_port()
    here.mkdir(mode=0o700)
    (here / "conf").write_text(CONF.format(here=here, port=port))
    (here / "rules.lua").write_text(RULES)
    (here / "tld").write_text("net\norg\n")
    with (here / "log").open("w") as log:
        process = subprocess.Popen(["rspamd", "-f", "-i", "-c", str(here / "conf")], stdout=log, stderr=log)

    def listens():
        assert process.poll() is None, (here / "log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    eventually(listens, "rspamd", 60)
    yield f"inet:127.0.0.1:{port}"
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def test_rspamd_scans(served, rspamd):
    one = served(rspamd)
    assert submit(one, to=["b@example.net", "c@example.net"]).startswith("250")
    assert submit(one, GTUBE) == "554 5.7.1 Gtube pattern"
    assert submit(one, subject="cheap things").startswith("250")
    assert submit(one, "0123456789abcde\r\n" * 20000).startswith("250")
    first, rewritten, big = one.await_mails(3)
    login, address, helo, queue_id, rcpts, rcpt = fields(first)[1]["X-Seen"].split()
    assert (login, address, helo, rcpts, rcpt) == (f"{one.login}/first", "127.0.0.1", "c.example.org", "2", "b@example.net")
    assert queue_id == one.events("accepted")[0]["id"]
    assert fields(rewritten)[1]["Subject"] == "[SPAM] cheap things"
    assert "X-Seen" in fields(big)[0] and big.count(b"0123456789abcde\n") == 20000
    assert not one.events("milter-failed")
