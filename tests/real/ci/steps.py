"""Runs a job of a workflow here, step by step, as far as the workflows of this repository need it.

Usage: steps.py CONTEXT, where CONTEXT is a JSON file:

  workflow  the file           job     the job's name in it
  root      what `actions/checkout` clones: a repository's address, at the revision `sha`
  action    the folder of the action that `uses: …smm@…` and `uses: ./` mean
  github, secrets, needs, runner   what expressions look up
  env       the environment that every step has

A job of GitLab has a `script` in the place of steps; it is run in a clone as deep as `GIT_DEPTH` says.

Prints JSON: {"ran": whether the job's condition held, "steps": [{name, status, log, outputs}], "orders": the lines of all
logs that a runner would take for commands, "outputs": of the job, "summary": the job's page, "workspace": its folder}.
Whatever it does not know is an error.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

import yaml

EXPRESSION = re.compile(r"\$\{\{\s*([^}]*?)\s*\}\}")


def look_up(path, context):
    value = context
    for name in path.split("."):
        value = value.get(name, "") if isinstance(value, dict) else ""
    return value


def text(value):
    return {True: "true", False: "false", None: ""}.get(value, value) if isinstance(value, (bool, type(None))) else str(value)


def filled(template, context):
    def one(found):
        if not re.fullmatch(r"[A-Za-z_][\w.-]*", found.group(1)):
            raise SystemExit(f"an expression that is not known here: {found.group(0)}")
        return text(look_up(found.group(1), context))

    return EXPRESSION.sub(one, text(template))


def holds(condition, context):
    def side(term):
        term = term.strip()
        return term[1:-1] if term.startswith("'") else text(look_up(term, context))

    return all(side(left) == side(right) for left, right in (part.split("==") for part in condition.split("&&")))


def orders(log):
    """As GitHub's runner finds them: white space before `::` is skipped, `##[` counts anywhere in a line."""
    lines = (line.lstrip() for line in re.split(r"[\r\n]", log))
    return [line for line in lines if line.startswith("::") or "##[" in line]


class Job:
    def __init__(self, context):
        self.context = context
        self.temp = tempfile.mkdtemp(dir=context["runner"]["temp"])
        self.workspace = os.path.join(self.temp, "workspace")
        os.mkdir(self.workspace)
        self.summary = os.path.join(self.temp, "summary")
        self.steps = []
        self.log = ""
        self.failed = False

    def run(self, steps, inputs=None, env=None):
        """The steps of a job, or of an action with its inputs. Gives their outputs."""
        context = {**self.context, "inputs": inputs or {}, "steps": {}}
        for step in steps:
            if self.failed:
                break
            if "if" in step and not holds(step["if"], context):
                continue
            outputs = self.step(step, context, env or {})
            context["steps"][step.get("id", "")] = {"outputs": outputs}
        return context

    def step(self, step, context, env):
        own = {name: filled(value, context) for name, value in step.get("env", {}).items()}
        env = {**env, **own}
        given = {name: filled(value, context) for name, value in step.get("with", {}).items()}
        uses = step.get("uses", "")
        if uses.startswith("actions/checkout@"):
            self.checkout(given)
            return {}
        if uses == "./" or re.fullmatch(r"[\w-]+/smm@[0-9a-f]{40}", uses):
            return self.action(given, env)
        if uses:
            raise SystemExit(f"an action that is not known here: {uses}")
        return self.script(step, env)

    def checkout(self, given):
        depth = given.get("fetch-depth", "1")
        for args in (
            ["init", "--quiet"],
            ["remote", "add", "origin", self.context["root"]],
            ["fetch", "--quiet", f"--depth={depth}", "origin", self.context["sha"]],
            ["checkout", "--quiet", "FETCH_HEAD"],
        ):
            subprocess.run(["git", *args], cwd=self.workspace, check=True, env=self.context["env"])

    def action(self, given, env):
        with open(os.path.join(self.context["action"], "action.yml"), encoding="utf-8") as file:
            action = yaml.safe_load(file)
        unknown = set(given) - set(action["inputs"])
        if unknown:
            raise SystemExit(f"inputs that the action does not have: {unknown}")
        defaults = {name: facts.get("default", "") for name, facts in action["inputs"].items()}
        inputs = {**defaults, **self.context.get("inputs", {}), **given}
        context = self.run(action["runs"]["steps"], inputs, env)
        return {name: filled(facts["value"], context) for name, facts in action.get("outputs", {}).items()}

    def script(self, step, env):
        if EXPRESSION.search(step["run"]):
            raise SystemExit("an expression in a script")
        output = tempfile.mkstemp(dir=self.temp)[1]
        service = {
            "GITHUB_ACTIONS": "true",
            "CI": "true",
            "GITHUB_WORKSPACE": self.workspace,
            "GITHUB_OUTPUT": output,
            "GITHUB_STEP_SUMMARY": self.summary,
        }
        return self.shell(step, {**self.context["env"], **service, **env}, output)

    def gitlab(self, job, jobs):
        base = jobs.get(job.get("extends"), {})
        variables = {**base.get("variables", {}), **job.get("variables", {})}
        self.checkout({"fetch-depth": variables["GIT_DEPTH"]})
        env = {**self.context["env"], "GITLAB_CI": "true", "CI": "true", "CI_PROJECT_DIR": self.workspace}
        for name, value in variables.items():
            env[name] = value.replace("$CI_PROJECT_DIR", self.workspace)
        lines = base.get("before_script", []) + job["script"]
        self.shell({"name": "script", "run": "\n".join(lines)}, env, os.devnull)

    def shell(self, step, env, output):
        script = os.path.join(self.temp, "script.sh")
        with open(script, "w", encoding="utf-8") as file:
            file.write(step["run"])
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
            cwd=self.workspace,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        log = done.stdout.decode()
        self.log += log
        with open(output, encoding="utf-8") as file:
            outputs = dict(line.split("=", 1) for line in file.read().splitlines())
        self.failed = done.returncode != 0
        self.steps.append({"name": step.get("name", ""), "status": done.returncode, "log": log, "outputs": outputs})
        return outputs


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        context = json.load(file)
    with open(context["workflow"], encoding="utf-8") as file:
        jobs = yaml.safe_load(file)
    told = Job(context)
    job = jobs.get("jobs", jobs)[context["job"]]
    if "script" in job:
        told.gitlab(job, jobs)
        job = {"if": "'' == 'a job of GitLab'"}
    ran = "if" not in job or holds(job["if"], context)
    outputs = {}
    if ran:
        after = told.run(job["steps"])
        outputs = {name: filled(value, after) for name, value in job.get("outputs", {}).items()}
    summary = ""
    if os.path.exists(told.summary):
        with open(told.summary, encoding="utf-8") as file:
            summary = file.read()
    json.dump(
        {
            "ran": ran,
            "steps": told.steps,
            "orders": orders(told.log),
            "outputs": outputs,
            "summary": summary,
            "workspace": told.workspace,
        },
        sys.stdout,
    )


main()
