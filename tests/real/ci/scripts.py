"""Prints the scripts of workflow files and actions, each into a file of its own: scripts.py FOLDER FILE…"""

import os
import sys

import yaml

folder, *files = sys.argv[1:]
count = 0
for name in files:
    with open(name, encoding="utf-8") as file:
        parsed = yaml.safe_load(file)
    jobs = parsed.get("jobs", {"": parsed.get("runs", {})})
    for job in jobs.values():
        for step in job.get("steps", []):
            if "run" in step:
                count += 1
                path = os.path.join(folder, f"{count:03}.sh")
                with open(path, "w", encoding="utf-8") as file:
                    file.write("#!/bin/bash\nset -eo pipefail\n" + step["run"])
                print(path)
