"""The log names the file of accounts that cannot be read."""


def test_the_file_is_named(make_server, tmp_path):
    users = tmp_path / "users"
    users.mkdir()
    server = make_server(config=f'users-file = "{users}"\n').start()
    fault = server.await_event("users", level="fault")
    server.stop()
    assert fault.get("file") == str(users), fault
    assert "directory" in fault["error"] and "No such file" not in fault["error"], fault
