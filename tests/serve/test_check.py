"""postern check: what a configuration means, and what is wrong with it."""
import re

import pytest
from postern_server import ROOT, make_certificate, postern


def write(tmp_path, text):
    path = tmp_path / "postern.conf"
    path.write_text(text)
    return path


def test_one_line_is_a_configuration(tmp_path):
    path = write(tmp_path, f'hostname = "mail.example.org"\nstate-dir = "{tmp_path}/state"\n')
    done = postern("check", "--config", path)
    assert done.returncode == 0
    assert "port 465, TLS from the start" in done.stdout
    assert "port 587, STARTTLS" in done.stdout
    assert not (tmp_path / "state").exists()


def test_explain_says_where_values_come_from(tmp_path):
    (tmp_path / "more.conf").write_text('\nrelay = "submissions://smtp.example.net"\n')
    path = write(tmp_path, f'# us\nhostname = "mail.example.org"\nstate-dir = "{tmp_path}"\ninclude("more.conf")\n')
    done = postern("check", "--config", path, "--set", "expire=2 d", "--explain")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert any(re.fullmatch(rf'hostname = "mail.example.org" +# {path}:2', line) for line in lines)
    assert any(re.fullmatch(rf'relay = "submissions://smtp.example.net:465" +# {tmp_path}/more.conf:2', line) for line in lines)
    assert any(re.fullmatch(r'expire = "2 d" +# --set', line) for line in lines)
    assert any(re.fullmatch(r'size-max = "50 MiB" +# default', line) for line in lines)
    assert any(re.fullmatch(r"# relay-ca-file +# not set", line) for line in lines)


def test_what_explain_prints_is_a_configuration(tmp_path):
    chain, key = make_certificate(tmp_path, "mail.example.org")
    path = write(tmp_path, f'hostname = "mail.example.org"\nstate-dir = "{tmp_path}"\nlisten-submissions = {{ "*:10465", "[::1]:10466" }}\n'
                           f'certificate {{ chain = "{chain}" key = "{key}" }}\n')
    first = postern("check", "--config", path, "--explain").stdout
    again = postern("check", "--config", write(tmp_path, first), "--explain")
    assert again.returncode == 0, again.stderr
    strip = re.compile(r" +# (default|not set|/\S+:\d+)$", re.M)
    assert strip.sub("", again.stdout) == strip.sub("", first)


def test_certificate_is_shown(tmp_path):
    chain, key = make_certificate(tmp_path, "mail.example.org", days=42)
    path = write(tmp_path, f'hostname = "mail.example.org"\nstate-dir = "{tmp_path}"\ncertificate {{ chain = "{chain}" key = "{key}" }}\n')
    assert re.search(r"mail\.example\.org, 4[12] days left", postern("check", "--config", path).stdout)


WRONG = {
    "no host name": ("", r"postern\.conf: hostname is missing"),
    "unqualified": ('hostname = "mail"', r"postern\.conf:1: key \"hostname\": \"mail\" is not a fully qualified host name"),
    "syntax": ('hostname = "mail.example.org', r"postern\.conf:\d+: "),
    "missing include": ('hostname = "a.b"\ninclude("no.conf")', r"postern\.conf:2: key \"include\": .*no\.conf: No such file"),
    "twice": ('hostname = "a.b"\nhostname = "a.c"', r"postern\.conf:2: key \"hostname\": set already at .*postern\.conf:1"),
    "contradiction": ('hostname = "a.b"\nretry-max = "6 d"', r"postern\.conf: retry-max is longer than expire"),
    "state below a file": ('hostname = "a.b"\nstate-dir = "/etc/passwd/x"', r"postern\.conf:2: key \"state-dir\": "),
    "no such ca file": ('hostname = "a.b"\nrelay-ca-file = "/nonexistent"', r"postern\.conf:2: key \"relay-ca-file\": /nonexistent: No such file"),
}


@pytest.mark.parametrize("case", WRONG, ids=WRONG)
def test_file_line_and_key_are_named(tmp_path, case):
    text, words = WRONG[case]
    done = postern("check", "--config", write(tmp_path, text + "\n"), *([] if "state-dir" in text else ["--state", tmp_path]))
    assert done.returncode == 78
    assert re.search(words, done.stderr), done.stderr
    assert done.stdout == ""


def test_certificate_that_is_none(tmp_path):
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate\n")
    path = write(tmp_path, f'hostname = "a.b"\nstate-dir = "{tmp_path}"\ncertificate {{ chain = "{bad}" key = "{bad}" }}\n')
    done = postern("check", "--config", path)
    assert done.returncode == 78
    assert f'{path}:3: key "certificate": ' in done.stderr and str(bad) in done.stderr


def test_missing_file_and_unknown_option(tmp_path):
    done = postern("check", "--config", tmp_path / "nothing.conf")
    assert done.returncode == 78 and "nothing.conf: No such file or directory" in done.stderr
    assert postern("check", "--frobnicate").returncode == 64
    assert postern("check", "--config").returncode == 64
    assert postern("check", "--set", "hostnme=a.b").returncode == 78


def test_every_key_is_in_the_manual(tmp_path):
    done = postern("check", "--state", tmp_path, "--explain")
    manual = (ROOT / "docs" / "man" / "postern.conf.5").read_text()
    keys = {line.lstrip("# ").split()[0] for line in done.stdout.splitlines() if re.match(r"(# )?[a-z-]+ (=|\+=|\{|  )", line)}
    assert len(keys) > 25
    assert not {key for key in keys if f".It Cm {key}\n" not in manual}
