"""Whatever login `postern user key` names, `postern send` can prove itself with (postern-user(1))."""
import os
import re

from postern_server import postern


def test_each_login_that_is_named(make_server):
    server = make_server(config="").start()
    server.add_key("alice", device="phone")
    made = postern("user", "key", *server.options, "alice", "laptop")
    told = set(re.findall(r"alice(?:/\w+)?", made.stderr.split("log in as", 1)[1]))
    assert "alice/laptop" in told
    for login in told:
        sent = postern("send", "--server", f"submissions://localhost:{server.submissions}", "--ca", server.ca, "--user", login,
                       "--from", "alice@mail.example.org", "--to", "bob@example.net", input="hello\n",
                       env=dict(os.environ, POSTERN_PASSWORD=made.stdout.strip()))
        assert sent.returncode == 0, f"as {login}: {sent.stderr}"
