"""Certificates: taken up when they are proved, given up when they are not, and everything that is wrong with them in words."""
import base64
import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import time

import pytest
from postern_server import make_certificate, postern

HOST = "mail.example.org"
EC = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")


def run(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """A CA, and what it signs: for as long as one likes, beginning when one likes."""

    def __init__(self, folder, name="Example Root", by=None):
        self.folder, self.stem = folder, re.sub(r"\W", "", name).lower()
        self.cert, self.key = folder / f"{self.stem}.pem", folder / f"{self.stem}-key.pem"
        self.conf = folder / f"{self.stem}.conf"
        (folder / f"{self.stem}.index").write_text("")
        self.conf.write_text(f"""[ca]
default_ca = d
[d]
database = {folder}/{self.stem}.index
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = p
copy_extensions = copy
unique_subject = no
[p]
commonName = supplied
[v3ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[leaf]
basicConstraints = CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
""")
        self.request(name, self.key, EC)
        (by or self).sign(self.request_file, self.cert, "v3ca", "20240101000000Z", "20440101000000Z", own=by is None)

    @property
    def request_file(self):
        return self.folder / f"{self.stem}.csr"

    def request(self, name, key, kind, alt=None):
        extra = ["-addext", f"subjectAltName={alt}"] if alt else []
        run("req", "-new", "-newkey", *kind, "-nodes", "-subj", f"/CN={name}", *extra, "-keyout", key,
            "-out", self.request_file)

    def sign(self, request, out, section, start, end, own=False):
        run("ca", "-batch", "-notext", "-config", self.conf, "-extensions", section, "-startdate", start, "-enddate", end,
            "-in", request, "-out", out, "-keyfile", self.key, *(["-selfsign"] if own else ["-cert", self.cert]))

    def leaf(self, name=HOST, stem="leaf", start="20240101000000Z", end="20440101000000Z", kind=None, alt=None):
        """(certificate, key), without anything above it."""
        chain, key = self.folder / f"{stem}.pem", self.folder / f"{stem}-key.pem"
        self.request(name, key, kind or EC, alt=alt or f"DNS:{name}")
        self.sign(self.request_file, chain, "leaf", start, end)
        return chain, key


@pytest.fixture
def ca(tmp_path):
    folder = tmp_path / "ca"
    folder.mkdir()
    return Authority(folder)


def lines_for(*pairs):
    return "".join(f'certificate {{ chain = "{chain}" key = "{key}" }}\n' for chain, key in pairs)


def check(tmp_path, *pairs):
    path = tmp_path / "check.conf"
    path.write_text(f'hostname = "{HOST}"\nstate-dir = "{tmp_path}/check-state"\n{lines_for(*pairs)}')
    return postern("check", "--config", path)


def replace(old, new):
    """The key first, then the chain, as certificate clients do it or not: the watch stands both."""
    for there, here in zip(old, new):
        shutil.copy(here, str(there) + ".new")
        os.replace(str(there) + ".new", there)


# ---- the proof ----

@contextlib.contextmanager
def the_only_session(one, trusted):
    """Somebody who is in, where sessions-max is 1: the server cannot reach its own listeners."""
    one.add_key()
    time.sleep(1.1)
    with socket.create_connection((one.host, one.submissions), 10) as tcp, \
            ssl.create_default_context(cafile=trusted).wrap_socket(tcp, server_hostname=HOST) as tls:
        assert tls.recv(200).startswith(b"220 ")
        tls.sendall(b"EHLO laptop.example.org\r\n")
        assert b"250" in tls.recv(2000)
        tls.sendall(b"AUTH PLAIN " + base64.b64encode(f"\0{one.login}\0{one.key}".encode()) + b"\r\n")
        assert tls.recv(200).startswith(b"235 ")
        yield tls



def test_a_certificate_that_is_not_served_goes_back_to_the_old_one(make_server, tmp_path):
    pair = make_certificate(tmp_path, HOST, "live")
    one = make_server(config=f"fronts = 1\nsessions-max = 1\n{lines_for(pair)}").start()
    before = one.served_leaf()
    with the_only_session(one, pair[0]) as tls:
        replace(pair, make_certificate(tmp_path, HOST, "next"))
        one.await_event("certificate-taken")
        refused = one.await_event("certificate-refused")
        assert refused["in-force"] == "the old one"
        assert f"port {one.submission}" in refused["why"] or f"port {one.submissions}" in refused["why"]
        tls.sendall(b"NOOP\r\n")
        assert tls.recv(200).startswith(b"250 ")
    time.sleep(0.5)
    # Both the chain and its key are back.
    assert one.served_leaf() == before
    assert not one.events("certificate-proved")
    # Nothing is tried again by itself at once; a file that changes is.
    time.sleep(6)
    assert len(one.events("certificate-taken")) == 1
    os.utime(pair[0])
    one.await_event("certificate-proved")
    assert one.served_leaf() == ssl.PEM_cert_to_DER_cert(pair[0].read_text()) != before
    assert one.stop() == 0


def test_what_goes_back_survives_the_signer(make_server, tmp_path):
    """The old key is in the signer's memory alone. When that one dies, the new pair is better than a chain without a key."""
    pair = make_certificate(tmp_path, HOST, "live")
    one = make_server(config=f"fronts = 1\nsessions-max = 1\n{lines_for(pair)}").start()
    old = one.served_leaf()
    with the_only_session(one, pair[0]):
        replace(pair, make_certificate(tmp_path, HOST, "next"))
        one.await_event("certificate-refused")
    time.sleep(0.3)
    assert one.served_leaf() == old
    os.kill(one.children()["signer:0"], 9)
    one.await_event("certificate-proved")
    assert one.served_leaf() == ssl.PEM_cert_to_DER_cert(pair[0].read_text()) != old
    assert one.stop() == 0


def test_a_proof_that_was_overtaken_says_nothing(make_server, tmp_path):
    """Regress 0138: the signer ends while a certificate is proved, and a newer one is on the disk: only that one is judged."""
    pair = make_certificate(tmp_path, HOST, "live")
    one = make_server(config=f"fronts = 1\nsessions-max = 1\n{lines_for(pair)}").start()
    with the_only_session(one, pair[0]):
        replace(pair, make_certificate(tmp_path, HOST, "next"))
        one.await_event("certificate-taken")
        replace(pair, make_certificate(tmp_path, HOST, "third"))
        os.kill(one.children()["signer:0"], 9)
        one.await_event("certificate-taken", count=2)
    one.await_event("certificate-proved")
    time.sleep(6)
    assert one.served_leaf() == ssl.PEM_cert_to_DER_cert(pair[0].read_text())
    assert not one.events("certificate-not-served") and not one.events("certificate-refused")
    assert len(one.events("certificate-proved")) == 1
    assert one.stop() == 0


def test_an_old_one_that_has_ended_is_not_gone_back_to(make_server, tmp_path, ca):
    end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 8))
    pair = ca.leaf(stem="short", end=end)
    one = make_server(config=f"fronts = 1\nsessions-max = 1\n{lines_for(pair)}").start()
    with the_only_session(one, ca.cert):
        replace(pair, make_certificate(tmp_path, HOST, "next"))
        said = one.await_event("certificate-not-served")
        assert "the old one has ended" in said["in-force"]
    time.sleep(0.3)
    assert one.served_leaf() == ssl.PEM_cert_to_DER_cert(pair[0].read_text())
    assert one.stop() == 0


def test_every_certificate_is_proved_at_every_listener(make_server, ca):
    pairs = [ca.leaf(stem="ec"), ca.leaf(stem="rsa", kind=("rsa:2048",)), ca.leaf("other.example.org", "other")]
    one = make_server(config=lines_for(*pairs)).start()
    one.hup()
    # Two listeners, three certificates, of which two go by one name.
    assert one.await_event("certificate-proved")["connections"] == "6"
    assert one.stop() == 0


def test_a_name_is_found_that_leads_to_each(make_server, tmp_path, ca):
    shared = ca.leaf(stem="shared", alt=f"IP:127.0.0.1,DNS:{HOST},DNS:*.example.net")
    one = make_server(config=lines_for(ca.leaf(stem="first"), shared)).start()
    one.hup()
    assert one.await_event("certificate-proved")["connections"] == "4"
    assert "never served" not in check(tmp_path, ca.leaf(stem="first"), shared).stdout
    assert one.stop() == 0


# ---- the end of a certificate ----

@pytest.mark.parametrize("days,said", [(22, None), (21, "warn"), (8, "warn"), (7, "warn"), (1, "fault")])
def test_the_end_is_warned_of_once_for_each_step(make_server, tmp_path, days, said):
    pair = make_certificate(tmp_path, HOST, days=days)
    one = make_server(config=lines_for(pair)).start()
    one.hup()
    one.await_event("certificate-proved")
    ends = one.events("certificate-ends")
    assert len(ends) == (1 if said else 0)
    if said:
        assert ends[0]["days"] in (str(days), str(days - 1)) and (ends[0]["level"], ends[0]["name"]) == (said, HOST)
    # Another one is warned of by itself.
    replace(pair, make_certificate(tmp_path, HOST, "next", days=5))
    one.hup()
    one.await_event("certificate-proved", 2)
    assert [e["days"] for e in one.events("certificate-ends")][-1] in ("4", "5")
    assert one.stop() == 0


# ---- what is wrong, in words ----

def broken_pairs(tmp_path, ca):
    one, two = ca.leaf(stem="one"), ca.leaf(stem="two")
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    both = tmp_path / "turned.pem"
    both.write_text(ca.cert.read_text() + one[0].read_text())
    return {
        "key of another": ((one[0], two[1]), "the key does not belong to the certificate"),
        "root before leaf": ((both, one[1]), "the leaf must come first"),
        "expired": (ca.leaf(stem="old", end="20250101000000Z"), "the certificate expired on 2025-01-01"),
        "too early": (ca.leaf(stem="early", start="20390101000000Z"), "the certificate is not valid before 2039-01-01"),
        "weak": (ca.leaf(stem="weak", kind=("rsa:1024",)), "the key is too weak: RSA of 1024 bits"),
        "no certificate": ((garbage, one[1]), "there is no certificate in it"),
        "no key": ((one[0], one[0]), "there is no private key in it"),
        "no file": ((one[0], tmp_path / "nowhere.pem"), "No such file"),
    }


def test_what_cannot_be_served_is_refused_by_name(make_server, tmp_path, ca):
    for what, (pair, words) in broken_pairs(tmp_path, ca).items():
        done = check(tmp_path, pair)
        assert done.returncode == 78, what
        assert words in done.stderr and any(str(file) in done.stderr for file in pair), (what, done.stderr)
        # And it is no start.
        started = make_server(config=lines_for(pair)).launch()
        assert started.process.wait(20) == 78, what
        assert words in started.log.read_text(), what


def doubtful_pairs(ca):
    middle = Authority(ca.folder, "Example Middle", by=ca)
    stale = Authority(ca.folder, "Example Stale", by=ca)
    ca.sign(stale.request_file, stale.cert, "v3ca", "20230101000000Z", "20250101000000Z")
    leaf, key = middle.leaf(stem="below")
    late, late_key = stale.leaf(stem="late")

    def file(name, *parts):
        out = ca.folder / name
        out.write_text("".join(p.read_text() for p in parts))
        return out

    opened = ca.leaf(stem="opened")
    opened[1].chmod(0o644)
    return {
        "complete": ((file("good.pem", leaf, middle.cert, ca.cert), key), None),
        "missing": ((leaf, key), r"below\.pem: CN=mail\.example\.org is the last in the file.*append CN=Example Middle"),
        "gap": ((file("gap.pem", leaf, ca.cert), key), r"gap\.pem: .*is followed by one that did not sign it; that would be CN=Example Middle"),
        "order": ((file("order.pem", leaf, ca.cert, middle.cert), key), r"order\.pem: .*stands elsewhere in the file.*CN=Example Middle after it"),
        "stale": ((file("stale.pem", late, stale.cert, ca.cert), late_key), r"CN=Example Stale, which the chain needs: .*expired on 2025-01-01"),
        "name": (ca.leaf("smtp.example.net", "foreign"), r"mail\.example\.org \(hostname\) is in no certificate; the names there are smtp\.example\.net"),
        "open": (opened, r"opened-key\.pem: everybody on this machine may read this key"),
    }


def test_what_clients_will_not_like_is_said_by_check_and_at_the_start(make_server, tmp_path, ca):
    for what, (pair, words) in doubtful_pairs(ca).items():
        done = check(tmp_path, pair)
        assert done.returncode == 0, (what, done.stderr)
        doubts = [line for line in done.stdout.splitlines() if line.startswith("doubt ")]
        if words is None:
            assert not doubts
        else:
            assert any(re.search(words, line) for line in doubts), (what, done.stdout)
    chosen = doubtful_pairs(ca)["order"]
    one = make_server(config=lines_for(chosen[0])).start()
    said = one.await_event("certificate-doubtful")
    assert re.search(chosen[1], f'{said["file"]}: {said["why"]}')
    assert one.stop() == 0


def test_one_that_is_never_served(tmp_path, ca):
    done = check(tmp_path, ca.leaf(stem="first"), ca.leaf(stem="second"))
    assert re.search(r"second\.pem: is never served", done.stdout), done.stdout
    assert "first.pem: is never" not in done.stdout


def test_our_own_is_not_doubted(server):
    assert not server.events("certificate-doubtful")
