"""The log names the file of accounts that cannot be read."""
import smtplib


def test_the_file_is_named(make_server, tmp_path):
    users = tmp_path / "users"
    server = make_server(config=f'users-file = "{users}"\n').start()
    users.mkdir()       # at the start it would have been refused
    with smtplib.SMTP_SSL(server.host, server.submissions, context=server.context(), timeout=30) as smtp:
        smtp.ehlo("laptop.example.org")
        smtp.docmd("AUTH", "PLAIN AGFsaWNlAHdyb25n")
    fault = server.await_event("users", level="fault")
    assert fault.get("file") == str(users), fault
    assert "directory" in fault["error"] and "No such file" not in fault["error"], fault
    assert server.stop() == 0
