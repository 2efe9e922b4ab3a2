"""What a next hop says is shown to operators: it must not drive their terminals, by no octet. regress 0281"""
from postern_server import eventually, postern
from test_history import plain_hop, submit, where

# CSI as UTF-8 and as one octet, escape, delete, and a word that is fine.
EVIL = b"451 4.7.1 gr\xc3\xbcn \xc2\x9b31mred \x9b2J \x1b]0;x\x07 \x7f"


def harmless(octets):
    text = octets.decode("utf-8", errors="surrogateescape")
    bad = [c for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 or 0xd800 <= ord(c) < 0xe000]
    assert not bad, (bad, text)
    return "grün" in text


def test_no_octet_drives_a_terminal(make_server):
    hop = plain_hop(b=EVIL.decode(errors="surrogateescape"))
    one = make_server(config=f'relay = "smtp://127.0.0.1:{hop.port}"\n').start()
    one.add_key()
    ident = submit(one, "b@example.net")
    eventually(lambda: where(one, ident)["messages"][0]["to"][0]["attempts"], "an attempt")
    for words in (["list"], ["list", "--json"], ["show", ident], ["where", ident], ["where", ident, "--json"], ["show", ident, "--json"]):
        done = postern("queue", *words, *one.options, text=False)
        assert done.returncode == 0 and (harmless(done.stdout) or "--json" in words), (words, done.stdout)
    assert harmless(one.log.read_bytes())
    assert one.stop() == 0
