"""WHY tells of it."""
from postern_server import postern


def test_a_secret_that_cannot_be_used(make_server, tmp_path):
    secret = tmp_path / "secret"
    one = make_server(config=f'webhook = "http://127.0.0.1:9/"\nwebhook-secret = "{secret}"\n')
    done = postern("check", *one.options)
    assert (done.returncode, f'key "webhook-secret": {secret}: No such file' in done.stderr) == (78, True), done.stderr
    secret.write_text("a secret of some length")
    secret.chmod(0o644)
    done = postern("check", *one.options)
    assert (done.returncode, "may be read by others; right would be chmod 600" in done.stderr) == (78, True), done.stderr
    secret.chmod(0o600)
    assert postern("check", *one.options).returncode == 0
