"""The client's errors name the option that helps; statuses are those of postern-send(1)."""
import pytest

from postern_server import postern

MESSAGE = "Subject: x\n\nx\n"


def send(server, *more, home, **also):
    return postern("send", "--server", f"submissions://localhost:{server.submissions}", "--user", server.login, "--from", "a@example.org", *more,
                   "b@example.net", input=MESSAGE, env={"POSTERN_PASSWORD": server.key, "PATH": "/usr/bin:/bin", "HOME": str(home)}, **also)


@pytest.mark.parametrize("words", [("sendmail", "--help"), ("help", "sendmail")])
def test_sendmail_has_help(words):
    done = postern(*words)
    assert done.returncode == 0 and done.stdout.startswith("usage: sendmail ") and done.stderr == "", done


def test_a_private_ca(server, tmp_path):
    done = send(server, home=tmp_path)
    assert done.returncode == 76 and "not trusted here" in done.stderr and "--ca FILE" in done.stderr, done
    # Who has given one knows of it.
    other = tmp_path / "other.pem"
    other.write_bytes((server.state / "tls" / "chain.pem").read_bytes())
    assert "--ca FILE" not in send(server, "--ca", other, home=tmp_path).stderr


def test_a_ca_file_without_one(server, tmp_path):
    empty = tmp_path / "ca.pem"
    empty.write_text("nothing\n")
    done = send(server, "--ca", empty, home=tmp_path)
    assert done.returncode == 78 and str(empty) in done.stderr, done


def test_keys_of_an_account(tmp_path):
    accounts = tmp_path / "accounts"
    accounts.write_text('account "default" {\n\tserver = "submissions://localhost"\n\tport = 465\n}\n')
    accounts.chmod(0o600)
    done = postern("send", "--accounts", accounts, "b@example.net", input=MESSAGE)
    assert done.returncode == 78 and f"{accounts}:3: " in done.stderr, done.stderr
    assert "server, user, password-command, password, from and ca" in done.stderr, done.stderr
