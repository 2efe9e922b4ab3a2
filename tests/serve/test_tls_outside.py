"""What somebody with openssl(1) sees of the submissions port and of the log. 8314-13 8314-16 8314-21 8314-25 5068-3 5068-4 8314-4 5068-1."""
import re
import smtplib
import ssl
import subprocess

import pytest
from postern_server import eventually


def s_client(server, *options):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.submissions}", "-msg", *options],
        input="QUIT\r\n", capture_output=True, text=True, timeout=20, check=False)
    return done.stdout


def test_no_client_certificate_is_asked_for(server):
    """8314-21: neither in TLS 1.3 nor in 1.2."""
    for version in ("-tls1_3", "-tls1_2"):
        said = s_client(server, version)
        assert "Certificate" in said and "CertificateRequest" not in said


def test_any_name_is_answered(server):
    """8314-25: who found us without SRV asks for another name, or for none, and gets the certificate all the same."""
    for name in (["-servername", "mail.elsewhere.example"], ["-noservername"]):
        assert "-----BEGIN CERTIFICATE-----" in s_client(server, *name)


def test_ciphers_of_bcp_195(server):
    """8314-13 (RFC 9325 4.2): forward secrecy and AEAD, and nothing else."""
    for suite in ("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384"):
        assert re.search(r"Cipher is ECDHE-\w+-AES\d+-GCM", s_client(server, "-tls1_2", "-cipher", suite))
    for weak in ("AES128-SHA:AES256-SHA", "ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA", "eNULL:aNULL"):
        assert "Cipher is (NONE)" in s_client(server, "-tls1_2", "-cipher", weak + ":@SECLEVEL=0")


def test_the_hybrid_key_exchange(server):
    """docs/decisions/0044: with who sends a share for it, and X25519 with who does not: a curve is worth no second round trip."""
    if "X25519MLKEM768" not in subprocess.run(["openssl", "list", "-tls-groups"], capture_output=True, text=True, check=False).stdout:
        pytest.skip("this OpenSSL is older than 3.5")
    for offered, group in (([], "X25519MLKEM768"), (["-groups", "X25519:X25519MLKEM768"], "X25519"), (["-groups", "X25519"], "X25519")):
        assert re.search(r"(?:TLS1.3 group|Temp Key): (\w+)", s_client(server, *offered))[1] == group, offered


def test_who_sent_it_can_be_found(make_server):
    """5068-3, 5068-4, 8314-16: only an account gets in, and login, peer, cipher and queue id stand together in the log."""
    server = make_server(config="").start()
    server.add_key()
    context = ssl.create_default_context(cafile=str(server.ca))
    context.check_hostname = False
    with smtplib.SMTP_SSL("127.0.0.1", server.submissions, context=context, timeout=20) as smtp:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login("nobody", "nothing")
        smtp.login(server.login, server.key)
        smtp.mail("a@mail.example.org")
        smtp.rcpt("b@example.net")
        code, words = smtp.data(b"From: <a@mail.example.org>\r\n\r\nhello\r\n")
        assert code == 250
    eventually(lambda: server.events("accepted"), "the message in the log")
    accepted, proved = server.events("accepted")[0], server.events("authenticated")[0]
    assert accepted["id"] == words.split()[-1].decode() and accepted["login"].split("/")[0] == server.login
    assert proved["login"] == accepted["login"] and proved["peer"] == "127.0.0.1" and proved["cipher"].startswith("TLS_")


def test_both_doors_are_open(make_server):
    """8314-4, 5068-1: implicit TLS, and STARTTLS beside it."""
    server = make_server(config="").start()
    with smtplib.SMTP("127.0.0.1", server.submission, timeout=20) as smtp:
        smtp.ehlo()
        assert smtp.has_extn("starttls") and not smtp.has_extn("auth")
