"""Builds job payloads as GitLab sends them (the runner REST contract, POST /jobs/request)."""
import itertools
import os
import subprocess

_ids = itertools.count(1000)

FAILURE_REASONS = [
    "unknown_failure", "script_failure", "runner_system_failure", "job_execution_timeout",
    "runner_configuration_error", "runner_external_dependency_failure", "runner_interrupted"]


def variable(key, value, public=True, masked=False, file=False, raw=False):
    return {"key": key, "value": value, "public": public, "masked": masked, "file": file, "raw": raw}


def payload(script, *, after_script=None, variables=(), git=None, strategy="none", timeout=3600, steps=None,
            project=None, **more):
    """`variables` are (key, value) pairs or variable() dicts; `git` is (url, sha, ref) of a repository.

    Jobs of one `project` share a build directory when they follow each other; by default each job has its own.
    """
    number = next(_ids)
    token = "glcbt-64_%020d" % number
    all_variables = [
        variable("CI", "true"), variable("GITLAB_CI", "true"), variable("CI_JOB_ID", str(number)),
        variable("CI_JOB_TOKEN", token, public=False, masked=True), variable("FF_TIMESTAMPS", "false"),
        # For runners before 19: the evaluation that keeps exit codes, which is the only one by now.
        variable("FF_USE_NEW_BASH_EVAL_STRATEGY", "true"), variable("GIT_STRATEGY", strategy)]
    for item in variables:
        all_variables.append(item if isinstance(item, dict) else variable(*item))
    url, sha, ref = git or ("http://127.0.0.1/group/project-%d.git" % (project or number), "0123456789abcdef0123456789abcdef01234567", "main")
    if steps is None:
        steps = [{"name": "script", "script": script, "timeout": timeout, "when": "on_success", "allow_failure": False}]
        if after_script:
            steps.append({"name": "after_script", "script": after_script, "timeout": timeout, "when": "always",
                          "allow_failure": True})
    body = {
        "id": number, "token": token, "allow_git_fetch": True,
        "job_info": {"id": number, "name": "job", "stage": "test", "pipeline_id": 77, "project_id": project or number,
                     "project_name": "project", "project_full_path": "group/project", "namespace_id": 9,
                     "root_namespace_id": 9, "organization_id": 1, "time_in_queue_seconds": 0.5,
                     "project_jobs_running_on_instance_runners_count": "+Inf"},
        "git_info": {"repo_url": url.replace("://", "://gitlab-ci-token:%s@" % token, 1), "ref": ref, "sha": sha,
                     "before_sha": "0" * 40, "ref_type": "branch",
                     "refspecs": ["+refs/heads/main:refs/remotes/origin/main"], "depth": 20,
                     "repo_object_format": "sha1", "protected": True},
        "runner_info": {"uuid": "", "timeout": timeout},
        "inputs": [], "variables": all_variables, "steps": steps, "image": None, "services": [], "artifacts": [],
        "cache": [], "credentials": [], "dependencies": [],
        "features": {"trace_sections": True, "token_mask_prefixes": ["glpat-"], "failure_reasons": FAILURE_REASONS},
    }
    body.update(more)
    return body


def archive(paths, name="out", when="on_success", **more):
    return {"name": name, "untracked": False, "paths": paths, "when": when, "expire_in": "1 week",
            "artifact_type": "archive", "artifact_format": "zip", **more}


def make_repository(root, name="group/project.git", files=None, build=None):
    """A bare repository with one commit on main, and what `build(run, work)` adds; returns the sha."""
    bare = os.path.join(root, name)
    work = bare + ".work"
    os.makedirs(work)
    dates = dict(os.environ, GIT_AUTHOR_DATE="1700000000 +0000", GIT_COMMITTER_DATE="1700000000 +0000", HOME=root)
    run = lambda *a: subprocess.run(
        ["git", "-C", work, "-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "protocol.file.allow=always", *a],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dates).stdout.decode().strip()
    run("init", "-q", "-b", "main")
    for path, content in (files or {"README.md": "hello\n"}).items():
        full = os.path.join(work, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(content)
    run("add", "-A")
    run("commit", "-q", "-m", "first")
    if build:
        build(run, work)
    subprocess.run(["git", "clone", "-q", "--mirror", work, bare], check=True, env=dates)
    return run("rev-parse", "main")
