"""country-database: from which country a login comes is a fact of the stolen-password guard. docs/decisions/0015-country-database.md"""
import re

import pytest
from mmdb import database
from postern_server import postern
from test_stolen import HOME, THIEF, connect, send, unlock

GOOD = database({HOME + "/32": "AT", "127.9.0.0/16": "DE", "2001:db8::/32": "CH"})


@pytest.fixture
def make_one(make_server, tmp_path):
    def make(content):
        file = tmp_path / "countries" / "a.mmdb"
        file.parent.mkdir()
        if content is not None:
            file.write_bytes(content)
        server = make_server(config=f'fronts = 1\ncountry-database = "{file}"\n')
        server.add_key("alice", "alice@example.org", "laptop")
        return server.start(), file
    return make


def test_the_reason_names_the_country(make_one):
    one, file = make_one(GOOD)
    assert one.await_event("country-database", file=file)
    assert not (one.state / "auth" / "country.copy").exists()
    unlock(one, "--network", HOME)
    assert send(connect(one, HOME), 3) == 250
    thief = connect(one, THIEF)
    for _ in range(10):
        send(thief, 20)
    thief.close()
    event = one.await_event("held", login="alice/laptop")
    assert "from a new country (DE; usual is AT)" in event["reason"]
    assert event["reason"] in postern("user", "locks", *one.options).stdout
    assert one.stop() == 0


@pytest.mark.parametrize("content, words", [(None, "No such file"), (b"no database", "is damaged"), (GOOD[:-20], "is damaged")],
                         ids=["missing", "none", "cut"])
def test_without_one_the_guard_goes_on(make_one, content, words):
    one, file = make_one(content)
    event = one.await_event("country-database-refused", file=file)
    assert words in event["reason"] and event["in-force"].startswith("none")
    assert send(connect(one, THIEF), 1) == 250
    # It is mended, then destroyed in place, as `cp` does it.
    file.write_bytes(GOOD)
    one.hup()
    one.await_event("country-database", file=file)
    file.write_bytes(b"")
    one.hup()
    one.await_event("country-database-refused", **{"in_force": "the one before"})
    unlock(one, "--network", HOME)
    assert send(connect(one, HOME), 3) == 250
    for _ in range(6):
        send(connect(one, THIEF), 20)
    assert "DE; usual is AT" in one.await_event("held")["reason"]
    assert one.stop() == 0


def test_unchanged_it_is_not_read_again(make_one):
    one, _ = make_one(GOOD)
    one.await_event("country-database")
    one.hup()
    one.await_event("users", count=2)
    assert send(connect(one, HOME), 1) == 250
    assert len(one.events("country-database")) == 1
    # Where the cage has no window a reload makes none.
    one.write_config('fronts = 1\ncountry-database = "/usr/share/GeoIP/GeoLite2-Country.mmdb"\n')
    one.hup()
    one.await_event("reload-kept", key="country-database")
    assert one.stop() == 0


@pytest.mark.parametrize("content, words", [(None, "No such file"), (b"no database", "is damaged"), (GOOD, None),
                                            (GOOD.replace(b"iso_code", b"iso_kode"), r"has no country\.iso_code")])
def test_check_names_file_line_and_key(tmp_path, content, words):
    file, config = tmp_path / "a.mmdb", tmp_path / "postern.conf"
    if content is not None:
        file.write_bytes(content)
    config.write_text(f'hostname = "mail.example.org"\nstate-dir = "{tmp_path}/state"\ncountry-database = "{file}"\n')
    done = postern("check", "--config", config)
    assert done.returncode == (78 if words else 0), done.stderr
    if words:
        assert re.search(rf'postern\.conf:3: key "country-database": {file}: .*{words}', done.stderr), done.stderr


def test_an_absolute_path_is_needed(tmp_path):
    done = postern("check", "--state", tmp_path, "--set", "country-database=a.mmdb")
    assert done.returncode == 78 and "does not begin with /" in done.stderr
