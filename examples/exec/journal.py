#!/usr/bin/env python3
"""Publishes to a file: a program for an account of the network `exec`.

    [accounts.journal]
    network = "exec"
    command = ["python3", "/path/to/journal.py", "/path/to/journal.jsonl"]
    repeat = "chosen-id"

Each post is a line of JSON. An id that comes for the second time is not written again, so `repeat = "chosen-id"` is true.
The protocol: `smm networks exec`.
"""

import fcntl
import json
import os
import sys

REFUSED = 65
NOT_NOW = 75


def lines(file):
    file.seek(0)
    return [json.loads(line) for line in file if line.strip()]


def entry(found):
    return {"id": found["id"], "url": None}


def answer(question, file):
    action = question["action"]
    if action == "whoami":
        return {"uid": os.path.realpath(file.name), "name": os.path.basename(file.name)}
    posts = lines(file)
    found = next((post for post in posts if post["id"] == question["id"]), None)
    if action == "publish":
        if found is None:
            rendering = question["rendering"]
            found = {
                "id": question["id"],
                "text": rendering["text"],
                "after": (rendering.get("after") or {}).get("id"),
                "media": [{"name": one["name"], "alt": one["alt"]} for one in rendering["media"]],
            }
            # Written whole and synced before it is said to be done.
            file.seek(0, os.SEEK_END)
            file.write(json.dumps(found, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return entry(found)
    if action == "look-up":
        return {"found": found and entry(found)}
    if action == "delete":
        left = [post for post in posts if post["id"] != question["id"]]
        file.seek(0)
        file.truncate()
        file.writelines(json.dumps(post, ensure_ascii=False) + "\n" for post in left)
        return {}
    print(json.dumps({"error": f"`{action}` is not known here"}))
    sys.exit(REFUSED)


def main():
    question = json.load(sys.stdin)
    if question["smm"] != 1:
        sys.exit(REFUSED)
    try:
        file = open(sys.argv[1], "a+", encoding="utf-8")
    except OSError as error:
        # Nothing was written: it may be tried again.
        print(error, file=sys.stderr)
        sys.exit(NOT_NOW)
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        print(json.dumps(answer(question, file)))


main()
