"""A trust anchor whose root keys all sign no more is named by `postern check`, in the log, and by the audit."""
import pytest

from postern_server import postern

OLD = ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"
NEW = ". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16\n"
OWN = ". IN DS 12345 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16\n"
WORDS = "only such as sign no more"


@pytest.mark.parametrize("text, good", [(OLD, False), (NEW, True), (OLD + NEW, True), (OWN, True), (OLD + OWN.replace(". IN", "example. IN"), False)])
def test_check(tmp_path, text, good):
    file, conf = tmp_path / "anchor", tmp_path / "postern.conf"
    file.write_text(text)
    conf.write_text(f'hostname = "mail.example.org"\nstate-dir = "{tmp_path}/state"\nrelay = "mx"\ndns-trust-anchor = "{file}"\n')
    done = postern("check", "--config", conf)
    assert done.returncode == (0 if good else 78), done.stderr
    assert good or f'{conf}:4: key "dns-trust-anchor": {file}: ' in done.stderr and WORDS in done.stderr, done.stderr


def test_log(make_server, tmp_path):
    """A server does start: its mail waits, and nothing is lost."""
    file = tmp_path / "anchor"
    file.write_text(OLD)
    one = make_server(config=f'relay = "mx"\ndns-server = "127.0.0.1@9"\ndns-trust-anchor = "{file}"\n').start()
    said = one.await_event("trust-anchor-old")
    assert said["level"] == "fault" and said["file"] == str(file) and WORDS in said["why"], said
    assert one.stop() == 0


def test_audit(tmp_path):
    file = tmp_path / "anchor"
    file.write_text(OLD)
    done = postern("audit", "--resolver", "127.0.0.1@9", "--trust-anchor", file, "--timeout", "1", "@example.org")
    assert done.returncode == 64 and WORDS in done.stderr, done.stderr
