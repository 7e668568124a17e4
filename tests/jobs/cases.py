"""The cases: a payload, its faults, and what must come out. Names say what is being shown."""
import io
import json
import zipfile
import zlib

from payloads import archive, payload, variable
from run_cases import Case

KEEP = ("patch", "put", "upload", "limit", "own", "after", "raw", "request", "runner", "home")
OK = {"state": "success", "reason": "", "exit_code": 0}


def failed(code, **more):
    return {"state": "failed", "reason": "script_failure", "exit_code": code, **more}


def script(name, lines, expect, **more):
    keep = {k: more.pop(k) for k in KEEP if k in more}
    return Case(name, lambda world: payload(lines, **more), expect, **keep)


def with_git(name, lines, expect, jobs=1, strategies=("fetch",), files=None, first=None, **more):
    keep = {k: more.pop(k) for k in KEEP if k in more}
    repository = "group/%s.git" % name.replace(" ", "-").replace(":", "")

    def make(world):
        git = world.repository(repository, files)
        number = 700000 + zlib.crc32(name.encode()) % 100000
        chain = [payload(first, git=git, strategy="fetch", project=number, **more)] if first else []
        return chain + [payload(lines, git=git, strategy=s, project=number, **more) for s in strategies]

    return Case(name, make, expect, **keep)


def status(value, when=None):
    """A patch fault: answers with Job-Status `value` once the log has `when`."""
    return lambda job, log: (202, {"Job-Status": value}) if when is None or when in log else None


def on_patch(code, when=b""):
    return lambda job, log: (code, {}) if when in log else None


def zip_names(result):
    content = result.uploads[-1]["content"]
    return sorted(zipfile.ZipFile(io.BytesIO(content)).namelist())


def uploaded(*names):
    def check(result, world):
        found = zip_names(result) if result.uploads else None
        return None if found == sorted(names) else "uploaded %r" % (found,)
    return check


def results():
    yield script("empty", ["true"], {**OK, "calls": ["request", "PUT running 200", "PATCH 202", "PUT success 200"]})
    yield script("exit 1", ["exit 1"], failed(1, has=["ERROR: Job failed: exit status 1"]))
    yield script("exit 42", ["exit 42"], failed(42))
    yield script("exit 255", ["exit 255"], failed(255))
    yield script("false in the middle", ["echo a", "false", "echo never-shown"], failed(1, lacks=["\nnever-shown"]))
    yield script("command not found", ["surely-no-such-command"], {"state": "failed", "reason": "script_failure"})
    yield script("pipefail", ["false | cat"], {"state": "failed", "reason": "script_failure"})
    yield script("errexit off", ["set +e", "false", "exit 9"], failed(9))
    yield script("killed by itself", ["kill -9 $$"], {"state": "failed"})
    yield script("unset variable under nounset", ["set -u", "echo $surely_unset_x"], {"state": "failed"})
    yield script("syntax error", ["if true; then"], {"state": "failed"})
    yield script("state persists over items", ["cd /tmp", "x=5", "f() { echo f-$x-$PWD; }", "f"], {**OK, "has": ["f-5-/tmp"]})
    yield script("if split over items", ["if false; then", "echo then", "else", "echo else-ran", "fi"], {**OK, "has": ["else-ran"]})
    yield script("multi line item", ["echo one\necho two"], {**OK, "has": ["# collapsed multi-line command", "one\ntwo"]})
    yield script("stdin is empty", ["read -t 5 x || echo eof-$?", "echo end-marker"], {**OK, "has": ["eof-1", "end-marker"]})
    yield script("empty item", ["", "echo after-empty"], {**OK, "has": ["after-empty"]})
    yield script("unicode", ["echo 'žluťoučký 🐎 中文'"], {**OK, "has": ["žluťoučký 🐎 中文"]})
    yield script("binary output", ["printf '\\377\\376a\\000b\\n'"], {**OK, "has": ["\ufffd\ufffda"]})
    yield script("quotes and dollars", ["echo \"a'b\" '$HOME' \"\\$x\" `echo tick`"], {**OK, "has": ["a'b $HOME $x tick"]})
    yield script("stderr", ["echo to-stderr >&2"], {**OK, "has": ["to-stderr"]})
    yield script("no trailing newline", ["printf no-newline"], {**OK, "has": ["no-newline"]})
    yield script("trailing blanks in command", ["  echo trimmed  "], {**OK, "has": ["$ echo trimmed\n"]})
    yield script("release step after script", None, {**OK, "has": ["in-release"]}, steps=[
        {"name": "script", "script": ["echo in-script"], "timeout": 60, "when": "on_success", "allow_failure": False},
        {"name": "release", "script": ["echo in-release"], "timeout": 60, "when": "on_success", "allow_failure": False}])
    yield script("release skipped after failure", None, failed(1, lacks=["in-release"], has=["after-ran"]), steps=[
        {"name": "script", "script": ["exit 1"], "timeout": 60, "when": "on_success", "allow_failure": False},
        {"name": "release", "script": ["echo in-release"], "timeout": 60, "when": "on_success", "allow_failure": False},
        {"name": "after_script", "script": ["echo after-ran"], "timeout": 60, "when": "always", "allow_failure": True}])


def after_scripts():
    yield script("after_script on success", ["echo main"], {**OK, "has": ["status-success", "Running after script..."]},
                 after_script=["echo status-$CI_JOB_STATUS"])
    yield script("after_script on failure", ["exit 3"], failed(3, has=["status-failed"]),
                 after_script=["echo status-$CI_JOB_STATUS"])
    yield script("after_script failure ignored", ["true"], {**OK, "has": ["after_script failed, but job will continue unaffected"]},
                 after_script=["exit 4"])
    yield script("after_script failure counted", ["true"], failed(4), after_script=["exit 4"],
                 variables=[("AFTER_SCRIPT_IGNORE_ERRORS", "false")])
    yield script("after_script has its own shell", ["x=main-shell"], {**OK, "lacks": ["got-main-shell"]},
                 after_script=["echo got-$x"])
    yield script("after_script timeout", ["true"], {**OK, "under": 15}, after_script=["sleep 30"],
                 variables=[("RUNNER_AFTER_SCRIPT_TIMEOUT", "2s")])


def variables():
    yield script("plain and raw", ["echo [$A] [$B] [$C]"], {**OK, "has": ["[v-x] [$X$$] [x]"]},
                 variables=[("A", "v-$C"), variable("B", "$X$$", raw=True), ("C", "x")])
    yield script("last duplicate wins", ["echo [$A]"], {**OK, "has": ["[two]"]}, variables=[("A", "one"), ("A", "two")])
    yield script("file variable", ["cat $F; echo; stat -c %s $F; echo $F"], {**OK, "has": ["file content\nline 2", "/F\n"]},
                 variables=[variable("F", "file content\nline 2", file=True)])
    yield script("path of a file variable", ["echo [$G]"], {**OK, "has": [".tmp/F_x]"]},
                 variables=[variable("F", "content", file=True), ("G", "${F}_x")])
    yield script("odd values", ["printf '%s' \"$V\" | od -An -tx1 | tr -d ' \\n'; echo"],
                 {**OK, "has": ["27225c60240a0921c3a97f"]}, variables=[variable("V", "'\"\\`$\n\t!é\x7f", raw=True)])
    yield script("100 kB value", ["echo ${#V}"], {**OK, "has": ["\n100000\n"]}, variables=[("V", "x" * 100000)])
    yield script("500 variables", ["echo $V499"], {**OK, "has": ["value-499"]},
                 variables=[("V%d" % i, "value-%d" % i) for i in range(500)])
    yield script("GITLAB_ENV", ["echo hello=world >> $GITLAB_ENV"], {**OK, "has": ["got-world"]},
                 after_script=["echo got-$hello"])
    yield script("GITLAB_ENV is not executed", ["echo 'x=$(echo yes)' >> $GITLAB_ENV"], {**OK, "lacks": ["got-yes"]},
                 after_script=["echo got-$x"])
    yield script("predefined by the runner",
                 ["echo $CI_SERVER $CI_JOB_STATUS $CI_SHARED_ENVIRONMENT $CI_CONCURRENT_PROJECT_ID $CI_JOB_TIMEOUT"],
                 {**OK, "has": ["yes running true"]})
    yield script("undefined reference", ["echo [$A]"], {**OK, "has": ["[-]"]}, variables=[("A", "$NOWHERE-")])


def masking():
    yield script("masked value", ["echo $S"], {**OK, "has": ["[MASKED]"], "lacks": ["sup3rs3cret"]},
                 variables=[variable("S", "sup3rs3cret", masked=True)])
    yield script("masked over split writes", ["printf sup3; sleep 0.3; printf rs3c; sleep 0.3; printf 'ret\\n'; echo end"],
                 {**OK, "has": ["[MASKED]\n"], "lacks": ["sup3rs3cret"]}, variables=[variable("S", "sup3rs3cret", masked=True)])
    yield script("restarting match", ["printf a1a1; sleep 0.2; printf 'a1b2\\n'"], {**OK, "lacks": ["a1a1b2"]},
                 variables=[variable("S", "a1a1b2", masked=True)], own=True)
    yield script("job token", ["echo $CI_JOB_TOKEN"], {**OK, "has": ["[MASKED]"], "lacks": ["glcbt-64_"]})
    yield script("token prefix", ["echo glpat-abcdefghij"], {**OK, "has": ["glpat-[MASKED]"]})
    yield script("longer phrase first", ["echo $LONG $SHORT"], {**OK, "has": ["[MASKED] [MASKED]\n"]},
                 variables=[variable("SHORT", "MASKED_VALUE", masked=True), variable("LONG", "MASKED_VALUE_OTHER", masked=True)])
    yield script("url parameter", ["echo 'https://x/?x-amz-credential=abc&y=1'"], {**OK, "has": ["x-amz-credential=[MASKED]&y=1"]})
    yield script("base64 of a secret", ["printf '%s' \"$S\" | base64"], {**OK, "lacks": ["c3VwM3JzM2NyZXQ"]},
                 variables=[variable("S", "sup3rs3cret", masked=True)], own=True)
    yield script("empty masked value", ["echo visible"], {**OK, "has": ["visible"]}, variables=[variable("S", "", masked=True)])


def processes():
    yield script("background process", ["sleep 98101 &", "echo end"], {**OK, "marker": "sleep 98101", "under": 20}, own=True)
    yield script("setsid", ["setsid sleep 98102 > /dev/null 2>&1 &", "sleep 0.2"], {**OK, "marker": "sleep 98102"}, own=True)
    yield script("double fork", ["(setsid sh -c 'sleep 98103 & sleep 98103' > /dev/null 2>&1 &)", "sleep 0.2"],
                 {**OK, "marker": "sleep 98103"}, own=True)
    yield script("deaf to TERM at a timeout", ["trap '' TERM", "while :; do sleep 98104 & wait; done"],
                 {"state": "failed", "reason": "job_execution_timeout", "marker": "sleep 98104", "under": 60}, timeout=3, own=True)
    yield script("stopped process", ["sleep 98105 & kill -STOP $!"], {**OK, "marker": "sleep 98105"}, own=True)
    yield script("job timeout", ["echo before", "sleep 98106"], {
        "state": "failed", "reason": "job_execution_timeout", "has": ["execution took longer than 3s seconds"],
        "marker": "sleep 98106"}, timeout=3)
    yield script("script timeout", ["sleep 98107"], {
        "state": "failed", "reason": "job_execution_timeout", "has": ["status-timedout"], "marker": "sleep 98107"},
        after_script=["echo status-$CI_JOB_STATUS"], variables=[("RUNNER_SCRIPT_TIMEOUT", "2s")])
    yield script("5 MB of log is limited", ["seq -f %015.0f 1 312500", "echo the-very-end"],
                 {**OK, "has": ["Job's log exceeded limit of 4194304 bytes."]})
    yield script("end of a limited log", ["seq -f %015.0f 1 312500", "echo the-very-end"],
                 {**OK, "has": ["the-very-end", "Job succeeded"]}, own=True)
    yield script("2 MB of log", ["seq 1 300000"], {**OK, "has": ["\n300000\n"]})


def cancel():
    yield script("cancel", ["echo started-x", "sleep 98201"], {
        "state": "failed", "reason": "unknown_failure", "has": ["status-canceled"], "marker": "sleep 98201"},
        after_script=["echo status-$CI_JOB_STATUS"], patch=status("canceling", b"started-x\r\n"[:-2]))
    yield script("abort by status", ["echo started-x", "sleep 98202"], {
        "state": "failed", "lacks": ["status-"], "marker": "sleep 98202"},
        after_script=["echo status-$CI_JOB_STATUS"], patch=status("canceled", b"started-x"))
    yield script("abort by 403", ["for i in $(seq 60); do echo tick-$i; sleep 0.5; done", "sleep 98203"], {"state": "failed", "marker": "sleep 98203"},
                 patch=on_patch(403, b"Preparing"))
    yield Case("canceled before it started", lambda world: payload(["echo never"]),
               {"state": "failed", "reason": "job_canceled"},
               put=lambda job, body: (200, {"Job-Status": "canceling"}) if body["state"] == "running" else None)
    yield script("404 on every patch", ["echo x"], {"state": "success"}, patch=on_patch(404), limit=60)
    failures = {}

    def twice(job, log):
        failures[job.id] = failures.get(job.id, 0) + 1
        return (500, {}) if failures[job.id] <= 2 else None
    yield script("500 on two patches", ["echo x-$((1+1))"], {**OK, "has": ["x-2"]}, patch=twice, limit=60)

    def late(job, body):
        if body["state"] != "success":
            return None
        failures[job.id] = failures.get(job.id, 0) + 1
        return (202, {"X-GitLab-Trace-Update-Interval": "1"}) if failures[job.id] <= 2 else None
    yield script("202 on the final update", ["echo x"], {"state": "success"}, put=late, limit=60)


def sources():
    yield with_git("clone", ["cat README.md", "git rev-parse HEAD"], {**OK, "has": ["hello", "Checking out", "Created fresh repository."]}, strategies=("clone",))
    yield with_git("fetch twice", ["cat README.md"], {**OK, "has": ["hello", "Fetching changes with git depth set to 20..."]},
                   strategies=("fetch", "fetch"))
    yield with_git("none", ["echo dir-$(ls | wc -l)"], {**OK, "has": ["Skipping Git repository setup", "dir-0"]}, strategies=("none",))
    yield with_git("strategy empty", ["echo dir-$(ls -A | wc -l)"], {**OK, "has": ["creating an empty build directory", "dir-0"]}, strategies=("empty",))
    yield with_git("untracked files are cleaned", ["ls", "touch left-over"], {**OK, "has": ["Removing left-over"]},
                   strategies=("fetch", "fetch"))
    yield with_git("no token on disk", ["! grep -rq glcbt- .git/config", "git remote get-url origin"],
                   {**OK, "lacks": ["gitlab-ci-token:"]}, own=True)
    yield with_git("git fetch in the script", ["git fetch -q origin main && echo fetched-again"], {**OK, "has": ["fetched-again"]})
    yield Case(
        "wrong sha", lambda world: payload(["true"], git=(world.repository("group/wrong.git")[0], "1" * 40, "main"), strategy="fetch"),
        {"state": "failed", "reason": "script_failure"})
    yield Case("no such repository", lambda world: payload(["true"], git=(world.url + "/group/nowhere.git", "1" * 40, "main"), strategy="fetch"),
               {"state": "failed"})
    yield with_git("hostile hooks", ["echo clean-run"], {**OK, "has": ["clean-run"], "lacks": ["hacked-"]}, own=True, first=[
        "mkdir -p .git/hooks; for h in post-checkout pre-commit reference-transaction; do "
        "printf '#!/bin/sh\\necho hacked-hook\\n' > .git/hooks/$h; chmod +x .git/hooks/$h; done"])
    yield with_git("hostile fsmonitor", ["echo clean-run"], {**OK, "has": ["clean-run"], "lacks": ["hacked-"]}, own=True, first=[
        "printf '#!/bin/sh\\necho hacked-fsmonitor >&2\\n' > .git/fs; chmod +x .git/fs",
        "git config core.fsmonitor $PWD/.git/fs", "git config core.hooksPath $PWD/.git"])
    yield with_git("hostile insteadOf", ["cat README.md"], {**OK, "has": ["hello"]}, own=True, first=[
        "git config url.http://127.0.0.1:1/.insteadOf http://127.0.0.1"])
    yield with_git("hostile skip-worktree", ["cat README.md"], {**OK, "has": ["hello"], "lacks": ["evil-content"]}, own=True, first=[
        "git update-index --skip-worktree README.md", "echo evil-''content > README.md"])
    yield with_git("hostile attributes", ["cat README.md"], {**OK, "has": ["hello"], "lacks": ["hacked-"]}, own=True, first=[
        "echo '* filter=evil' > .git/info/attributes", "git config filter.evil.smudge 'echo hacked-smudge'", "rm README.md"])
    yield with_git("git directory is a file", ["cat README.md"], {**OK, "has": ["hello"]}, own=True, first=[
        "rm -rf .git; echo 'gitdir: /tmp' > .git"])
    yield with_git("broken repository", ["cat README.md"], {**OK, "has": ["hello"]}, own=True, first=[
        "rm -rf .git/objects .git/HEAD; echo junk > .git/HEAD"])
    yield with_git("read-only directories", ["cat README.md"], {**OK, "has": ["hello"]}, own=True, strategies=("clone",), first=[
        "mkdir -p a/b && touch a/b/c && chmod -R a-w a"])
    yield with_git("stale locks", ["cat README.md"], {**OK, "has": ["hello"]}, first=[
        "touch .git/index.lock .git/HEAD.lock .git/config.lock .git/shallow.lock .git/refs/heads/main.lock"])


def artifacts():
    yield script("artifacts on success", ["mkdir -p d/e", "echo 1 > d/a", "echo 2 > d/e/b"], OK,
                 artifacts=[archive(["d/"])], after=uploaded("d/", "d/a", "d/e/", "d/e/b"))
    yield script("artifacts with exclude", ["mkdir d", "echo 1 > d/a.txt", "echo 2 > d/b.log"], OK,
                 artifacts=[archive(["d/*"], exclude=["**/*.log"])], after=uploaded("d/a.txt"))
    yield script("artifacts on failure", ["echo 1 > a", "exit 1"], failed(1), artifacts=[archive(["a"], when="on_failure")],
                 after=uploaded("a"))
    yield script("artifacts not on failure", ["echo 1 > a", "exit 1"], failed(1), artifacts=[archive(["a"])],
                 after=lambda r, w: "uploaded" if r.uploads else None)
    yield script("artifacts always", ["echo 1 > a", "exit 1"], failed(1), artifacts=[archive(["a"], when="always")], after=uploaded("a"))
    yield script("no files to upload", ["true"], {**OK, "has": ["No files to upload"]}, artifacts=[archive(["nothing-here"])])
    yield script("upload 403", ["echo 1 > a"], {"state": "failed"}, artifacts=[archive(["a"])], upload=lambda job, n: 403)
    yield script("upload 500 then 201", ["echo 1 > a"], OK, artifacts=[archive(["a"])], upload=lambda job, n: 500 if n < 1 else None)
    yield script("upload 413", ["echo 1 > a"], {"state": "failed"}, artifacts=[archive(["a"])], upload=lambda job, n: 413)
    yield script("report", ["echo '<testsuite/>' > r.xml"], OK,
                 artifacts=[{"name": "junit.xml", "paths": ["r.xml"], "when": "always", "artifact_type": "junit",
                             "artifact_format": "gzip", "expire_in": "1 week"}],
                 after=lambda r, w: None if r.uploads and r.uploads[0]["query"].get("artifact_type") == "junit" else "no report")

    def dependency(names, **more):
        def make(world):
            data = io.BytesIO()
            with zipfile.ZipFile(data, "w") as archive_file:
                for name, content in names.items():
                    archive_file.writestr(name, content)
            body = payload(more.pop("lines"), **more)
            source = body["id"] + 500000
            world.server.stored[source] = data.getvalue()
            body["dependencies"] = [{"id": source, "name": "compile", "token": "glcbt-64_dependency0123456789",
                                     "artifacts_file": {"filename": "artifacts.zip", "size": len(data.getvalue())}}]
            return body
        return make
    yield Case("dependency", dependency({"out/x": "from-dependency"}, lines=["cat out/x"]), {**OK, "has": ["from-dependency"]})
    yield Case("evil dependency", dependency({"../../evil.txt": "evil", "fine": "fine"}, lines=["cat fine"]),
               {"state": "failed"}, own=True)

    def missing(world):
        body = payload(["echo never-''shown"])
        body["dependencies"] = [{"id": 999999, "name": "gone", "token": "glcbt-64_dependency0123456789", "artifacts_file": {"filename": "a.zip", "size": 1}}]
        world.server.stored.pop(999999, None)
        return body
    yield Case("missing dependency", missing, {"state": "failed", "lacks": ["never-shown"]})


def caches():
    def cache(key, paths=("c/",), **more):
        return {"key": key, "untracked": False, "policy": "pull-push", "paths": list(paths), "when": "on_success",
                "fallback_keys": [], **more}
    yield Case("cache round trip", lambda w: [
        payload(["mkdir c; echo cached-content > c/f"], project=9001, cache=[cache("key-a")], strategy="empty"),
        payload(["cat c/f"], project=9001, cache=[cache("key-a")], strategy="empty")],
        {**OK, "has": ["cached-content", "Successfully extracted cache", "Created cache"]})
    yield Case("cache fallback key", lambda w: [
        payload(["mkdir c; echo fallback-content > c/f"], project=9002, cache=[cache("key-b")], strategy="empty"),
        payload(["cat c/f"], project=9002, cache=[cache("key-c", fallback_keys=["key-b"])], strategy="empty")],
        {**OK, "has": ["fallback-content"]})
    yield script("cache pull only", ["echo x"], {**OK, "has": ["Not uploading cache key-d due to policy"]}, cache=[cache("key-d", policy="pull")])
    yield script("cache push only", ["mkdir -p c; echo 1 > c/f"], {**OK, "has": ["Not downloading cache key-e due to policy", "Created cache"]},
                 cache=[cache("key-e", policy="push")])
    yield script("cache of a failed job", ["mkdir -p c; echo 1 > c/f; exit 1"], failed(1, lacks=["Created cache"]), cache=[cache("key-f")])
    yield script("cache when always", ["mkdir -p c; echo 1 > c/f; exit 1"], failed(1, has=["Created cache"]), cache=[cache("key-g", when="always")])
    yield script("unknown cache policy", ["true"], {"state": "failed"}, cache=[cache("key-h", policy="bogus")])


def payload_errors():
    def broken(body):
        copy = dict(body)
        copy["steps"] = "not a list"
        return json.dumps(copy).encode()
    yield script("wrong type in the payload", ["true"], {"state": "failed", "reason": "runner_system_failure", "has": ["steps"]},
                 raw=broken, own=True, limit=20)
    yield script("unknown fields", ["echo fine"], {**OK, "has": ["fine"]}, brand_new_field={"x": [1]})
    yield script("nulls", ["echo fine"], OK, cache=None, artifacts=None, dependencies=None, services=None, credentials=None)
    yield script("trailing bytes", ["echo fine"], OK, raw=lambda body: json.dumps(body).encode() + b"\n garbage")


def all_cases():
    import importlib
    for group in (results, after_scripts, variables, masking, processes, cancel, sources, artifacts, caches, payload_errors):
        yield from group()
    for name in ("steps", "variables", "sources", "cancel", "transfer", "server", "runners"):
        yield from importlib.import_module("cases_" + name).all_cases()
