"""The server as a program: sizes, patience, secrets in its log, git and archives made to hurt."""

import gzip
import io
import os
import re
import socket
import struct
import time
import zipfile
import zlib

from browser import Visitor, raw, request, resident_kb
from client import TOKEN

MEGA = 1 << 20


def case_oversized(world):
    """Bodies, headers and addresses beyond their limits are refused early and cost nothing."""
    visitor = Visitor(world.server)
    visitor.get("/-/web/context")
    before = resident_kb(world.server.process)
    start = time.monotonic()
    answer = visitor.send("POST", "/-/web/session", {"login": "ann", "password": "x" * MEGA})
    assert answer.status == 413, answer.status
    assert visitor.sign_in("a" * 10_000, "x").status == 401
    assert visitor.sign_in("ann", "x" * 10_000).status == 401
    root = world.visitor("root")
    assert root.send("POST", "/api/v4/groups", {"name": "x" * (2 * MEGA), "path": "x"}).status == 413
    deep = "[" * 100_000 + "]" * 100_000
    answer = root.send("POST", "/api/v4/groups", deep, {"Content-Type": "application/json"})
    assert answer.status == 400, answer.status
    announced = raw(world.server, b"POST /-/web/session HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
    assert b" 413 " in announced.split(b"\r\n")[0], announced[:100]
    for head in (b"X-Long: " + b"a" * MEGA, b"\r\n".join(b"X-%d: a" % i for i in range(20_000)), b"Cookie: " + b"a=b; " * 50_000):
        got = raw(world.server, b"GET / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n")
        assert got == b"" or got.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400", b"HTTP/1.1 413")), got[:100]
    got = raw(world.server, b"GET /" + b"a" * MEGA + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert got == b"" or got.startswith((b"HTTP/1.1 4",)), got[:100]
    assert time.monotonic() - start < 60
    assert resident_kb(world.server.process) - before < 200_000


def case_slow_clients(world):
    """Hundreds of clients that never finish their requests keep nobody else waiting."""
    lazy = []
    for i in range(300):
        connection = socket.create_connection(("127.0.0.1", world.server.port), 10)
        connection.sendall((b"GET / HTTP/1.1\r\nHost: x\r\nX-A: b",
                            b"POST /-/web/session HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
                            b"POST /api/v4/groups HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")[i % 3])
        lazy.append(connection)
    start = time.monotonic()
    for _ in range(20):
        assert world.server.send("GET", "/-/health").status == 200
        assert Visitor(world.server).get("/users/sign_in").status in (200, 503)
    assert time.monotonic() - start < 10
    for connection in lazy:
        connection.close()


def case_requests_in_two_ways(world):
    """A request that two servers could read differently (smuggling) is refused."""
    for head in (b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: 5\r\nTransfer-Encoding: chunked",
                 b"Transfer-Encoding: xchunked", b"Content-Length: -1", b"Content-Length: 5x", b"Content-Length : 5"):
        got = raw(world.server, b"POST /-/web/session HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n0\r\n\r\nGET /-/health "
                  b"HTTP/1.1\r\nHost: x\r\n\r\n", timeout=3)
        assert got.count(b"HTTP/1.1 200") == 0, (head, got[:300])


def case_tokens_compared_in_constant_time():
    """Tokens are looked up by digest and compared in constant time wherever one is accepted."""
    sources = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/coordinator")
    lookups = 0
    for folder, _, names in os.walk(sources):
        for name in names:
            if not name.endswith(".cpp") or name.endswith("_test.cpp"):
                continue
            with open(os.path.join(folder, name)) as file:
                text = file.read()
            assert not re.search(r"(token|secret|password|digest)\w* == (request|params|given|call)\b", text), name
            for match in re.finditer(r"SELECT [^;]*?(?:token_digest|digest) = \?", text):
                if "DELETE" in match.group(0) or "count(" in match.group(0):
                    continue
                lookups += 1
    assert lookups >= 3, lookups
    for name in ("authenticate.cpp", "model/runner_tokens.cpp", "web/sessions.cpp"):
        with open(os.path.join(sources, name)) as file:
            assert "constant_time_equal" in file.read(), name


def case_guessed_tokens_take_alike(world):
    """A token that shares its beginning with a real one is not refused any slower than a random one."""
    def cost(token):
        best = 1.0
        connection = world.server.connection()
        for _ in range(200):
            start = time.perf_counter()
            answer = world.server.send("GET", "/api/v4/user", None, {"PRIVATE-TOKEN": token}, connection)
            best = min(best, time.perf_counter() - start)
            assert answer.status == 401
        connection.close()
        return best
    near, far = cost(TOKEN[:-1] + "_"), cost("glpat-" + "0" * (len(TOKEN) - 6))
    assert near / far < 3 and far / near < 3, (near, far)


def case_no_secret_in_the_log(world):
    """Tokens in queries, bodies and headers, passwords, cookies: none of it is in the server's log at debug level."""
    with world.another(level="debug") as server:
        from client import Runner
        visitor = Visitor(server)
        assert visitor.sign_in("root", world.root_password).status == 200
        token = server.api("POST", "user/runners", {"runner_type": "instance_type"}, expect=201)["token"]
        secrets = [TOKEN, token, visitor.cookie, visitor.csrf, world.root_password, "wrong-password-here",
                   "glpat-unknown-token-value"]
        for query in (f"private_token={TOKEN}", f"access_token={TOKEN}", "private_token=glpat-unknown-token-value"):
            server.send("GET", "/api/v4/projects?per_page=1&" + query)
            server.send("GET", f"/nothing/here?{query}")
            server.send("GET", f"/root/x.git/info/refs?service=git-upload-pack&{query}")
        answer = server.send("GET", f"/api/v4/projects?private_token={TOKEN}")
        assert TOKEN not in (answer.headers.get("Link") or "")
        Runner(server, token).poll()
        server.send("POST", f"/api/v4/runners/verify?token={token}", {"token": token})
        server.send("POST", "/api/v4/runners/verify", {"token": token + "x"})
        Visitor(server).sign_in("root", "wrong-password-here")
        server.send("GET", "/root/x.git/info/refs?service=git-upload-pack", None, {
            "Authorization": "Basic " + __import__("base64").b64encode(f"root:{TOKEN}".encode()).decode()})
        server.send("POST", "/api/v4/groups", "{broken " + TOKEN, {"Content-Type": "application/json", "PRIVATE-TOKEN": TOKEN})
        log = server.log()
        assert "request" in log, "nothing was logged at debug level"
        for secret in secrets:
            assert secret not in log, (secret[:12] + "…", [line for line in log.splitlines() if secret in line][:2])


def case_git_protocol_abuse(world):
    """Broken, foreign and swollen git requests end in errors, not in a process that stays or a file that appears."""
    project = world.project("git-abuse", "root")
    base = "/root/git-abuse.git"
    auth = ["Authorization: Basic " + __import__("base64").b64encode(f"root:{TOKEN}".encode()).decode()]
    for target in (f"{base}/info/refs?service=git-evil", f"{base}/info/refs?service=git-upload-pack;id",
                   f"{base}/info/refs?service=--help", f"{base}/info/refs", f"{base}/HEAD", f"{base}/config",
                   f"{base}/objects/info/packs", f"{base}/hooks/update", f"{base}/git-upload-archive"):
        status, _, body = request(world.server, target, headers=auth)
        assert status in (302, 400, 403, 404) and b"[core]" not in body, (target, status, body[:80])
    before = resident_kb(world.server.process)
    bodies = (b"", b"0000", b"ffff" + b"a" * 100, b"0001", b"zzzz", b"0032want " + b"0" * 40 + b"\n0000", os.urandom(4096),
              b"0009done\n", b"\0" * 65536)
    for service in ("git-upload-pack", "git-receive-pack"):
        for body in bodies:
            answer = world.server.send("POST", f"{base}/{service}", body, {
                "Authorization": auth[0].split(": ")[1], "Content-Type": f"application/x-{service}-request"})
            assert answer.status in (200, 400, 403, 404, 415, 500, 502), (service, body[:20], answer.status)
        bomb = gzip.compress(b"\0" * (64 * MEGA), 9)
        start = time.monotonic()
        answer = world.server.send("POST", f"{base}/{service}", bomb, {
            "Authorization": auth[0].split(": ")[1], "Content-Type": f"application/x-{service}-request",
            "Content-Encoding": "gzip"})
        assert time.monotonic() - start < 60, service
    assert resident_kb(world.server.process) - before < 200_000
    # References that would be options or leave refs/.
    tree = world.tree(project)
    tree.push("job: {script: [x]}\n")
    marker = os.path.join(world.directory, "made-by-git")
    for ref in (f"--output={marker}", "-x", f"--upload-pack=touch {marker}", "..", "main..main", "refs/../x", "@{-1}", "a b", "HEAD^{/x}"):
        answer = world.server.send("POST", f"/api/v4/projects/{project['id']}/pipeline", {"ref": ref}, {"PRIVATE-TOKEN": TOKEN})
        assert answer.status in (400, 404), (ref, answer.status, answer.body)
    assert not os.path.exists(marker)
    for name in ("refs/heads/../../x", "refs/pipelines/1", "refs/keep-around/x", "refs/heads/-x"):
        done = tree.git("push", tree.url, f"HEAD:{name}", check=False)
        assert done.returncode != 0 or name == "refs/heads/-x", (name, done.stderr)
    # Nobody without rights gets in, and git's own error says no more than 404 or a question for credentials.
    status, _, _ = request(world.server, f"{base}/info/refs?service=git-upload-pack")
    assert status == 401
    assert world.server.send("GET", "/-/health").status == 200


def bomb_with_many_entries(count):
    """A zip whose directory names many files, all of them the same few bytes."""
    data = zlib.compress(b"x" * 100)[2:-4]
    local = b"PK\x03\x04" + struct.pack("<5H3L2H", 20, 0, 8, 0, 33, zlib.crc32(b"x" * 100), len(data), 100, 1, 0) + b"a" + data
    out = io.BytesIO(local)
    out.seek(0, 2)
    begin = out.tell()
    for i in range(count):
        name = f"d{i % 100}/f{i}".encode()
        out.write(b"PK\x01\x02" + struct.pack("<6H3L5H2L", 20, 20, 0, 8, 0, 33, zlib.crc32(b"x" * 100), len(data), 100,
                                              len(name), 0, 0, 0, 0, 0, 0) + name)
    size = out.tell() - begin
    out.write(b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, count & 0xffff, count & 0xffff, size, begin, 0))
    return out.getvalue()


def case_zip_of_death(world):
    """Archives that are small and become large, name what is not theirs, or are not archives at all."""
    project = world.project("bombs", "root")
    tree = world.tree(project)
    swollen = io.BytesIO()
    with zipfile.ZipFile(swollen, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("zeros.bin", b"\0" * (200 * MEGA))
    leaving = io.BytesIO()
    with zipfile.ZipFile(leaving, "w") as archive:
        for name in ("../../secret.key", "/etc/passwd", "a/../../b", "ok.txt", "..\\x", "<script>alert(1)</script>"):
            archive.writestr(name, name)
    archives = {"swollen": swollen.getvalue(), "many": bomb_with_many_entries(60_000), "leaving": leaving.getvalue(),
                "noise": os.urandom(100_000), "cut": swollen.getvalue()[:-30], "empty": b"PK\x05\x06" + b"\0" * 18}
    tree.push("\n".join(f"{name}: {{script: [x], artifacts: {{paths: [x]}}}}" for name in archives) + "\n")
    runner = world.runner(project)
    root = world.visitor("root")
    while job := runner.poll():
        name = job["job_info"]["name"]
        runner.update(job, "running")
        uploaded = runner.upload(job, archives[name], artifact_type="archive", artifact_format="zip").status
        runner.update(job, "success")
        if uploaded != 201:
            assert name in ("noise", "cut", "empty"), (name, uploaded)
            continue
        before, start = resident_kb(world.server.process), time.monotonic()
        listed = root.get(f"/-/web/projects/{project['id']}/jobs/{job['id']}/artifacts")
        assert listed.status in (200, 422), (name, listed.status, listed.body[:200])
        assert listed.status == 200 or name in ("noise", "cut"), (name, listed.body[:200])
        assert time.monotonic() - start < 20, name
        if listed.status == 200:
            entries = listed.json["entries"]
            assert len(entries) <= 20_000, len(entries)
            assert name != "leaving" or "ok.txt" in [entry["path"] for entry in entries], entries
            for entry in entries:
                assert ".." not in entry["path"].split("/") and not entry["path"].startswith("/"), entry
        for path in ("zeros.bin", "..%2f..%2fsecret.key", "%2fetc%2fpasswd", "../../secret.key", "ok.txt", "%3Cscript%3Ealert(1)%3C%2Fscript%3E"):
            if name == "swollen" and path == "zeros.bin":
                continue
            answer = root.get(f"/api/v4/projects/{project['id']}/jobs/{job['id']}/artifacts/{path}")
            assert (answer.status == 200) == (name == "leaving" and path in ("ok.txt", "%3Cscript%3Ealert(1)%3C%2Fscript%3E")), (
                name, path, answer.status)
            if answer.status == 200:
                assert answer.headers["Content-Disposition"].startswith("attachment"), path
                assert answer.headers["X-Content-Type-Options"] == "nosniff" and b"root:" not in answer.body, path
        assert resident_kb(world.server.process) - before < 150_000, name
