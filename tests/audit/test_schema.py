"""What programs get: --json of audit and port, transcripts and SARIF are what docs/schema and the standard say."""
import copy
import json
import re

import jsonschema
import pytest

from postern_server import ROOT, postern
from schemas import read_transcript, schema, validate
from zoo import Animal, Habits

# What every consumer of SARIF 2.1.0 counts on (OASIS, 3.13 to 3.33, 3.49).
SARIF = {
    "type": "object", "required": ["version", "runs", "$schema"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "items": {
            "type": "object", "required": ["tool", "results"],
            "properties": {
                "tool": {"type": "object", "required": ["driver"], "properties": {"driver": {
                    "type": "object", "required": ["name", "version", "rules"],
                    "properties": {"rules": {"type": "array", "uniqueItems": True, "items": {
                        "type": "object", "required": ["id", "shortDescription", "defaultConfiguration"],
                        "properties": {"shortDescription": {"$ref": "#/$defs/message"}, "fullDescription": {"$ref": "#/$defs/message"},
                                       "help": {"$ref": "#/$defs/message"},
                                       "defaultConfiguration": {"properties": {"level": {"$ref": "#/$defs/level"}}}}}}}}}},
                "results": {"type": "array", "items": {
                    "type": "object", "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
                    "properties": {"level": {"$ref": "#/$defs/level"}, "message": {"$ref": "#/$defs/message"},
                                   "locations": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/location"}}}}}}}}},
    "$defs": {
        "level": {"enum": ["none", "note", "warning", "error"]},
        "message": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}},
        "location": {"type": "object", "required": ["physicalLocation"], "properties": {
            "physicalLocation": {"type": "object", "required": ["artifactLocation"], "properties": {"artifactLocation": {
                "type": "object", "required": ["uri"], "properties": {"uri": {
                    "type": "string", "pattern": r"^(dns:[A-Za-z0-9._%-]+|smtp://([A-Za-z0-9._%-]+|\[[0-9a-f:]+\]):[0-9]+)$"}}}}},
            "logicalLocations": {"type": "array", "items": {"type": "object", "required": ["name"], "properties": {
                "name": {"type": "string", "minLength": 1}}}}}}}}


@pytest.fixture(scope="module")
def seen(papers, tmp_path_factory):
    """A transcript with as many kinds of facts as one server can give."""
    folder = tmp_path_factory.mktemp("seen")
    password = folder / "password"
    password.write_text("secret\n")
    chain, key = papers.issue("schema", extra=("tlsfeature=status_request",))
    habits = Habits(chain=chain, key=key, implicit=False, secrets=("someone",))
    with Animal(habits) as animal:
        done = postern("audit", "--json", "--timeout", "1", "--ca-file", papers.ca, "--save", folder / "kept", "--active", "--login", "someone",
                       "--password-file", password, animal.target, timeout=60)
    return folder / "kept", json.loads(done.stdout)


@pytest.mark.parametrize("name", ["audit", "transcript", "port"])
def test_the_schemas_are_schemas(name):
    jsonschema.Draft202012Validator.check_schema(schema(name))
    assert schema(name)["$id"] == f"{name}-1.schema.json"


def test_every_key_of_a_transcript_is_described():
    header = (ROOT / "src" / "audit" / "transcript.h").read_text().split("The keys:")[1].split("Owner")[0]
    keys = set()
    for line in re.findall(r"^ \*\t([a-z][a-z0-9-]*(?:, [a-z][a-z0-9-]*)*)(?= |$)", header, re.M):
        keys |= set(line.split(", "))
    described = schema("transcript")["$defs"]["facts"]["properties"]
    assert len(keys) > 50 and keys <= set(described), keys - set(described)


def test_a_report(seen):
    _, report = seen
    validate("audit", report)
    assert (report["schema"], report["version"]) == ("audit-1.schema.json", 1)
    endpoint, = [e for e in report["targets"][0]["endpoints"] if e["address"] == "127.0.0.1"]
    assert {(s["version"], s["grade"]) for s in endpoint["suites"]} == {("TLSv1.2", "A"), ("TLSv1.3", "A")}
    assert [f"{s['version']} {s['name']}" for s in endpoint["suites"]] == endpoint["facts"]["tls-cipher"]


def test_suites_for_people(seen):
    text, page = (postern("audit", option, "--judge", seen[0]).stdout for option in ("--details", "--html"))
    assert "    A TLSv1.3 TLS_AES_128_GCM_SHA256\n" in text and "suites by version" in page and "TLSv1.3 A TLS_AES_128_GCM_SHA256\n" in page
    assert "A TLSv1.3" not in postern("audit", "--judge", seen[0]).stdout


@pytest.mark.parametrize("damage", [
    lambda r: r.pop("version"), lambda r: r.update(version=2), lambda r: r["targets"][0].pop("examined"),
    lambda r: r["targets"][0]["endpoints"][0].update(grade="C"), lambda r: r["targets"][0]["endpoints"][0]["facts"].update(connect=["perhaps"]),
    lambda r: r["targets"][0]["endpoints"][0]["findings"][0].update(severity="awful"),
    lambda r: r["targets"][0]["endpoints"][0]["findings"][0]["mend"].pop("exim")])
def test_what_is_no_report(seen, damage):
    report = copy.deepcopy(seen[1])
    damage(report)
    with pytest.raises(jsonschema.ValidationError):
        validate("audit", report)


def test_a_transcript(seen):
    kept, report = seen
    transcript = read_transcript(kept.read_text())
    validate("transcript", transcript)
    assert [e["facts"] for e in transcript["endpoints"]] == [e["facts"] for e in report["targets"][0]["endpoints"]]
    assert {"smuggling", "login", "sender-foreign", "stripped", "sni", "tls-group", "tls-fallback"} <= {k for e in transcript["endpoints"] for k in e["facts"]}
    transcript["version"] = 2
    with pytest.raises(jsonschema.ValidationError):
        validate("transcript", transcript)


def test_ports():
    done = postern("port", "--json", "--local", "465", "465/udp", "460-470", "50000", "submissions", "smtps", "jmap", "no-such-thing")
    answer = json.loads(done.stdout)
    validate("port", answer)
    assert (answer["schema"], answer["version"]) == ("port-1.schema.json", 1) and len(answer["ports"]) == 8
    answer["ports"][0]["profile"][0]["confidence"] = "rumour"
    with pytest.raises(jsonschema.ValidationError):
        validate("port", answer)


def sarif_of(kept):
    log = json.loads(postern("audit", "--sarif", "--judge", kept).stdout)
    jsonschema.Draft202012Validator(SARIF).validate(log)
    run, = log["runs"]
    rules = [r["id"] for r in run["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules)) > 80
    assert all(rules[r["ruleIndex"]] == r["ruleId"] for r in run["results"])
    return run["results"]


def test_sarif(seen, tmp_path):
    assert {"sender-unchecked", "cert-no-staple"} <= {r["ruleId"] for r in sarif_of(seen[0])}
    kept = tmp_path / "kept"
    kept.write_text("postern-audit 1\ntarget 2001:db8::1\nat 2026-11-22T00:00:00Z\nendpoint 2001:db8::1 465 submissions\nconnect refused\n"
                    "postern-audit 1\ntarget a host\"<\nat 2026-11-22T00:00:00Z\nunknown-host it has no address\n")
    places = [r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in sarif_of(kept)]
    assert places == ["smtp://[2001:db8::1]:465", "dns:a%20host%22%3c"]
