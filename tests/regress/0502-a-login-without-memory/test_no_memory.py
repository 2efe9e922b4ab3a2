"""Memory that is missing is no wrong password: 454, and nobody's guess (RFC 4954 6; 4954-31)."""
import base64
import pathlib
import resource
import smtplib

import pytest

from postern_server import POSTERN, postern

YESCRYPT = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$42RgPIrXdXSEEs77lDi/4IqKVqFBAVaHJkzw5uD1r57"       # "Hello world!", 16 MiB for each check
MARGIN = 4 << 20


def login(one, password="Hello world!"):
    with smtplib.SMTP_SSL("localhost", one.submissions, context=one.context(), timeout=30) as smtp:
        smtp.ehlo("laptop.example.org")
        return smtp.docmd("AUTH", "PLAIN " + base64.b64encode(f"\0carol@example.org\0{password}".encode()).decode())


def octets_of(pid):
    words = pathlib.Path(f"/proc/{pid}/statm").read_text().split()
    return int(words[0]) * resource.getpagesize()


@pytest.mark.skipif(b"__asan_init" in pathlib.Path(POSTERN).read_bytes(), reason="a sanitizer takes address space as it likes")
def test_a_hash_that_cannot_be_made(make_server, tmp_path):
    passwd = tmp_path / "passwd"
    passwd.write_text(f"carol@example.org:{{CRYPT}}{YESCRYPT}::::::\n")
    passwd.chmod(0o600)
    one = make_server(config=f'passwd-file = "{passwd}"\n').start()
    assert login(one)[0] == 235
    pid = one.children()["auth:0"]
    before = resource.prlimit(pid, resource.RLIMIT_AS)
    resource.prlimit(pid, resource.RLIMIT_AS, (octets_of(pid) + MARGIN, before[1]))
    assert login(one)[0] == 454
    resource.prlimit(pid, resource.RLIMIT_AS, before)
    assert login(one)[0] == 235
    assert "carol" not in postern("user", "attempts", *one.options).stdout
    assert one.stop() == 0
