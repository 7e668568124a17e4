"""Cases: a server that answers errors, resets, limits rates, loses bytes; odd payloads."""

import json

from cases import OK, archive, failed, on_patch, script, status
from payloads import payload, variable
from run_cases import Case

TICKS = ["for i in $(seq 8); do echo tick-$i; sleep 0.5; done", "echo the-end"]


def times(n, answer):
    """`answer` to the first n calls of each job."""
    seen = {}

    def scripted(job, _):
        seen[job.id] = seen.get(job.id, 0) + 1
        return answer if seen[job.id] <= n else None

    return scripted


def final(n, answer):
    seen = {}

    def scripted(job, body):
        if body["state"] not in ("success", "failed"):
            return None
        seen[job.id] = seen.get(job.id, 0) + 1
        return answer if seen[job.id] <= n else None

    return scripted


def first_put(answer):
    return lambda job, body: answer if body["state"] == "running" else None


def whole(result, world):
    """Nothing of the log was lost or came twice."""
    at = -1
    for i in range(1, 9):
        here = result.raw_log.find(b"\ntick-%d\n" % i)
        if here <= at or result.raw_log.count(b"\ntick-%d\n" % i) != 1:
            return "tick-%d is not there once" % i
        at = here
    return None


def patches():
    keep = {"own": True, "limit": 90, "after": whole}
    for code in (400, 408, 409, 412, 429, 500, 502, 503, 504, 520):
        yield script("patch %d once" % code, TICKS, OK, patch=times(1, (code, {})), **keep)
    yield script("patch reset twice", TICKS, OK, patch=times(2, (0, {})), **keep)
    yield script("patch 500 five times", TICKS, OK, patch=times(5, (500, {})), **keep)
    yield script("patch 429 with Retry-After", TICKS, OK, patch=times(2, (429, {"Retry-After": "1"})), **keep)
    yield script("patch 503 with Retry-After", TICKS, OK, patch=times(1, (503, {"Retry-After": "2"})), **keep)
    yield script(
        "patch 429 with a date",
        TICKS,
        OK,
        patch=times(1, (429, {"RateLimit-ResetTime": "Thu, 01 Jan 2026 00:00:00 GMT", "Retry-After": "x"})),
        **keep
    )
    for text in ("0-0", "0-5", "0-100", "", "junk", "0-99999999", "-5", "5-3"):
        yield script(
            "416 with Range %s" % (text or "(none)"),
            TICKS,
            OK,
            patch=times(1, (416, {"Range": text} if text else {})),
            own=True,
            limit=90,
        )
    for value in ("1", "0", "-1", "abc", "3.5", "100"):
        yield script(
            "update interval %s" % value,
            TICKS,
            OK,
            patch=lambda job, log, value=value: (202, {"X-GitLab-Trace-Update-Interval": value}),
            **{**keep, "limit": 120}
        )
    for value in ("running", "pending", "", "success", "nonsense", "failed", "skipped"):
        yield script(
            "patch says Job-Status %s" % (value or "(empty)"),
            TICKS,
            {},
            patch=lambda job, log, value=value: (202, {"Job-Status": value}) if b"tick-1" in log else None,
            own=True,
        )
    for code in (401, 403, 404):
        yield script("patch always %d" % code, TICKS, {}, patch=on_patch(code), own=True, limit=15)


def updates():
    for code in (500, 502, 429, 409, 412, 400, 422, 0):
        yield script(
            "final update %s twice" % (code or "reset"),
            ["echo x"],
            OK if code not in (400, 409, 412, 422) else {},
            put=final(2, (code, {})),
            limit=90,
            own=True,
        )
    for code in (401, 403, 404):
        yield script("final update always %d" % code, ["echo x"], {}, put=final(100, (code, {})), limit=12, own=True)
    yield script(
        "final update 202 thrice",
        ["echo x"],
        {"state": "success"},
        put=final(3, (202, {"X-GitLab-Trace-Update-Interval": "1"})),
        limit=60,
    )
    yield script(
        "final update 202 without an interval", ["echo x"], {"state": "success"}, put=final(1, (202, {})), limit=60
    )
    yield script(
        "final update 429 with Retry-After", ["echo x"], OK, put=final(1, (429, {"Retry-After": "2"})), limit=60
    )
    yield script("final update 412 for a failed job", ["exit 4"], {}, put=final(1, (412, {})), limit=60, own=True)
    for label, answer in (
        ("500", (500, {})),
        ("reset", (0, {})),
        ("403", (403, {})),
        ("404", (404, {})),
        ("409", (409, {})),
        ("canceled", (200, {"Job-Status": "canceled"})),
        ("failed", (200, {"Job-Status": "failed"})),
        ("canceling", (200, {"Job-Status": "canceling"})),
        ("success", (200, {"Job-Status": "success"})),
    ):
        yield script("first update says %s" % label, ["echo x; sleep 1"], {}, put=first_put(answer), own=True, limit=10)
    yield script(
        "reason not known to the server",
        ["sleep 30"],
        {"state": "failed", "reason": "job_execution_timeout"},
        timeout=2,
        features={"trace_sections": True, "failure_reasons": ["script_failure"]},
        own=True,
    )
    yield script(
        "reasons not given",
        ["sleep 30"],
        {"state": "failed", "reason": "job_execution_timeout"},
        timeout=2,
        features={"trace_sections": True},
    )
    yield script(
        "cancel reason known to the server",
        ["echo started-''x; sleep 30"],
        {"state": "failed", "reason": "job_canceled"},
        patch=status("canceling", b"started-x"),
        features={"trace_sections": True, "failure_reasons": ["job_canceled"]},
    )


def requests():
    for code in (500, 502, 429, 409, 408, 0):
        yield script(
            "request %s before the job" % (code or "reset"),
            ["echo got-it"],
            OK,
            request=[(code, {})],
            limit=60,
            own=True,
            runner="requests",
        )
    yield script(
        "request 429 with Retry-After",
        ["echo got-it"],
        OK,
        request=[(429, {"Retry-After": "1"})],
        limit=60,
        own=True,
        runner="requests",
    )


def payloads():
    def edit(change):
        def make(world):
            body = payload(["echo fine"])
            change(body)
            return body

        return make

    for label, change in (
        ("no image key", lambda b: b.pop("image")),
        ("no variables", lambda b: b.update(variables=[])),
        ("no git_info", lambda b: b.pop("git_info")),
        ("no job_info", lambda b: b.pop("job_info")),
        ("no runner_info", lambda b: b.pop("runner_info")),
        ("no features", lambda b: b.pop("features")),
        ("no allow_git_fetch", lambda b: b.pop("allow_git_fetch")),
        (
            "image for a shell",
            lambda b: b.update(image={"name": "alpine", "entrypoint": ["x"]}, services=[{"name": "redis"}]),
        ),
        ("null steps", lambda b: b.update(steps=None)),
        ("null variables", lambda b: b.update(variables=None)),
        ("refspecs null", lambda b: b["git_info"].update(refspecs=None)),
        ("queue time null", lambda b: b["job_info"].update(time_in_queue_seconds=None)),
        ("hooks null", lambda b: b.update(hooks=None)),
        ("run and script", lambda b: b.update(run='[{"name":"a","script":"echo x"}]')),
        ("run without script", lambda b: b.update(run='[{"name":"a","script":"echo x"}]', steps=[])),
        ("bad image options", lambda b: b.update(image={"name": "a", "executor_opts": {"docker": {"user": 5}}})),
        (
            "policy",
            lambda b: b.update(
                policy_options={
                    "execution_policy_job": True,
                    "policy_name": "P",
                    "policy_variables_override_allowed": False,
                }
            ),
        ),
        (
            "secret",
            lambda b: b.update(
                secrets={
                    "S": {
                        "vault": {
                            "server": {
                                "url": "http://127.0.0.1:1",
                                "auth": {"name": "jwt", "path": "jwt", "data": {"jwt": "x"}},
                            },
                            "engine": {"name": "kv-v2", "path": "kv"},
                            "path": "p",
                            "field": "f",
                        }
                    }
                }
            ),
        ),
        (
            "inputs",
            lambda b: (
                b.update(inputs=[{"key": "who", "value": {"type": "string", "content": "world", "sensitive": False}}]),
                b["steps"][0].update(script=["echo hello-${{ job.inputs.who }}"]),
            ),
        ),
        ("upper-case keys", lambda b: b.update(STEPS=b.pop("steps"))),
        ("float timeout", lambda b: b["runner_info"].update(timeout=3600.0)),
        (
            "text id in variables",
            lambda b: b["variables"].append({"key": "N", "value": "1", "public": None, "masked": None}),
        ),
    ):
        yield Case("payload: %s" % label, edit(change), {}, own=True, limit=25)
    for label, path, value in (
        ("id is text", ("id",), "abc"),
        ("timeout is text", ("runner_info", "timeout"), "abc"),
        ("variables is an object", ("variables",), {}),
        ("script is text", ("steps", 0, "script"), "echo x"),
        ("depth is text", ("git_info", "depth"), "x"),
        ("variable value is a number", ("variables", 0, "value"), 5),
    ):

        def broken(body, path=path, value=value):
            copy = json.loads(json.dumps(body))
            at = copy
            for part in path[:-1]:
                at = at[part]
            at[path[-1]] = value
            return json.dumps(copy).encode()

        yield script(
            "payload: %s" % label,
            ["echo fine"],
            {"state": "none"} if label == "id is text" else {"state": "failed", "reason": "runner_system_failure"},
            raw=broken,
            own=True,
            limit=6,
        )
    yield script("payload: cut", ["echo fine"], {}, raw=lambda b: json.dumps(b).encode()[:-50], own=True, limit=6)


def all_cases():
    for group in (patches, updates, requests, payloads):
        yield from group()
