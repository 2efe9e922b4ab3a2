"""What is to be trusted is read by `postern check` as it will be read later on; a reload with a file that is of no use changes nothing."""
import pytest

from postern_server import postern

HINTS = ". 3600000 NS A.ROOT-SERVERS.NET.\nA.ROOT-SERVERS.NET. 3600000 A 198.41.0.4\n"
DS = ". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16\n"


def check(folder, key, text):
    file, conf = folder / "trusted", folder / "postern.conf"
    file.write_text(text)
    conf.write_text(f'hostname = "mail.example.org"\nstate-dir = "{folder}/state"\nrelay = "mx"\n{key} = "{file}"\n')
    return postern("check", "--config", conf), f'{conf}:4: key "{key}": {file}: '


@pytest.mark.parametrize("key, text, words", [
    ("relay-ca-file", "", "no trusted CA could be read"),
    ("relay-ca-file", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no trusted CA could be read"),
    ("dns-trust-anchor", "garbage here\n", "libunbound cannot read it: "),
    ("dns-trust-anchor", "; the root\n" + DS.replace("38696", "many"), "libunbound cannot read it: "),
    ("dns-trust-anchor", HINTS, "no DS or DNSKEY record"),
    ("dns-trust-anchor", "", "no DS or DNSKEY record"),
])
def test_named(tmp_path, key, text, words):
    done, begin = check(tmp_path, key, text)
    assert done.returncode == 78, done.stdout
    assert begin in done.stderr and words in done.stderr, done.stderr


def test_right(tmp_path):
    done, _ = check(tmp_path, "dns-trust-anchor", "; of the root\n" + DS)
    assert done.returncode == 0, done.stderr


def test_reload(make_server, tmp_path):
    """The process that asks goes on with the anchor that it has."""
    anchor = tmp_path / "anchor"
    anchor.write_text(DS)
    one = make_server(config=f'relay = "mx"\ndns-server = "127.0.0.1@9"\ndns-trust-anchor = "{anchor}"\n').start()
    anchor.write_text("garbage here\n")
    one.hup()
    assert f"{anchor}: libunbound cannot read it" in one.await_event("reload-refused")["why"]
