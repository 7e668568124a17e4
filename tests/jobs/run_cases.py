"""Runs job cases through a runner and reports what happened to each."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import coordinator as fake
import payloads

HEAD = """concurrent = {concurrent}
check_interval = 1
shutdown_timeout = 5
"""
RUNNER = """
[[runners]]
  name = "case-runner"
  url = "{url}"
  id = 1
  token = "{token}"
  executor = "shell"
  limit = 0
  request_concurrency = {concurrent}
  builds_dir = "{work}/builds"
  cache_dir = "{work}/cache"
"""
# What a case may ask for by name: the lines of its [[runners]] section that are not the usual ones.
DEFAULT = {"shell": '"bash"', "output_limit": "4096"}
RUNNERS = {
    "default": {},
    "sh": {"shell": '"sh"'},
    "small log": {"output_limit": "2"},
    "environment": {"environment": '["R_PLAIN=from-runner", "R_EMPTY=", "R_REF=[$CI_JOB_ID]", "no-equals", '
                                   '"R_OVER=from-runner", "GIT_DEPTH=3", "R_EQ=a=b=c"]'},
    "build scripts": {"pre_build_script": '"echo pre-build; PRE=from-pre"', "post_build_script": '"echo post-build-$PRE"'},
    "failing pre_build": {"pre_build_script": '"echo pre-build\\nexit 5"', "post_build_script": '"echo post-build"'},
    "failing post_build": {"post_build_script": '"echo post-build\\nexit 6"'},
    "hooks": {"pre_get_sources_script": '"echo config-pre-hook"', "post_get_sources_script": '"echo config-post-hook in $(ls)"'},
    "failing hook": {"pre_get_sources_script": '"echo config-pre-hook; exit 7"'},
    "custom dir": {"custom_build_dir": "{{ enabled = true }}"},
    "no trace": {"debug_trace_disabled": "true"},
    "timeouts": {"get_sources_timeout": '"3s"'},
    "clean config": {"clean_git_config": "true"},
    "clone url": {"clone_url": '"{url}"'},
    "flags": {"feature_flags": "{{ FF_SCRIPT_SECTIONS = true, FF_ENABLE_JOB_CLEANUP = false }}"},
    "requests": {},
    "unknown shell": {"shell": '"fish"'},
}
# Home directories of the runner's user; each needs a runner of its own.
HOMES = {
    "plain": {},
    "profile exits": {".bash_profile": "exit 3\n"},
    "profile fails": {".bash_profile": "false\n"},
    "profile prints": {".bash_profile": "echo from-profile; echo on-stderr >&2\n"},
    "profile sets options": {".bash_profile": "set -u; set -f; set -o noclobber; IFS=:; alias echo='echo aliased'; cd /\n"},
    "profile is broken": {".bash_profile": "if true; then\n"},
    "logout fails": {".bash_logout": "false\n"},
    "logout exits": {".bash_logout": "exit 9\n"},
    "logout as in Debian": {".bash_logout": 'if [ "$SHLVL" = 1 ]; then\n  [ -x /usr/bin/clear_console ] && /usr/bin/clear_console -q\nfi\n'},
    "profile reads": {".bash_profile": "read -t 1 x; cat > /dev/null\n"},
    "profile is slow": {".bash_profile": "sleep 8\n"},
    "git user": {".gitconfig": "[user]\n\tname = Home\n\temail = h@example.com\n[core]\n\tautocrlf = input\n[alias]\n\tfetch = !false\n"},
    "git rewrites": {".gitconfig": '[url "http://127.0.0.1:1/"]\n\tinsteadOf = http://nowhere.invalid/\n[fetch]\n\tprune = true\n[core]\n\tquotePath = false\n'},
    "git broken": {".gitconfig": "[core\n"},
}


def token_of(runner):
    return "glrt-t1_%09dcaseRunner0123" % list(RUNNERS).index(runner)


class Case:
    def __init__(self, name, make, expect=None, patch=None, put=None, upload=None, raw=None, limit=90, own=False,
                 after=None, request=None, runner="default", home="plain"):
        self.name = name
        self.make = make  # (world) -> payload, or a list of payloads run one after the other; the last one counts
        self.expect = expect or {}
        self.faults = {"patch": patch, "put": put, "upload": upload, "request": request}
        self.runner = runner  # one of RUNNERS
        self.home = home  # one of HOMES
        self.raw = raw
        self.limit = limit  # seconds
        self.own = own  # a wish of ours: the genuine runner is not expected to pass
        self.after = after  # (result, world) -> problem or None


class World:
    """One runner process, its directories, and the repositories that payloads may use."""

    def __init__(self, binary, concurrent=8, environment=None, home="plain"):
        self.work = tempfile.mkdtemp(prefix="forerunner-jobs.")
        self.git_root = os.path.join(self.work, "git")
        os.makedirs(self.git_root)
        self.server = fake.Coordinator(self.git_root)
        self.url = self.server.url
        self.repositories = {}
        config = os.path.join(self.work, "config.toml")
        with open(config, "w", encoding="utf-8") as file:
            given = {"url": self.url, "work": self.work, "concurrent": concurrent}
            file.write(HEAD.format(**given))
            for name, lines in RUNNERS.items() if home == "plain" else [("default", {})]:
                file.write(RUNNER.format(token=token_of(name), **given))
                for key, value in {**DEFAULT, **lines}.items():
                    file.write("  %s = %s\n" % (key, value.format(**given) if "{" in value else value))
        os.makedirs(os.path.join(self.work, "home"))
        for name, content in HOMES[home].items():
            with open(os.path.join(self.work, "home", name), "w", encoding="utf-8") as file:
                file.write(content)
        self.environment = dict(os.environ, HOME=os.path.join(self.work, "home"),
                                FORERUNNER_STATE_DIR=os.path.join(self.work, "state"), **(environment or {}))
        self.binary = binary
        self.log = open(os.path.join(self.work, "runner.log"), "wb")
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [self.binary, "run", "--config", os.path.join(self.work, "config.toml"), "--working-directory", self.work],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, env=self.environment, start_new_session=True)

    def repository(self, name="group/project.git", files=None, build=None):
        """`build(world, run, work)` adds to the one commit; the branch main is what counts."""
        if name not in self.repositories:
            more = (lambda run, work: build(self, run, work)) if build else None
            self.repositories[name] = payloads.make_repository(self.git_root, name, files, more)
        return ("%s/%s" % (self.url, name), self.repositories[name], "main")

    def stop(self, remove=True):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.server.close()
        if remove:
            shutil.rmtree(self.work, ignore_errors=True)


def survivors(marker):
    found = subprocess.run(["pgrep", "-f", marker], stdout=subprocess.PIPE, check=False).stdout.split()
    return [pid for pid in found if int(pid) != os.getpid()]


ESCAPES = re.compile(r"\x1b\[[0-9;]*[mK]")
SECTION = re.compile(r"section_(start|end):\d+:([A-Za-z0-9_. -]+)(\[[^\]]*\])?\r")


def normalize(log, work):
    """The log without what legitimately differs: versions, times, ids, directories, colours."""
    text = log.decode("utf-8", "replace").replace(work, "<work>")
    text = SECTION.sub(lambda m: "<%s %s>" % (m[1], m[2]), text)
    text = re.sub(r"Running with \S+ .*", "Running with <runner>", text)
    text = re.sub(r"  on case-runner .*", "  on <runner>", text)
    text = re.sub(r"(Gitaly correlation ID: ).*", r"\1<id>", text)
    text = re.sub(r"glcbt-64_\d+", "<token>", text)
    # What 19.x changed in the log since 18.1: one line for the verdict, the prefix of a short token.
    text = re.sub(r"(ERROR: Job failed[^\n]*)\n\x1b\[0;m", "\\1\x1b[0;m", text)
    text = re.sub(r"builds/(t1_\d{6}|\d{9})/", "builds/<runner>/", text)
    text = re.sub(r"http://127\.0\.0\.1:\d{3,}", "http://<server>", text)
    text = re.sub(r"(=|\[0;m=)127\.0\.0\.1:\d+", r"\1<server>", text)
    text = re.sub(r"Runtime platform .*", "Runtime platform", text)
    text = re.sub(r"\b[0-9a-f]{40}\b", "<sha>", text)
    text = re.sub(r"Checking out [0-9a-f]{8} ", "Checking out <sha> ", text)
    text = re.sub(r"(jobs/|id(?:\x1b\[0;m)?=|\()\d{4,6}\b", r"\1<id>", text)
    text = re.sub(r"(line N:) +\d+ ", r"\1 <pid> ", text)
    # Said after the last attempt, too; ours waits only between attempts.
    text = re.sub("\x1b\\[32;1mRetrying in \\S+\x1b\\[0;m\n", "", text)
    text = re.sub(r"(correlation_id\S*=)[0-9A-Za-z]+", r"\1<id>", text)
    text = re.sub(r"archive\S*size=\d+|duration=\S+", "<number>", text)
    text = re.sub(r"project-\d+", "project-N", text)
    text = re.sub(r"bash: (eval: )?line \d+:", "bash: line N:", text)
    lines = [line for line in text.split("\n") if "  feature flags:" not in line]
    return "\n".join(lines)


def plain(text):
    return ESCAPES.sub("", text)


class Result:
    def __init__(self, case, job, work):
        self.case = case
        self.job = job
        self.state = (job.final or {}).get("state", "none")
        self.reason = (job.final or {}).get("failure_reason", "")
        self.exit_code = (job.final or {}).get("exit_code", 0)
        self.log = normalize(bytes(job.log), work)
        self.text = plain(self.log)
        self.raw_log = bytes(job.log)
        self.calls = job.calls
        self.uploads = job.uploads
        self.seconds = (job.finished or time.monotonic()) - (job.handed_out or time.monotonic())

    def problems(self, world):
        expect, found = self.case.expect, []
        for key, value in (("state", self.state), ("reason", self.reason), ("exit_code", self.exit_code)):
            if key in expect and expect[key] != value:
                found.append("%s is %r, not %r" % (key, value, expect[key]))
        for text in expect.get("has", []):
            if text not in self.text:
                found.append("the log lacks %r" % text)
        for text in expect.get("lacks", []):
            if text in self.text or text.encode() in self.raw_log:
                found.append("the log has %r" % text)
        if "calls" in expect and self.calls != expect["calls"]:
            found.append("calls are %r" % self.calls)
        if "under" in expect and self.seconds > expect["under"]:
            found.append("took %.1f s" % self.seconds)
        if "marker" in expect:
            left = survivors(expect["marker"])
            if left:
                found.append("survivors %r" % left)
                for pid in left:
                    os.kill(int(pid), signal.SIGKILL)
        if self.job.final and "output" in self.job.final and self.job.status in ("success", "failed"):
            size = self.job.final["output"].get("bytesize", 0)
            if self.state == "success" and self.raw_log and size != len(self.raw_log):
                found.append("bytesize %d, log has %d" % (size, len(self.raw_log)))
        if self.case.after and not found:
            problem = self.case.after(self, world)
            if problem:
                found.append(problem)
        return found


def run(world, cases, parallel=8, report=None):
    """Runs all cases, some at a time; yields Result in the order they end."""
    waiting, active, results = list(cases), [], []
    while waiting or active:
        while waiting and len(active) < parallel:
            case = waiting.pop(0)
            made = case.make(world)
            chain = made if isinstance(made, list) else [made]
            jobs = [fake.Job(p, runner_token=token_of(case.runner)) for p in chain]
            jobs[-1].patch, jobs[-1].put, jobs[-1].upload = (case.faults[k] for k in ("patch", "put", "upload"))
            jobs[-1].request = list(case.faults["request"] or [])
            jobs[-1].raw = case.raw(chain[-1]) if case.raw else None
            world.server.add(jobs[0])
            active.append((case, jobs, time.monotonic()))
        for entry in list(active):
            case, jobs, started = entry
            if len(jobs) > 1 and jobs[0].done.is_set():
                jobs.pop(0)
                world.server.add(jobs[0])
            elif jobs[0].done.is_set() or time.monotonic() - started > case.limit:
                active.remove(entry)
                result = Result(case, jobs[-1], world.work)
                results.append(result)
                if report:
                    report(result)
        time.sleep(0.01)
    return results


def run_all(binary, chosen, report):
    """Runs the cases, grouped by the home directory they need; report(result, problems, world) for each."""
    kept = []
    for home in HOMES:
        cases = [c for c in chosen if c.home == home]
        if not cases:
            continue
        world = World(binary, home=home)
        failed = False

        def judge(result, world=world):
            nonlocal failed
            problems = result.problems(world)
            failed = failed or bool(problems)
            report(result, problems, world)

        run(world, cases, report=judge)
        world.stop(remove=not failed)
        if failed:
            kept.append("%s/runner.log" % world.work)
    return kept


def main():
    import cases
    binary = os.environ.get("FORERUNNER") or sys.exit("set FORERUNNER to the program")
    wanted = sys.argv[1:]
    chosen = [c for c in cases.all_cases() if not wanted or any(w in c.name for w in wanted)]
    failed = 0

    def report(result, problems, _):
        nonlocal failed
        print("%-4s %-52s %5.2f s  %s" % ("ok" if not problems else "FAIL", result.case.name, result.seconds,
                                         "; ".join(problems)), flush=True)
        if problems:
            failed += 1
            print("     state %s, reason %s, exit code %s, calls %s" % (
                result.state, result.reason, result.exit_code, result.calls))
            print("\n".join("     | " + line for line in result.log.split("\n")[-40:]))

    kept = run_all(binary, chosen, report)
    if failed:
        print("runner logs: %s" % " ".join(kept))
    print("%d cases, %d failed" % (len(chosen), failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
