"""A ${NAME} for which the environment has nothing is no empty value: a password lost its middle, and no error said so. An open quote of an
accounts file is told with the line on which it begins, as in a configuration."""
import os

import pytest
from postern_server import postern
from scripted_server import ScriptedServer, submit

FINE = ['"a ${POSTERN_TEST_HOME} b"', "'${POSTERN_TEST_UNSET}'", '"${POSTERN_TEST_UNSET:-here}"', r'"\${POSTERN_TEST_UNSET}"', '"$ {x} $5"']


def said(tmp_path, account):
    with ScriptedServer() as server:
        done = submit(tmp_path, server, "a@example.net", account=account, input=b"x\n")
        return done.returncode, done.stderr.decode(), len(server.messages)


@pytest.mark.parametrize("value", FINE)
def test_an_account_that_is_right(tmp_path, monkeypatch, value):
    monkeypatch.setenv("POSTERN_TEST_HOME", "x")
    assert said(tmp_path, f"password-command = {value}") == (0, "", 1)


@pytest.mark.parametrize("value", ['"pa${POSTERN_TEST_UNSET}ss"', "${POSTERN_TEST_UNSET}"])
def test_an_account(tmp_path, value):
    code, words, sent = said(tmp_path, f"# ${{OF_A_COMMENT}}\npassword = {value}")
    assert code == 78 and sent == 0, (code, words)
    assert "accounts:4: " in words and "${POSTERN_TEST_UNSET}" in words and "single quotes" in words and "pa$" not in words, words


def test_an_account_with_an_open_quote(tmp_path):
    code, words, sent = said(tmp_path, 'user = "alice\npassword = secret\n')
    assert code == 78 and sent == 0 and "accounts:3: the quote that begins here is never closed" in words, words


@pytest.mark.parametrize("value", FINE + ['"${POSTERN_TEST_UNSET}"'])
def test_a_configuration(tmp_path, value):
    conf = tmp_path / "c.conf"
    more = tmp_path / "more.conf"
    conf.write_text('hostname = "mx.example.org"\ninclude("more.conf")\n')
    more.write_text(f"# ${{OF_A_COMMENT}}\npostmaster = {value}\n")
    done = postern("check", "--config", conf, "--state", tmp_path, env=dict(os.environ, POSTERN_TEST_HOME="x"))
    wrong = value not in FINE
    assert (f"{more}:2: " in done.stderr and "environment has no ${POSTERN_TEST_UNSET}" in done.stderr) == wrong, done.stderr
