"""--slow: how long a server waits for silent and slow clients (5321-74, RFC 5321 4.5.3.2.7)."""
import json

from postern_server import postern
from zoo import Animal, Habits


def waits(text):
    """{way: (how, seconds, words)} of a transcript."""
    lines = [line.split(" ", 4) for line in text.splitlines() if line.startswith("slow ")]
    return {way: (how, int(rest[0]) / 1000, rest[1] if len(rest) > 1 else "") for _, way, how, *rest in lines}


def examine(papers, animals, tmp_path, *options):
    kept = tmp_path / "kept"
    targets = [f"127.0.0.1:{a.target.split(':')[1]}" for a in animals]
    done = postern("audit", "--json", "--timeout", "1", "--slow-max", "2", "--ca-file", papers.ca, "--save", kept, *options, *targets, timeout=60)
    texts = kept.read_text().split("postern-audit 1\n")[1:]
    reports = [{f["id"]: f["evidence"] for f in t["endpoints"][0]["findings"]} for t in json.loads(done.stdout)["targets"]]
    return done.stderr, list(zip(reports, [waits(t) for t in texts]))


def test_how_long_they_wait(papers, tmp_path):
    chain, key = papers.issue("slow")
    password = tmp_path / "password"
    password.write_text("secret\n")
    common = {"chain": chain, "key": key, "secrets": ("a@example.com",)}
    with Animal(Habits(patience=(0.7, 1.2), farewell="421 4.4.2 too slow", **common)) as hasty, \
            Animal(Habits(implicit=False, patience=(0.7, 15), **common)) as negotiated, Animal(Habits(**common)) as patient:
        said, ((first, hurry), (_, clear), (last, calm)) = examine(papers, (hasty, negotiated, patient), tmp_path, "--login", "a@example.com",
                                                                  "--password-file", password)
    assert "open and silent, for 2 s at most" in said
    for way in ("connect", "first-octet", "ehlo", "half-command", "drip"):
        how, seconds, words = hurry[way]
        assert how == "closed" and 0.6 <= seconds < 1.3, (way, hurry)
        assert words == ("" if way in ("connect", "first-octet") else "421 4.4.2 too slow"), (way, hurry)
    assert hurry["login"][0] == "closed" and 1.1 <= hurry["login"][1] < 1.8
    assert "ehlo: closed after 0." in first["timeout-hasty"] and "login: closed after 1." in first["timeout-login"]
    assert clear["connect"][0] == "closed" and clear["login"] == ("held", 2.0, "")
    assert {how for how, *_ in calm.values()} == {"held"} and len(calm) == 6
    assert "ehlo: held for 2.0 s" in last["timeout-unknown"] and "timeout-none" not in last and "timeouts-good" not in last


def test_without_it_nobody_waits(papers, tmp_path):
    chain, key = papers.issue("slow")
    with Animal(Habits(chain=chain, key=key)) as animal:
        done = postern("audit", "--ca-file", papers.ca, "--save", tmp_path / "kept", animal.target)
    assert "\nslow " not in (tmp_path / "kept").read_text() and done.stderr == ""
