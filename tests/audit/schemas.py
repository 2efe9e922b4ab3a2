"""The schemas of docs/schema, for what the program prints."""
import functools
import json
import pathlib

import jsonschema

FOLDER = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "schema"


@functools.lru_cache
def schema(name):
    return json.loads((FOLDER / f"{name}-1.schema.json").read_text())


@functools.lru_cache
def validator(name):
    store = {schema(other)["$id"]: schema(other) for other in ("audit", "transcript", "port")}
    return jsonschema.Draft202012Validator(schema(name), resolver=jsonschema.RefResolver(schema(name)["$id"], schema(name), store))


def validate(name, document):
    """Raises where the document is not what the schema of this name says."""
    validator(name).validate(document)


def read_transcript(text):
    """A transcript as docs/schema/transcript-1.schema.json has it."""
    lines = [line.partition(" ")[::2] for line in text.splitlines()]
    key, version = lines[0]
    assert key == "postern-audit"
    found = {"version": int(version), "facts": {}, "endpoints": []}
    facts = found["facts"]
    for key, value in lines[1:]:
        if key in ("target", "at") and not found["endpoints"]:
            found[key] = value
        elif key == "endpoint":
            address, port, service = value.split(" ")
            found["endpoints"].append({"address": address, "port": int(port), "service": service, "facts": {}})
            facts = found["endpoints"][-1]["facts"]
        else:
            facts.setdefault(key, []).append(value)
    return found
