"""The server as a program: sizes, patience, secrets in its log, git and archives made to hurt."""

import gzip
import hashlib
import http.client
import io
import os
import re
import socket
import struct
import time
import zipfile
import zlib
from urllib.parse import quote

from archives import ARCHIVES, honest
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


def case_parameters_that_explode(world):
    """A body of a megabyte, by somebody without any right, costs no minutes, no memory and not the server."""
    form, js = {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "application/json"}
    bodies = (("a" + "[b]" * 300_000 + "=1", form), ("&".join(["a[]=1"] * 150_000), form),
              ("&".join(f"a{i}=" for i in range(100_000)), form), ("a[" * 300_000, form),
              ("{" + ",".join(f'"a-{i}":1' for i in range(70_000)) + "}", js), ("[" * 500_000, js),
              ('{"a":' * 150_000, js), ('{"token":"x","tag_list":"' + ",".join(map(str, range(140_000))) + '"}', js),
              ('{"token":"x","tag_list":[' + ",".join(map(str, range(140_000))) + "]}", js),
              ('{"token":"x","maximum_timeout":1e999,"info":{"name":"' + "\\ud800" * 100_000 + '"}}', js))
    start = time.monotonic()
    for path in ("/api/v4/runners", "/api/v4/runners/verify", "/-/web/session"):
        for body, kind in bodies:
            answer = world.server.send("POST", path, body, kind)
            assert answer.status in (400, 403, 410, 413), (path, body[:20], answer.status)
            assert len(answer.body) < 2000 and sum(map(len, answer.headers.values())) < 4000, (path, body[:20])
        status, _, _ = request(world.server, path + "?a" + "[b]" * 15_000 + "=1", "POST", ["Content-Length: 0"])
        assert status in (400, 403, 410), status
    assert time.monotonic() - start < 60, time.monotonic() - start
    assert world.server.send("GET", "/-/health").status == 200


def spooled(world):
    """Bytes of bodies that lie in the server's spool directory."""
    found = 0
    for folder, _, names in os.walk(world.directory + "/data"):
        for name in names:
            if name.startswith("upload-"):
                found += os.path.getsize(os.path.join(folder, name))
    return found


def head_only(world, path, length, *headers):
    """The status line for a request whose body was announced and never sent."""
    with socket.create_connection(("127.0.0.1", world.server.port), 20) as connection:
        connection.sendall("\r\n".join([f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {length}", *headers,
                                        "", ""]).encode())
        return int(connection.recv(65536).split()[1])


def case_bodies_need_a_right(world):
    """Nothing of a large body is taken in before its sender may send it, and no more than he may."""
    project = world.project("bodies", "root")
    giga = 4 << 30
    for path in ("/root/bodies.git/git-receive-pack", "/root/bodies.git/git-upload-pack", "/nobody/x.git/git-receive-pack"):
        assert head_only(world, path, giga) == 401, path
    for path in ("/", "/root/bodies", "/root/bodies.git/other", "/users/sign_in"):
        assert head_only(world, path, giga) == 404, path
    assert head_only(world, "/api/v4/jobs/1/artifacts", giga, "JOB-TOKEN: wrong") == 403
    assert head_only(world, "/api/v4/jobs/1/artifacts", giga) == 400
    # A part of the body lies there already when the answer comes.
    with socket.create_connection(("127.0.0.1", world.server.port), 20) as connection:
        connection.sendall(b"POST /root/bodies.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % giga)
        connection.sendall(b"x" * 100_000)
        assert b" 401 " in connection.recv(65536).split(b"\r\n")[0]
    assert spooled(world) == 0
    tree = world.tree(project)
    tree.push("job: {script: [x], artifacts: {paths: [x]}}\n")
    runner = world.runner(project)
    job = runner.poll()
    assert runner.update(job, "running").status == 200
    before = world.server.api("GET", "application/settings", expect=200)["max_artifacts_size"]
    world.server.api("PUT", "application/settings", {"max_artifacts_size": 1}, expect=200)
    path, token = f"/api/v4/jobs/{job['id']}/artifacts", f"JOB-TOKEN: {job['token']}"
    assert head_only(world, path, 3 * MEGA, token) == 413
    # What was not announced is cut while it comes.
    with socket.create_connection(("127.0.0.1", world.server.port), 20) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{token}\r\n\r\n".encode())
        chunk = b"%x\r\n" % MEGA + b"x" * MEGA + b"\r\n"
        try:
            for _ in range(3):
                connection.sendall(chunk)
            answer = connection.recv(65536)
        except (BrokenPipeError, ConnectionResetError):
            answer = b" 413 "
        assert b" 413 " in answer.split(b"\r\n")[0], answer[:100]
    assert runner.upload(job, b"x" * (2 * MEGA)).status == 413
    assert runner.upload(job, b"x" * 1000).status == 201
    world.server.api("PUT", "application/settings", {"max_artifacts_size": before}, expect=200)
    assert runner.update(job, "success").status == 200
    assert spooled(world) == 0


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
    tokens = {"near": TOKEN[:-1] + "_", "far": "glpat-" + "0" * (len(TOKEN) - 6)}
    connection = world.server.connection()
    seen = []
    # In turns, so that what else the machine does meets both alike; of many the quickest is the request itself.
    for _ in range(4):
        best = {"near": 1.0, "far": 1.0}
        for _ in range(200):
            for name, token in tokens.items():
                start = time.perf_counter()
                answer = world.server.send("GET", "/api/v4/user", None, {"PRIVATE-TOKEN": token}, connection)
                best[name] = min(best[name], time.perf_counter() - start)
                assert answer.status == 401
        seen.append(best)
        if 0.7 < best["near"] / best["far"] < 1.4:
            break
    connection.close()
    assert 0.7 < seen[-1]["near"] / seen[-1]["far"] < 1.4, seen


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
    # Of a parameter given twice git would take the other one.
    _, fields, _ = request(world.server, f"{base}/info/refs?service=git-upload-pack&service=git-receive-pack", headers=auth)
    kinds = [field for field in fields if field.lower().startswith("content-type:")]
    assert kinds == ["Content-Type: application/x-git-upload-pack-advertisement"], kinds
    for protocol in ("version=2", "version=99", "version=2:x=" + "y" * 50_000, "version=2;id", "$(id)", "\xff", "object-format=sha256"):
        status, _, _ = request(world.server, f"{base}/info/refs?service=git-upload-pack",
                               headers=[*auth, f"Git-Protocol: {protocol}"])
        assert status == 200, (protocol[:30], status)
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
    # More references than anybody has, each of which the hook would ask about.
    def push_of(count):
        head = tree.git("rev-parse", "HEAD").stdout.strip()
        lines = [f"{'0' * 40} {head} refs/heads/many/b{i}" + ("\0report-status side-band-64k" if i == 0 else "") for i in range(count)]
        pack = b"PACK" + struct.pack(">2L", 2, 0)
        body = b"".join(b"%04x" % (len(line) + 4) + line.encode() for line in lines) + b"0000" + pack + hashlib.sha1(pack).digest()
        return world.server.send("POST", f"{base}/git-receive-pack", body, {
            "Authorization": auth[0].split(": ")[1], "Content-Type": "application/x-git-receive-pack-request"}).body
    answer = push_of(10_500)
    assert b"at most 10000 references" in answer and b"ok refs/heads/many" not in answer, answer[:300]
    assert b"ok refs/heads/many/b2" in push_of(3)
    assert len(tree.git("ls-remote", tree.url, "refs/heads/many/*").stdout.splitlines()) == 3
    # Submodules and trees that a checkout would act on.
    for name in ("..", ".git", ".GIT", "git~1"):
        blob = tree.git("hash-object", "-w", "--stdin", stdin=b"x").stdout.strip()
        tree_id = tree.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin",
                           stdin=b"100644 " + name.encode() + b"\0" + bytes.fromhex(blob)).stdout.strip()
        commit = tree.git("commit-tree", "-m", "x", tree_id).stdout.strip()
        done = tree.git("push", tree.url, f"{commit}:refs/heads/evil", check=False)
        assert done.returncode != 0, (name, done.stderr)
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


def case_configurations_that_explode(world):
    """Whatever is pushed as .gitlab-ci.yml: the push ends soon, with a pipeline or with errors."""
    project = world.project("explode", "root")
    tree = world.tree(project)
    laughs = "x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n" + "".join(
        f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 10)}]\n" for i in range(1, 12)) + "job: {script: *x11}\n"
    hidden = "".join(f".x{i}: &x{i}\n  <<: [{', '.join([f'*x{i - 1}'] * 10)}]\n" if i else ".x0: &x0 {a: b}\n" for i in range(30))
    configurations = {
        "laughs": laughs, "merges": hidden + "job: {script: [x]}\n", "deep": "job: " + "[" * 50_000 + "]" * 50_000 + "\n",
        "maps": "job: " + "{a: " * 20_000 + "x" + "}" * 20_000 + "\n", "large": "# x\n" * (3 * MEGA // 4) + "job: {script: [x]}\n",
        "matrix": "job: {script: [x], parallel: {matrix: [{" + ", ".join(f"V{i}: [1, 2, 3, 4, 5, 6, 7, 8, 9]" for i in range(12)) + "}]}}\n",
        "include": "include: [.gitlab-ci.yml]\njob: {script: [x]}\n",
        "extends": "".join(f".j{i}: {{extends: [.j{i + 1}, .j{i + 1}]}}\n" for i in range(40)) + "job: {script: [x], extends: .j0}\n",
        "reference": ".a: {script: [!reference [.a, script], !reference [.a, script]]}\njob: {script: [!reference [.a, script]]}\n",
        "regex": "job:\n  script: [x]\n  rules: [{if: '\"" + "a" * 5000 + "!\" =~ /^(a+)+$/'}, {if: '$X =~ /((((a{1,99}){1,99}){1,99}){1,99})/'}]\n",
        "variables": "variables:\n  V0: " + "x" * 1000 + "\n" + "".join(f"  V{i}: $V{i - 1}$V{i - 1}\n" for i in range(1, 60)) + "job: {script: [x]}\n",
        "bytes": "\x01\x02job: {script: [x]}\n", "tag": "job: !ruby/object:Gem::Installer {script: [x]}\n",
    }
    before = resident_kb(world.server.process)
    for name, text in configurations.items():
        start = time.monotonic()
        tree.push(text, message="explode " + "m" * 100)
        took = time.monotonic() - start
        assert took < 45, (name, took)
        assert world.server.send("GET", "/-/health").status == 200, name
        assert resident_kb(world.server.process) - before < 600_000, (name, resident_kb(world.server.process) - before)
    pipelines = world.server.api("GET", f"projects/{project['id']}/pipelines?per_page=100", expect=200)
    assert len(pipelines) >= len(configurations) - 2, len(pipelines)


def case_archives_that_lie(world):
    """Whatever a zip says of itself: an answer, quickly, in little memory, and never a byte that is not in it."""
    project = world.project("liars", "root")
    tree = world.tree(project)
    tree.push("\n".join(f"{name}: {{script: [x], artifacts: {{paths: [x]}}}}" for name in ARCHIVES) + "\n")
    runner, root = world.runner(project), world.visitor("root")
    before, seen = resident_kb(world.server.process), set()
    while job := runner.poll():
        name = job["job_info"]["name"]
        seen.add(name)
        assert runner.update(job, "running").status == 200
        assert runner.upload(job, ARCHIVES[name]).status == 201, name
        assert runner.update(job, "success").status == 200
        base, start = f"projects/{project['id']}/jobs/{job['id']}/artifacts", time.monotonic()
        listed = root.get("/-/web/" + base)
        assert listed.status in (200, 422), (name, listed.status, listed.body[:200])
        paths = {"f", "g", "big", "f/passwd", "f/x", "a.zip", "dev"}
        for entry in listed.json["entries"] if listed.status == 200 else ():
            path = entry["path"]
            assert path.isprintable() or "\u202e" in path, (name, path)
            assert ".." not in path.split("/") and not path.startswith("/") and "\\" not in path, (name, path)
            paths.add(path)
        for path in sorted(paths):
            if path.endswith("/"):
                assert root.get("/-/web/" + base + "?path=" + quote(path, safe="")).status in (200, 400, 404, 422), (name, path)
                continue
            try:
                answer = root.get(f"/api/v4/{base}/{quote(path, safe='')}?inline=1")
            except (http.client.IncompleteRead, ConnectionError):
                assert name in ("crc", "smaller", "larger"), (name, path)  # noticed while it is sent, and cut
                continue
            assert answer.status in (200, 404, 422), (name, path, answer.status)
            assert "Set-Cookie" not in answer.headers and b"root:" not in answer.body, (name, path)
            if answer.status == 200:
                assert answer.body in (b"data", b"second", b"in a file", b"x") or name == "nested", (name, path, answer.body[:50])
        assert time.monotonic() - start < 20, name
        assert resident_kb(world.server.process) - before < 150_000, name
    assert seen == set(ARCHIVES), seen


def case_file_names_of_uploads(world):
    """The name that an uploader gives his file stays a name: in headers, on the disk, in a download."""
    project = world.project("uploads", "root")
    tree = world.tree(project)
    names = {"path": "../../../../etc/cron.d/x", "quote": 'a"; filename="evil.html', "long": "n" * 10_000, "bytes": "\xff\xfe",
             "page": "x.html", "control": "a\x1b[2J\x01b", "empty": ""}
    tree.push("\n".join(f"{name}: {{script: [x], artifacts: {{paths: [x]}}}}" for name in names) + "\n")
    runner, root = world.runner(project), world.visitor("root")
    while job := runner.poll():
        name = names[job["job_info"]["name"]]
        runner.update(job, "running")
        quoted = name.replace("\\", "\\\\").replace('"', '\\"').encode("latin-1")
        body = (b'--e\r\nContent-Disposition: form-data; name="file"; filename="' + quoted + b'"\r\n\r\n' +
                honest([("f", "x")]) + b"\r\n--e--\r\n")
        answer = runner.call("POST", f"jobs/{job['id']}/artifacts", body, {
            "JOB-TOKEN": job["token"], "Content-Type": "multipart/form-data; boundary=e"})
        assert answer.status == 201, (name, answer.status, answer.body)
        runner.update(job, "success")
        answer = root.get(f"/api/v4/projects/{project['id']}/jobs/{job['id']}/artifacts")
        disposition = answer.headers["Content-Disposition"]
        assert answer.status == 200 and disposition.startswith('attachment; filename="'), disposition
        assert len(disposition) < 1200 and disposition.count('"') == 2 and "/" not in disposition, disposition
        assert disposition.isascii() and disposition.isprintable(), disposition
        shown = root.get(f"/-/web/projects/{project['id']}/jobs/{job['id']}/artifacts")
        assert shown.status == 200 and shown.json["archive"]["filename"].isprintable(), shown.body[:300]
    # Forms that are none.
    tree.push("one: {script: [x], artifacts: {paths: [x]}}\n")
    job = runner.poll()
    runner.update(job, "running")
    part = b'--e\r\nContent-Disposition: form-data; name="%s"\r\n\r\nx\r\n'
    for body in (b"", b"--e--", b"--e\r\n", part * 2000 % ((b"a",) * 2000) + b"--e--\r\n", b"--e\r\n" + b"X: y\r\n" * 100_000,
                 b'--e\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nnever ends', b"\r\n--e" * 50_000,
                 part % b"artifact_type" + b"--e--\r\n"):
        answer = runner.call("POST", f"jobs/{job['id']}/artifacts", body, {
            "JOB-TOKEN": job["token"], "Content-Type": "multipart/form-data; boundary=e"})
        assert answer.status in (400, 413), (body[:40], answer.status)
    runner.update(job, "failed")


def case_logs_at_odd_places(world):
    """A piece of a log stands where the last one ended or nowhere: no hole, no end beyond the limit, no other job's log."""
    project = world.project("odd-logs", "root")
    tree = world.tree(project)
    tree.push("one: {script: [x]}\ntwo: {script: [x]}\n")
    runner = world.runner(project)
    job, other = runner.poll(), runner.poll()
    for each in (job, other):
        assert runner.update(each, "running").status == 200

    def patch(content_range, body=b"x", token=job["token"], at=job["id"]):
        headers = {"JOB-TOKEN": token, "Content-Type": "text/plain"}
        if content_range is not None:
            headers["Content-Range"] = content_range
        return runner.call("PATCH", f"jobs/{at}/trace", body, headers).status

    assert patch("0-2", b"abc") == 202
    for odd in (None, "", "x", "-", "-1", "bytes 0-1/2", "1e3-2", "0x10-", "3", "3;5", "99999999999999999999-1"):
        assert patch(odd) in (400, 416), odd
    for hole in ("4-4", "1000-1000", "2-2", "0-0"):
        assert patch(hole, b"ZZ") == 416, hole
    assert patch("1-2", b"ZZ") == 202  # taken for what was sent before; what was stored stays
    assert patch("0-2", b"abc", token=other["token"]) == 403
    assert patch("0-2", b"abc", token="") in (400, 403)
    assert patch("0-0", b"abc", at=10**15) == 403
    assert patch("0-8388609", b"x" * (8 * MEGA + 1)) == 413
    runner.connection = world.server.connection()
    log = world.server.send("GET", f"/api/v4/projects/{project['id']}/jobs/{job['id']}/trace", None, {"PRIVATE-TOKEN": TOKEN})
    assert log.body == b"abc", log.body[:100]
    # Beyond the limit the job ends, and takes no disk for it.
    assert patch("9223372036854775000-9223372036854775806") == 403
    assert runner.update(job, "success").status == 403
    assert runner.update(other, "success").status == 200
    for odd in ("bytes=-0", "bytes=--5", "bytes=-9223372036854775808", "bytes=--9223372036854775808", "bytes=5-1", "bytes=0-,1-",
                "bytes=99-", "bytes=0-99999999999999999999", "lines=1-2", "bytes=" + "0-0," * 5000):
        answer = world.server.send("GET", f"/api/v4/projects/{project['id']}/jobs/{job['id']}/trace", None, {
            "PRIVATE-TOKEN": TOKEN, "Range": odd})
        assert answer.status in (200, 206, 416) and (answer.body in (b"", b"abc") or answer.status == 206), (odd, answer.status)
