"""What people write comes back as data: names, logs, paths, queries."""

import urllib.parse

from browser import request

SCRIPT = "<script>alert(1)</script>"
QUOTES = "\"><img src=x onerror=alert(1)>"


def safe(answer):
    """No browser would run this answer."""
    policy = answer.headers["Content-Security-Policy"]
    assert "sandbox" in policy and "default-src 'none'" in policy, policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    kind = answer.headers.get("Content-Type", "")
    assert kind.startswith(("application/json", "text/plain", "application/zip", "application/octet-stream")), kind
    return answer


def case_names_are_data(world):
    """Scripts in names of projects, runners and jobs come back in JSON that no browser takes for a page."""
    ann = world.visitor("ann")
    name = f"p {SCRIPT}{QUOTES}"
    made = ann.send("POST", "/api/v4/projects", {"name": name, "path": "names", "description": SCRIPT})
    assert made.status == 400 or made.json["name"] == name, made.body
    runner = ann.send("POST", "/api/v4/user/runners", {
        "runner_type": "project_type", "project_id": world.project("named", "ann")["id"],
        "description": name, "tag_list": [SCRIPT, "x"], "maintenance_note": QUOTES})
    assert runner.status == 201, runner.body
    for path in (f"/api/v4/runners/{runner.json['id']}", f"/-/web/runners/{runner.json['id']}", "/api/v4/projects?search=" +
                 urllib.parse.quote(SCRIPT), "/-/web/search?q=" + urllib.parse.quote(QUOTES),
                 "/-/web/page?path=" + urllib.parse.quote("/" + SCRIPT)):
        answer = safe(ann.get(path))
        assert answer.headers["Content-Type"].startswith("application/json"), path
    row = ann.get(f"/-/web/runners/{runner.json['id']}").json
    assert row["description"] == name and SCRIPT in row["tag_list"]


def case_pages_reflect_nothing(world):
    """The document is the same whatever the address says."""
    ann = world.visitor("ann")
    plain = ann.get("/nothing-here")
    assert plain.status in (404, 503)
    for path in ("/" + urllib.parse.quote(SCRIPT), "/groups/" + urllib.parse.quote(QUOTES), "/nothing?x=" + SCRIPT,
                 "/admin/users/" + urllib.parse.quote(SCRIPT)):
        answer = ann.get(path.replace(" ", "%20"))
        assert answer.status == plain.status and answer.body == plain.body, path
    policy = plain.headers["Content-Security-Policy"]
    assert "unsafe" not in policy and "script-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert plain.headers["X-Frame-Options"] == "DENY"
    for path in ("/users/sign_in", "/", "/-/assets/nothing.js"):
        answer = ann.get(path)
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"], path
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert answer.headers["Referrer-Policy"] == "same-origin", path


def case_logs_are_text(world):
    """A log with markup, escapes and links is plain text, and so is its tail."""
    project = world.project("logs", "root")
    tree = world.tree(project)
    tree.push(f"\"{SCRIPT}\": {{script: [x]}}\n")
    runner = world.runner(project)
    job = runner.poll()
    assert job["job_info"]["name"] == SCRIPT
    log = f"{SCRIPT}\x1b]8;;javascript:alert(1)\x07x\x1b]8;;\x07<a href=javascript:alert(1)>x</a>\n"
    assert runner.update(job, "running").status == 200
    assert runner.patch(job, 0, log).status == 202
    root = world.visitor("root")
    for path in (f"/api/v4/projects/{project['id']}/jobs/{job['id']}/trace",
                 f"/-/web/projects/{project['id']}/jobs/{job['id']}/trace?offset=0"):
        answer = safe(root.get(path))
        assert answer.headers["Content-Type"].startswith("text/plain") and answer.body == log.encode(), answer.body
    shown = safe(root.get(f"/-/web/projects/{project['id']}/jobs/{job['id']}")).json
    assert shown["name"] == SCRIPT
    assert runner.update(job, "success").status == 200


def case_header_injection(world):
    """Line ends in addresses, queries and names never become header lines."""
    inject = "%0d%0aX-Injected:%20yes%0d%0a%0d%0a<script>"
    for target in (f"/{inject}", f"/users/sign_in?redirect_to={inject}", f"/-/assets/{inject}",
                   f"/api/v4/projects?search={inject}", f"/api/v4/projects/{inject}", f"/root/{inject}.git/info/refs",
                   f"/root/x{inject}/info/refs?service=git-upload-pack", f"/-/web/page?path={inject}",
                   f"/api/v4/projects?page=1&x={inject}", f"/-/downloads/{inject}"):
        _, fields, _ = request(world.server, target)
        assert not any(field.lower().startswith("x-injected") for field in fields), (target, fields)
    root = world.visitor("root")
    answer = root.get("/api/v4/projects", headers={"X-Request-Id": "a\tb"})
    assert "\t" not in answer.headers["X-Request-Id"]


def case_path_traversal(world):
    """No address, project path or file name leads out of what it names."""
    for target in ("/-/assets/../../../secret.key", "/-/assets/..%2f..%2fsecret.key", "/-/assets/%2e%2e/%2e%2e/secret.key",
                   "/-/assets//etc/passwd", "/-/assets/h/../../etc/passwd", "/-/assets/%00", "/-/assets/index.html%00.js",
                   "/-/downloads/../../etc/passwd", "/-/downloads/%2e%2e%2fsecret.key", "/../../etc/passwd"):
        status, _, body = request(world.server, target)
        assert status in (302, 400, 404) and b"root:" not in body, (target, status)
    for target in ("/..%2f..%2fx.git/info/refs?service=git-upload-pack", "/root/..%2fx.git/info/refs?service=git-upload-pack",
                   "/root/../../x.git/HEAD", "/root/x.git/../../secret.key", "/root/x.git/objects/../../../secret.key"):
        status, _, _ = request(world.server, target)
        assert status in (302, 400, 401, 404), (target, status)
    root = world.visitor("root")
    for path in ("..", "../x", "a/../b", ".", "/etc", "a\\b", "x.git", "-x", "a\0b", "a\nb", "%2e%2e"):
        for kind in ("projects", "groups"):
            answer = root.send("POST", f"/api/v4/{kind}", {"name": "x", "path": path})
            assert answer.status == 400, (kind, path, answer.status, answer.body)
    for path in ("..", "../x", "a/b", "x\n"):
        answer = root.send("POST", "/api/v4/users", {"name": "x", "email": f"{len(path)}x@example.org", "username": path,
                                                     "password": world.password})
        assert answer.status == 400, (path, answer.status)


STATEMENTS = ("' OR '1'='1", "'; DROP TABLE users; --", "1; DELETE FROM projects", "\" OR 1=1 --", "1) UNION SELECT 1 --",
              "id; DROP TABLE jobs", "%' OR '%'='", "\\'; --", "0x1", "1e309", "-1", "9" * 30)


def case_sql_injection(world):
    """Every text parameter is a value: nothing breaks, nothing more is found, nothing is lost."""
    root = world.visitor("root")
    before = [len(root.get(f"/api/v4/{kind}?per_page=100").json) for kind in ("users", "projects", "groups")]
    project = world.project("sql", "root")["id"]
    paths = ("users?search={}", "users?username={}", "projects?search={}", "projects?order_by={}", "projects?sort={}",
             "groups?search={}", "runners/all?status={}", "runners/all?tag_list={}", "runners/all?version_prefix={}",
             "runners/all?type={}", "projects/{}", "groups/{}", "users/{}", "runners/{}",
             f"projects/{project}/pipelines?ref={{}}", f"projects/{project}/pipelines?order_by={{}}",
             f"projects/{project}/pipelines?username={{}}", f"projects/{project}/jobs?scope[]={{}}",
             "audit_events?entity_type={}", "personal_access_tokens?search={}", "features/{}")
    own = ("runners?scope=admin&search={}", "runners?scope=admin&tag[]={}", "runners?scope=admin&sort={}",
           "runners?scope={}", "runners?scope=group:{}", "runners?scope=admin&after={}", "runners?scope=admin&creator={}",
           "search?q={}", "page?path=/{}", "projects?search={}", "projects?sort={}", "projects?scope=group:{}",
           "audit_events?action={}", "audit_events?before={}", "projects/{}/pipelines", "runners/{}",
           f"projects/{project}/refs?search={{}}", f"projects/{project}/pipelines?status={{}}")
    for statement in STATEMENTS:
        value = urllib.parse.quote(statement, safe="")
        for path in ["/api/v4/" + path for path in paths] + ["/-/web/" + path for path in own]:
            answer = root.get(path.format(value))
            assert answer.status in (200, 302, 400, 403, 404, 405), (path, statement, answer.status, answer.body)
        for path in ("users?search={}", "projects?search={}"):
            found = root.get("/api/v4/" + path.format(value)).json
            assert found == [], (path, statement, found)
    after = [len(root.get(f"/api/v4/{kind}?per_page=100").json) for kind in ("users", "projects", "groups")]
    assert after[0] == before[0] and after[1] == before[1] + 1 and after[2] == before[2]
