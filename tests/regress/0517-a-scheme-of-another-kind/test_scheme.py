"""A server's scheme that is none of ours is answered with what the client knows, not with the server's list of ways to hand mail on."""
import pytest

from postern_server import postern


@pytest.mark.parametrize("scheme", ["smtps", "imap", "SUBMISSIONSS"])
def test_what_would_be_right(scheme):
    done = postern("send", "--server", f"{scheme}://mail.example.org", "--from", "a@example.org", "b@example.net", input="Subject: x\n\nx\n")
    assert done.returncode == 78
    assert "right would be submissions://mail.example.org" in done.stderr and "maildir" not in done.stderr, done.stderr
