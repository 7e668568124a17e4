"""Cases: cancel, abort, timeout and deaf processes in each stage."""

import os

from cases import OK, archive, script, status
from cases_sources import git_case
from payloads import payload
from run_cases import Case

SLOW = 25.0  # how long the stage under test would last


def slow_git(body, world, sha):
    world.server.git_statuses[body["git_info"]["repo_url"].split("/", 3)[3]] = [SLOW]


def slow_tool(tool, argument):
    """A directory for PATH, where `tool argument…` takes long; other uses are the real ones."""

    def make(world):
        directory = os.path.join(world.work, "slow-%s" % tool)
        os.makedirs(directory, exist_ok=True)
        path = os.path.join(directory, tool)
        if not os.path.exists(path):
            with open(path, "w", encoding="utf-8") as file:
                file.write(
                    '#!/bin/sh\ncase "$*" in *\'%s\'*) sleep %d ;; esac\nexec /usr/bin/%s "$@"\n'
                    % (argument, SLOW, tool)
                )
            os.chmod(path, 0o755)
        return "%s:/usr/local/bin:/usr/bin:/bin" % directory

    return make


def cache(**more):
    return {
        "key": "k",
        "untracked": False,
        "policy": "pull-push",
        "paths": ["c/"],
        "when": "always",
        "fallback_keys": [],
        **more,
    }


def slow_cache(world, body):
    """A pipe in the archive's place: opening it takes until somebody writes."""
    name = body["git_info"]["repo_url"].rsplit("/", 1)[1][: -len(".git")]
    directory = os.path.join(world.work, "cache", "group", name, "k")
    os.makedirs(directory, exist_ok=True)
    os.mkfifo(os.path.join(directory, "cache.zip"))


def dependency(world, body):
    source = body["id"] + 500000
    world.server.stored[source] = b"x"
    world.server.download_delay[source] = SLOW
    body["dependencies"] = [
        {
            "id": source,
            "name": "compile",
            "token": "glcbt-64_dependency0123456789",
            "artifacts_file": {"filename": "a.zip", "size": 1},
        }
    ]


def in_stage(what, reply, expect, suffix=""):
    """The same job, slow in one stage after the other; `reply` comes once the log shows the stage."""
    after = {"after_script": ["echo after-$CI_JOB_STATUS"]}
    both = {**expect, "under": 22}
    number = {"cancel": 11, "abort": 12}[what]  # so that no two cases look for the same process
    dirt = ["mkdir -p c; echo 1 > c/f; echo started-''script"]
    untracked = slow_tool("git", "ls-files -o")
    name = lambda stage: "%s in %s%s" % (what, stage, suffix)
    faults = lambda text: {"patch": status(reply, text), "own": True, "limit": 60}
    yield git_case(
        name("get_sources"),
        dirt,
        both,
        change=slow_git,
        **faults(b"Fetching changes"),
        **after,
        artifacts=[archive(["c/"], when="always")],
        cache=[cache()]
    )
    for stage, text, prepare in (("download_artifacts", b"Downloading artifacts for", dependency),):

        def make(world, prepare=prepare):
            body = payload(dirt, **after, artifacts=[archive(["c/"], when="always")], cache=[cache()])
            prepare(world, body)
            return body

        yield Case(name(stage), make, both, **faults(text))
    yield script(
        name("script"),
        ["mkdir -p c; echo 1 > c/f; echo started-''script; sleep 97%d1" % number],
        {**both, "marker": "sleep 97%d1" % number},
        **faults(b"started-script"),
        **after,
        artifacts=[archive(["c/"], when="always")],
        cache=[cache()]
    )
    yield script(
        name("second step"),
        None,
        {**both, "marker": "sleep 97%d2" % number},
        **faults(b"started-release"),
        steps=[
            {"name": "script", "script": ["echo one"], "timeout": 60, "when": "on_success", "allow_failure": False},
            {
                "name": "release",
                "script": ["echo started-''release; sleep 97%d2" % number],
                "timeout": 60,
                "when": "on_success",
                "allow_failure": False,
            },
            {
                "name": "after_script",
                "script": ["echo after-$CI_JOB_STATUS"],
                "timeout": 60,
                "when": "always",
                "allow_failure": True,
            },
        ]
    )
    yield script(
        name("after_script"),
        ["echo main"],
        {**both, "marker": "sleep 10.97%d" % number},
        **faults(b"started-after"),
        after_script=["echo started-''after-$CI_JOB_STATUS; sleep 10.97%d; echo end-of-''after" % number]
    )

    def untracked_cache(world):
        return payload(
            dirt,
            variables=[("PATH", untracked(world))],
            cache=[cache(untracked=True)],
            artifacts=[archive(["c/"])],
            strategy="none",
            **after
        )

    yield Case(
        name("archive_cache"), untracked_cache, {**expect, "under": 40}, **{**faults(b"Creating cache"), "limit": 90}
    )
    slept = {}

    def slow_upload(job, n):
        import time

        if job.id not in slept:
            slept[job.id] = True
            time.sleep(10)

    yield script(
        name("upload_artifacts"),
        dirt,
        {**expect, "under": 40},
        **faults(b"Uploading artifacts..."),
        **after,
        upload=slow_upload,
        artifacts=[archive(["c/"])]
    )


def stages():
    yield from in_stage("cancel", "canceling", {})
    yield from in_stage("abort", "canceled", {"lacks": ["after-canceled"]})
    # Timeouts in the other stages: the job's own limit.
    limit = {"state": "failed", "reason": "job_execution_timeout"}

    def timed_dependency(world):
        body = payload(["echo never-''shown"], timeout=3, after_script=["echo never-''shown"])
        dependency(world, body)
        return body

    yield Case("job timeout in download_artifacts", timed_dependency, {**limit, "lacks": ["never-shown"]}, own=True)

    def timed_cache(world):
        body = payload(["echo never-''shown"], timeout=3, cache=[cache()])
        slow_cache(world, body)
        return body

    yield Case("job timeout in restore_cache", timed_cache, {}, own=True)
    yield Case(
        "job timeout in archive_cache",
        lambda w: payload(
            ["mkdir -p c; echo 1 > c/f"],
            timeout=4,
            variables=[("PATH", slow_tool("git", "ls-files -o")(w))],
            cache=[cache(untracked=True)],
        ),
        limit,
        own=True,
    )
    yield script(
        "job timeout in the second step",
        None,
        limit,
        timeout=3,
        steps=[
            {"name": "script", "script": ["echo one"], "timeout": 60, "when": "on_success", "allow_failure": False},
            {"name": "release", "script": ["sleep 97311"], "timeout": 60, "when": "on_success", "allow_failure": False},
        ],
    )


def processes():
    for label, line in (
        ("daemon", "(setsid sleep 97320 < /dev/null > /dev/null 2>&1 &) ; sleep 0.1"),
        ("nohup", "nohup sleep 97321 > /dev/null 2>&1 &"),
        ("disowned", "sleep 97322 & disown"),
        ("stopped group", "setsid bash -c 'kill -STOP $$; sleep 97323' & sleep 0.2"),
        ("deaf child", "(trap '' TERM HUP INT; sleep 97324 & wait) & sleep 0.2"),
        ("coprocess", "coproc sleep 97325"),
        ("process substitution", "echo x > >(sleep 97326)"),
        ("pipe kept open", "(sleep 97327 >&2) & echo done"),
        ("chain of forks", "for i in 1 2 3 4 5; do (setsid sh -c '(sleep 97328 &)' &); done; sleep 0.3"),
        ("new environment", "setsid env -i sleep 97329 > /dev/null 2>&1 & sleep 0.2"),
    ):
        marker = "sleep 973%02d" % (
            20
            + [
                "daemon",
                "nohup",
                "disowned",
                "stopped group",
                "deaf child",
                "coprocess",
                "process substitution",
                "pipe kept open",
                "chain of forks",
                "new environment",
            ].index(label)
        )
        yield script(
            "survivor: %s, success" % label, [line, "echo end"], {**OK, "marker": marker, "under": 20}, own=True
        )
        other = marker.replace("973", "974")
        yield script(
            "survivor: %s, failure" % label,
            [line.replace(marker, other), "exit 3"],
            {"state": "failed", "exit_code": 3, "marker": other, "under": 20},
            own=True,
        )
    yield script(
        "child of the script lives in after_script",
        ["sleep 97340 > /dev/null 2>&1 & echo $! > pid"],
        {**OK, "marker": "sleep 97340"},
        after_script=["echo after"],
        own=True,
    )
    yield script(
        "deaf script at a cancel",
        ["trap '' TERM INT; echo started-''script; while :; do sleep 1; done; : 97341"],
        {"state": "failed", "under": 60},
        patch=status("canceling", b"started-script"),
        own=True,
        after_script=["echo after-$CI_JOB_STATUS"],
    )
    yield script(
        "TERM handler at a cancel",
        ["bash -c 'trap \"echo got-''term; exit 5\" TERM; echo started-''script; while :; do sleep 0.2; done'"],
        {"state": "failed", "has": ["got-term"], "under": 30},
        patch=status("canceling", b"started-script"),
        own=True,
    )
    yield script(
        "slow TERM handler at a cancel",
        [
            "bash -c 'trap \"sleep 2; echo clean-''up-done; exit 5\" TERM; echo started-''script; while :; do sleep 0.2; done'"
        ],
        {"state": "failed", "has": ["clean-up-done"], "under": 30},
        patch=status("canceling", b"started-script"),
        own=True,
    )
    yield script("cancel after the end", ["echo x"], {"state": "success"}, patch=status("canceling", b"Job succeeded"))
    yield script(
        "script body does not leak",
        ["echo started-''script; sleep 60\necho cana''ry-text"],
        {"state": "failed", "lacks": ["cana''ry"]},
        patch=status("canceling", b"started-script"),
    )


def all_cases():
    for group in (stages, processes):
        yield from group()
