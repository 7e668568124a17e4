"""A coordinator process, a REST client, a work tree and a runner made of plain requests."""

import ctypes
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from databases import database_environment  # noqa: E402

TOKEN = "glpat-black-box-root-token"
FEATURES = {name: True for name in (
    "variables", "artifacts", "cache", "upload_multiple_artifacts", "upload_raw_artifacts", "refspecs", "masking",
    "artifacts_exclude", "return_exit_code", "fallback_cache_keys", "cancel_gracefully", "two_phase_job_commit")}


LIBC = ctypes.CDLL(None)


def die_with_parent():
    """For a child: whatever ends the test, its server does not stay behind."""
    LIBC.prctl(1, signal.SIGKILL)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)


class Coordinator:
    """One data directory; start() and kill() as often as wanted, always at the same address."""

    def __init__(self, program, directory, *arguments):
        self.program, self.directory, self.arguments, self.port, self.process = program, directory, arguments, 0, None
        self.environment = {**os.environ, "FORERUNNER_ROOT_TOKEN": TOKEN, **database_environment()}

    def start(self):
        self.launch()
        self.wait_until_ready()

    # From a thread that lives as long as the test: the server dies with the thread that started it.
    def launch(self):
        self.process = subprocess.Popen(
            [self.program, "coordinator", "--listen", f"127.0.0.1:{self.port}", "--data-dir", self.directory + "/data",
             *self.arguments],
            stdout=subprocess.PIPE, stderr=open(self.directory + "/coordinator.log", "a"), text=True,
            preexec_fn=die_with_parent,
            env=self.environment)

    def wait_until_ready(self):
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), line
        self.url = line.split()[-1]
        self.port = int(self.url.rsplit(":", 1)[1])

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        status = self.process.wait(30)
        self.process.stdout.close()
        return status

    def connection(self, timeout=90):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def send(self, method, path, body=None, headers=None, connection=None):
        mine = connection or self.connection()
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers["Content-Type"] = "application/json"
        mine.request(method, path, body, headers)
        answer = Answer(mine.getresponse())
        if connection is None:
            mine.close()
        return answer

    def api(self, method, path, body=None, expect=None):
        answer = self.send(method, "/api/v4/" + path, body, {"PRIVATE-TOKEN": TOKEN})
        if expect is not None:
            assert answer.status == expect, (method, path, answer.status, answer.body)
        return answer.json if answer.body[:1] in (b"{", b"[") else answer.body


class Tree:
    """A git work tree that is pushed to one project."""

    def __init__(self, url):
        self.directory = tempfile.mkdtemp(prefix="tree-")
        self.url = url
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments, check=True, stdin=None):
        """`stdin`: bytes for its standard input."""
        done = subprocess.run(
            ["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org", *arguments], cwd=self.directory,
            capture_output=True, input=stdin, env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": "/dev/null"})
        done.stdout, done.stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        assert not check or done.returncode == 0, done.stderr
        return done

    def push(self, pipeline, message="change"):
        with open(self.directory + "/.gitlab-ci.yml", "w") as file:
            file.write(pipeline)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("push", self.url, "HEAD:refs/heads/main").stderr


class Runner:
    """What a runner's manager sends; one connection of its own."""

    def __init__(self, server, token, system_id="s_1"):
        self.server, self.token, self.system_id = server, token, system_id
        self.last_update, self.features = "", FEATURES
        self.connection = server.connection()

    def call(self, method, path, body=None, headers=None):
        return self.server.send(method, "/api/v4/" + path, body, headers, self.connection)

    def poll(self):
        body = {"token": self.token, "system_id": self.system_id, "info": {"features": self.features}}
        if self.last_update:
            body["last_update"] = self.last_update
        answer = self.call("POST", "jobs/request", body)
        assert answer.status in (201, 204), (answer.status, answer.body)
        self.last_update = answer.headers.get("X-GitLab-Last-Update") or self.last_update
        return answer.json if answer.status == 201 else None

    def update(self, job, state, **more):
        return self.call("PUT", f"jobs/{job['id']}", {"token": job["token"], "state": state, **more})

    def patch(self, job, start, text):
        return self.call("PATCH", f"jobs/{job['id']}/trace?debug_trace=false", text,
                         {"JOB-TOKEN": job["token"], "Content-Type": "text/plain",
                          "Content-Range": f"{start}-{start + len(text) - 1}"})

    def upload(self, job, content, name="artifacts.zip", **query):
        edge = "edge0123456789"
        body = (f"--{edge}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n"
                "Content-Type: application/octet-stream\r\n\r\n").encode() + content + f"\r\n--{edge}--\r\n".encode()
        return self.call("POST", f"jobs/{job['id']}/artifacts?" + urllib.parse.urlencode(query), body,
                         {"JOB-TOKEN": job["token"], "Content-Type": "multipart/form-data; boundary=" + edge})

    def download(self, number, token, byte_range=None):
        headers = {"JOB-TOKEN": token}
        if byte_range:
            headers["Range"] = byte_range
        return self.call("GET", f"jobs/{number}/artifacts?direct_download=true", None, headers)
