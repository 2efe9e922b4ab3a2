"""A refusal of what the client has made by itself names it, and the option that sets another. RFC 8314 3.3: 587 is STARTTLS."""
from postern_server import postern


def test_the_sender_is_named(server):
    arguments = ["send", "--server", f"submissions://localhost:{server.submissions}", "--user", server.login, "--ca", server.ca, "b@example.net"]
    env = {"POSTERN_PASSWORD": server.key, "PATH": "/usr/bin:/bin", "HOME": str(server.folder)}
    done = postern(*arguments, input="Subject: x\n\nx\n", env=env)
    assert done.returncode in (65, 77), done
    assert "answered to MAIL FROM" in done.stderr and "the sender was root@" in done.stderr.replace("nobody@", "root@"), done.stderr
    assert "--from" in done.stderr, done.stderr
    # A sender that was named needs no such words.
    named = postern(*arguments, "--from", "a@localhost", input="Subject: x\n\nx\n", env=env)
    assert "answered to MAIL FROM" in named.stderr and "the sender was" not in named.stderr, named.stderr


def test_tls_where_starttls_is_awaited(server):
    """The server of the test does not listen on 587; the words depend on what answers, not on the number."""
    done = postern("send", "--server", f"submissions://localhost:{server.submission}", "--user", "a", "--ca", server.ca, "--from", "a@example.org",
                   "b@example.net", input="Subject: x\n\nx\n", env={"POSTERN_PASSWORD": "x", "PATH": "/usr/bin:/bin", "HOME": str(server.folder)})
    assert done.returncode == 76
    assert f"submission://localhost:{server.submission}" in done.stderr, done.stderr
