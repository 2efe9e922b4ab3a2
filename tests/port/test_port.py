"""`postern port` as an analyst calls it (6335-1, 6335-3, 8314-51, urd-5)."""
import json
import socket
import subprocess

from postern_server import POSTERN, ROOT, postern

CSV = ROOT / "data" / "iana" / "service-names-port-numbers.csv"


def ask(*arguments):
    done = postern("port", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["ports"]


def test_all_rows_of_465():
    port, = ask("465")
    assert [(r["service"], r["protocol"]) for r in port["rows"]] == [("urd", "tcp"), ("submissions", "tcp"), ("igmpv3lite", "udp")]
    assert port["rows"][1]["reference"] == "[RFC8314]" and port["rows"][1]["registered"] == "2017-12-12"
    assert port["range"] == "system"
    assert {a["name"] for a in port["aliases"]} == {"smtps", "ssmtp"}
    assert len({s["topic"] for s in port["profile"]}) == 13 and all(s["source"] and s["confidence"] for s in port["profile"])


def test_protocol_and_range():
    udp, several = ask("465/udp", "4000-4003/tcp")
    assert [r["service"] for r in udp["rows"]] == ["igmpv3lite"]
    assert {r["first"] for r in several["rows"]} == {4000, 4001, 4002, 4003}
    inside, = ask("230")
    assert [(r["first"], r["last"]) for r in inside["rows"]] == [(225, 241)]


def test_names():
    submissions, smtps, jmap, nothing = ask("SUBMISSIONS", "smtps", "jmap", "no-such-thing")
    assert [r["first"] for r in submissions["rows"]] == [465]
    assert {r["service"] for r in smtps["rows"]} == {"urd", "submissions", "igmpv3lite"} and "no IANA row" in smtps["aliases"][0]["words"]
    assert jmap["rows"][0]["first"] is None
    assert nothing["rows"] == []


def test_people_see_what_programs_see():
    text = postern("port", "465").stdout
    for words in ("submissions", "urd", "igmpv3lite", "RFC8314", "2017-12-12", "smtps", "well-established", "threat-reported"):
        assert words in text


def test_side_by_side():
    text = postern("port", "465", "587", "--compare").stdout
    assert "implicit TLS" in text and "STARTTLS" in text and max(map(len, text.splitlines())) <= 140
    assert postern("port", "465", "80", "--compare").returncode == 64
    assert postern("port", "465", "--compare").returncode == 64


def test_newer_registry(tmp_path):
    lines = CSV.read_text().splitlines(keepends=True)
    newer = tmp_path / "newer.csv"
    newer.write_text("".join(lines[:940]) + "broken,99999,tcp,,,,,,,,,\n" + "".join(lines[940:]) + "fresh,465,sctp,New thing,,,,,,,,\n")
    done = postern("port", "--json", "--registry", newer, "465")
    assert f"{newer}:941: left out, it has a port number that is none" in done.stderr
    assert [r["service"] for r in json.loads(done.stdout)["ports"][0]["rows"]] == ["urd", "submissions", "igmpv3lite", "fresh"]
    newer.write_text("port,name\n")
    done = postern("port", "--registry", newer, "465")
    assert done.returncode == 66 and "not IANA's port registry" in done.stderr
    assert postern("port", "--registry", tmp_path / "none", "465").returncode == 66


def test_a_registry_does_not_drive_the_terminal(tmp_path):
    """regress 0306: what ends in C1 controls, as U+009B or as the octet 0x9b, is shown as what does not show."""
    lines = CSV.read_bytes().splitlines(keepends=True)
    evil = tmp_path / "evil.csv"
    evil.write_bytes(b"".join(lines) + b"fresh,465,sctp,New \xc2\x9b2J thing \x9b2J \xc3\xa4,,,,,,,,\n")
    done = subprocess.run([POSTERN, "port", "--registry", evil, "465"], capture_output=True, timeout=20)
    assert "New ??2J thing ?2J \u00e4".encode() in done.stdout


def test_what_listens_here():
    with socket.socket() as waiting:
        waiting.bind(("127.0.0.1", 0))
        waiting.listen()
        number = waiting.getsockname()[1]
        port, = ask("--local", number)
        assert [(s["address"], s["protocol"]) for s in port["local"]] == [("127.0.0.1", "tcp")]
        assert "python" in port["local"][0]["process"]
    port, = ask("--local", number)
    assert port["local"] == []


def test_bad_arguments():
    for bad in ("70000", "465/ipx", "9-3", "1-70000", "", "4 65", "-x"):
        done = postern("port", bad)
        assert done.returncode == 64 and done.stderr.startswith("postern port:"), (bad, done)
    assert postern("port").returncode == 64
    assert postern("port", "--help").returncode == 0
