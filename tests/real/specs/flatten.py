"""Matrix's specification as one JSON document: YAML files read, what they refer to put in its place.

Prints {"docs": [{"base": …, "doc": …}], "events": {name: schema of the content}}.
"""

import json
import os
import sys

import yaml

files = {}


def load(path):
    path = os.path.normpath(path)
    if path not in files:
        if not os.path.exists(path):
            return {}  # it belongs to another API of Matrix
        with open(path, encoding="utf-8") as file:
            files[path] = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return files[path]


def flat(value, path, within):
    """The value without a `$ref` in it. One that leads to itself stands for anything."""
    if isinstance(value, list):
        return [flat(item, path, within) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("$ref"), str):
        file, _, pointer = value["$ref"].partition("#")
        target = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
        if (target, pointer) in within:
            return {}
        found = load(target)
        for key in filter(None, pointer.split("/")):
            found = found.get(key.replace("~1", "/").replace("~0", "~"), {})
        return flat(found, target, within | {(target, pointer)})
    return {key: flat(item, path, within) for key, item in value.items() if key not in ("example", "examples", "description")
            or not isinstance(item, (str, list))}


root = sys.argv[1]
docs = []
folder = os.path.join(root, "client-server")
for name in sorted(os.listdir(folder)):
    if not name.endswith(".yaml"):
        continue
    path = os.path.join(folder, name)
    doc = load(path)
    if not isinstance(doc, dict) or "paths" not in doc:
        continue
    base = doc["servers"][0].get("variables", {}).get("basePath", {}).get("default", "") if doc.get("servers") else ""
    docs.append({"base": base, "doc": {"paths": flat(doc["paths"], path, frozenset())}})

events = {}
folder = os.path.join(root, "event-schemas", "schema")
for name in sorted(os.listdir(folder)):
    if name.startswith("m.") and name.endswith(".yaml"):
        path = os.path.join(folder, name)
        event = flat(load(path), path, frozenset())
        events[name[: -len(".yaml")]] = event.get("properties", {}).get("content", {})

json.dump({"docs": docs, "events": events}, sys.stdout, default=str)
