"""A scripted coordinator: hands out given payloads over the runner REST contract and records every call.

Faults are scripted per job (see Job). Serves git over smart HTTP (git http-backend) with the job token as password.
Used by tests/jobs/run for our agent, and by hand for any other runner that speaks the contract.
"""
import base64
import http.server
import io
import json
import os
import re
import socket
import struct
import subprocess
import threading
import time
import urllib.parse
import zlib


RESET = 0  # as a status: the connection is reset instead


class Job:
    """One payload and what happened to it."""

    def __init__(self, payload, patch=None, put=None, upload=None, raw=None, request=None, runner_token=None):
        self.payload = payload
        self.request = list(request or [])  # (status, headers) answered to jobs/request before the job is handed out
        self.runner_token = runner_token  # the runner it waits for; None: any
        self.raw = raw  # bytes sent instead of the payload
        self.patch = patch  # (job, log) -> (status, headers) or None for the normal answer
        self.put = put  # (job, body) -> (status, headers) or None
        self.upload = upload  # (job, nth) -> status or (status, headers) or None
        self.posts = 0
        self.calls = []
        self.log = bytearray()
        self.updates = []
        self.uploads = []
        self.final = None
        self.done = threading.Event()
        self.status = "running"
        self.handed_out = None
        self.finished = None

    @property
    def id(self):
        return self.payload["id"]


class Coordinator:
    def __init__(self, git_root=None):
        self.jobs = {}
        self.queue = []
        self.lock = threading.Lock()
        self.git_root = git_root
        self.stored = {}  # job id -> artifact bytes to download
        self.download_statuses = {}  # job id -> list of statuses, or (status, headers), to answer first
        self.download_delay = {}  # job id -> seconds before an artifact is served
        self.git_statuses = {}  # repository path -> list of statuses to answer first; a float is a delay
        self.other_calls = []
        handler = type("Handler", (_Handler,), {"coordinator": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def add(self, job):
        with self.lock:
            self.jobs[job.id] = job
            self.queue.append(job)

    def next(self, token):
        """The next job of this runner, or what to answer instead."""
        with self.lock:
            for job in self.queue:
                if job.runner_token not in (None, token):
                    continue
                if job.request:
                    return None, job.request.pop(0)
                self.queue.remove(job)
                job.handed_out = time.monotonic()
                return job, None
            return None, None

    def close(self):
        self.server.shutdown()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    coordinator = None
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def _body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            data = io.BytesIO()
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                chunk = self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    return data.getvalue()
                data.write(chunk)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, status, body=b"", headers=None, content_type="application/json"):
        if status == RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return None
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204 and self.command != "HEAD":
            self.wfile.write(body)

    def _dispatch(self):
        body = self._body()
        path, _, query = self.path.partition("?")
        try:
            if path.startswith("/api/v4/"):
                return self._api(path[len("/api/v4/"):], urllib.parse.parse_qs(query), body)
            return self._git(path, query, body)
        except (BrokenPipeError, ConnectionResetError):
            return None

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _dispatch

    def _api(self, path, query, body):
        c = self.coordinator
        if path == "jobs/request":
            job, instead = c.next(json.loads(body).get("token"))
            if instead:
                return self._answer(instead[0], b"{}", instead[1])
            if job is None:
                return self._answer(204)
            raw = job.raw if job.raw is not None else json.dumps(job.payload).encode()
            job.calls.append("request")
            return self._answer(201, raw)
        if path == "runners/verify":
            return self._answer(200, json.dumps({"id": 1, "token": json.loads(body)["token"]}).encode())
        match = re.fullmatch(r"jobs/(\d+)(/trace|/artifacts)?", path)
        if not match or int(match[1]) not in c.jobs and int(match[1]) not in c.stored:
            c.other_calls.append((self.command, path))
            return self._answer(404, b'{"message":"404 Not Found"}')
        job = c.jobs.get(int(match[1]))
        if match[2] == "/trace":
            return self._patch(job, body)
        if match[2] == "/artifacts":
            return self._artifacts(int(match[1]), job, query, body)
        return self._put(job, json.loads(body))

    def _patch(self, job, body):
        start = int(self.headers["Content-Range"].split("-")[0])
        scripted = job.patch(job, bytes(job.log)) if job.patch else None
        if scripted and scripted[0] != 202:
            name = "PATCH %d" % scripted[0]
            if not job.calls or job.calls[-1] != name:
                job.calls.append(name)
            return self._answer(scripted[0], b"{}", scripted[1])
        if start != len(job.log):
            job.calls.append("PATCH 416")
            return self._answer(416, b"", {"Range": "0-%d" % len(job.log)})
        job.log += body
        scripted = job.patch(job, bytes(job.log)) if job.patch else None
        headers = {"Job-Status": job.status, "Range": "0-%d" % len(job.log)}
        if scripted:
            headers.update(scripted[1])
        if not job.calls or job.calls[-1] != "PATCH 202":
            job.calls.append("PATCH 202")
        return self._answer(202, b"0", headers)

    def _put(self, job, update):
        job.updates.append(update)
        state = update.get("state")
        scripted = job.put(job, update) if job.put else None
        status, headers = scripted or (200, {})
        headers = dict(headers)
        name = "PUT %s%s %d" % (state, " " + update["failure_reason"] if update.get("failure_reason") else "", status)
        if not (state == "running" and job.calls and job.calls[-1] == name):
            job.calls.append(name)
        if state in ("success", "failed") and (status == 200 or status == 403):
            job.final = update
            job.finished = time.monotonic()
            job.status = state
            job.done.set()
        headers.setdefault("Job-Status", job.status)
        return self._answer(status, str(status).encode(), headers)

    def _artifacts(self, job_id, job, query, body):
        c = self.coordinator
        if self.command == "POST":
            kind = query.get("artifact_type", ["archive"])[0]
            scripted = job.upload(job, job.posts) if job.upload else None
            status, headers = scripted if isinstance(scripted, tuple) else (201 if scripted is None else scripted, {})
            job.posts += 1
            job.calls.append("POST artifacts %s %d" % (kind, status))
            name, content = _multipart(self.headers["Content-Type"], body)
            job.uploads.append({"query": {k: v[0] for k, v in query.items()}, "name": name, "content": content})
            body = b'{"id":%d}' % job_id if status < 300 else b'{"message":"scripted"}'
            return self._answer(status, body, headers)
        statuses = c.download_statuses.get(job_id)
        time.sleep(c.download_delay.get(job_id, 0))
        if statuses:
            scripted = statuses.pop(0)
            status, headers = scripted if isinstance(scripted, tuple) else (scripted, {})
            return self._answer(status, b'{"message":"scripted"}', headers)
        if job_id not in c.stored:
            return self._answer(404, b'{"message":"404 Not Found"}')
        return self._answer(200, c.stored[job_id], content_type="application/octet-stream")

    def _git(self, path, query, body):
        for repository, statuses in list(self.coordinator.git_statuses.items()):
            if path.startswith("/" + repository) and statuses:
                status = statuses.pop(0)
                if not isinstance(status, float):
                    return self._answer(status, b"scripted", {}, "text/plain")
                time.sleep(status)
        credentials = self.headers.get("Authorization", "")
        if not credentials.startswith("Basic ") or b"gitlab-ci-token:" not in base64.b64decode(credentials[6:]):
            return self._answer(401, b"", {"WWW-Authenticate": 'Basic realm="git"'}, "text/plain")
        environment = dict(
            os.environ, GIT_PROJECT_ROOT=self.coordinator.git_root, GIT_HTTP_EXPORT_ALL="1", PATH_INFO=path,
            QUERY_STRING=query, REQUEST_METHOD=self.command, CONTENT_TYPE=self.headers.get("Content-Type", ""),
            REMOTE_USER="ci", GIT_CONFIG_COUNT="2", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*",
            GIT_CONFIG_KEY_1="uploadpack.allowAnySHA1InWant", GIT_CONFIG_VALUE_1="true")
        if self.headers.get("Git-Protocol"):
            environment["GIT_PROTOCOL"] = self.headers["Git-Protocol"]
        if self.headers.get("Content-Encoding") == "gzip":
            body = zlib.decompress(body, 31)
        environment["CONTENT_LENGTH"] = str(len(body))
        output = subprocess.run(["git", "http-backend"], input=body, env=environment, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, check=False).stdout
        head, _, content = output.partition(b"\r\n\r\n")
        status, headers, content_type = 200, {}, "application/octet-stream"
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(": ")
            if name == "Status":
                status = int(value.split()[0])
            elif name == "Content-Type":
                content_type = value
            elif name:
                headers[name] = value
        return self._answer(status, content, headers, content_type)


def _multipart(content_type, body):
    boundary = re.search(r'boundary="?([^";]+)', content_type)[1].encode()
    part = body.split(b"--" + boundary)[1]
    head, _, content = part.partition(b"\r\n\r\n")
    name = re.search(rb'filename="([^"]*)"', head)
    return (name[1].decode() if name else ""), content[:-2]
