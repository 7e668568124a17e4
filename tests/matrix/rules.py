"""Who gets which answer, written by hand from GitLab's documents: the expectation that the server is held against.

A rule says what a request needs; `expected()` turns it and the facts of an actor into a status. Order, as the API checks:
credentials, scope of the token, administrator, visibility of the project or group, role.
"""

GUEST, REPORTER, DEVELOPER, MAINTAINER, OWNER = 10, 20, 30, 40, 50
RUNNER_READ = ("read_api", "manage_runner")
RUNNER_WRITE = ("manage_runner",)
USER_READ = ("read_api", "read_user")
EVERY_SCOPE = None


class Rule:
    def __init__(self, request, need, ok, body=None, *, auth="user", scopes=(), job=False, undo=None, headers=None,
                 fresh_token=False, unread=()):
        self.method, self.path = request.split(" ", 1)
        self.need, self.ok, self.body = need, ok, body
        self.auth, self.scopes, self.job = auth, scopes, job
        self.undo, self.headers, self.fresh_token, self.unread = undo, headers, fresh_token, unread

    @property
    def endpoint(self):
        return self.method, self.path.split("?")[0]


# --- what a rule may need: a function of the actor that gives None when all is well, else the refusal ---

def anybody(actor):
    return None


def signed_in(actor):
    return None if actor.known else 401


def admin(actor):
    return None if actor.admin else 403


def person(actor):
    """No bot of a project's or group's token."""
    return None if not actor.bot else 403


def project(level, hidden=404):
    """The private project."""
    def check(actor):
        if actor.admin or actor.project >= level:
            return None
        return 403 if actor.project > 0 else hidden
    return check


def group(level, hidden=404):
    """The private group around it; members of the project see that it is there."""
    def check(actor):
        if actor.admin or actor.group >= level:
            return None
        seen = actor.group > 0 or actor.project > 0
        if seen and level <= GUEST:
            return None
        return 403 if seen else hidden
    return check


def instance_runner(action):
    return {"read": signed_in, "jobs": admin, "update": admin, "delete": admin}[action]


def group_runner(action):
    def check(actor):
        level = MAINTAINER if action in ("read", "jobs") else OWNER
        if actor.admin or actor.group >= level:
            return None
        # A Maintainer of a project below that uses group runners reads it.
        return None if action == "read" and actor.project >= MAINTAINER else 403
    return check


def project_runner(action):
    return lambda actor: None if actor.admin or actor.project >= MAINTAINER else 403


def token_of_somebody(actor):
    """Another's personal access token is hidden like a missing one: 401."""
    return None if actor.admin else 401


def expected(rule, actor):
    if rule.auth == "none":
        return rule.ok
    if actor.credentials == "invalid":
        return 401
    if actor.credentials == "blocked":
        return 403
    known = actor.credentials == "user" or (actor.credentials == "job" and rule.job)
    if not known:
        if rule.auth != "open":
            return 401
        return rule.need(actor.anonymous()) or rule.ok
    if actor.credentials == "user" and not scope_suffices(rule, actor):
        return 403
    if actor.credentials == "job":
        return rule.need(actor) or rule.ok
    if rule.auth == "admin" and not actor.admin:
        return 403
    return rule.need(actor) or rule.ok


def scope_suffices(rule, actor):
    if rule.scopes is EVERY_SCOPE or "api" in actor.scopes:
        return True
    if rule.scopes:
        return any(scope in actor.scopes for scope in rule.scopes)
    return rule.method == "GET" and "read_api" in actor.scopes


# --- the table ---
# In paths: {x} the project, {g} its group, {ri} {rg} {rp} an instance, group and project runner, {!…} something that is
# made anew whenever it was used up, {n} a number that was not used before. A deletion comes with a date long past and
# so answers 412 instead of being done.

UNMODIFIED = {"If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}


def members(root, need):
    manage = need(MAINTAINER) if root.startswith("/projects") else need(OWNER)
    return [
        Rule(f"GET {root}/members", need(GUEST), 200),
        Rule(f"GET {root}/members/all", need(GUEST), 200),
        Rule(f"GET {root}/members/{{member}}", need(GUEST), 200),
        Rule(f"GET {root}/members/all/{{member}}", need(GUEST), 200),
        Rule(f"POST {root}/members", manage, 201, {"user_id": "{stranger}", "access_level": GUEST},
             undo=("DELETE", f"{root}/members/{{stranger}}")),
        Rule(f"PUT {root}/members/{{member}}", manage, 200, {"access_level": GUEST}),
        Rule(f"DELETE {root}/members/{{member}}", manage, 412, headers=UNMODIFIED),
    ]


def access_tokens(root, need, bot_token):
    level = MAINTAINER if root.startswith("/projects") else OWNER

    def people(actor):
        """A bot makes no other one, else its token could outlive itself."""
        return need(level)(actor) or (403 if actor.bot else None)
    return [
        Rule(f"GET {root}/access_tokens", need(level), 200),
        Rule(f"POST {root}/access_tokens", people, 201,
             {"name": "t", "scopes": ["read_api"], "access_level": GUEST}),
        Rule(f"GET {root}/access_tokens/{bot_token}", need(level), 200),
        Rule(f"DELETE {root}/access_tokens/{bot_token}", need(level), 412, headers=UNMODIFIED),
        Rule(f"POST {root}/access_tokens/{bot_token}/rotate", need(level), 200),
    ]


def variables(root, need, auth="user"):
    return [
        Rule(f"GET {root}/variables", need, 200, auth=auth),
        Rule(f"POST {root}/variables", need, 201, {"key": "K{n}", "value": "v"}, auth=auth),
        Rule(f"GET {root}/variables/KEPT", need, 200, auth=auth),
        Rule(f"PUT {root}/variables/KEPT", need, 200, {"value": "w"}, auth=auth),
        Rule(f"DELETE {root}/variables/KEPT", need, 204, auth=auth,
             undo=("POST", f"{root}/variables", {"key": "KEPT", "value": "v"})),
    ]


def one_runner(runner, can):
    return [
        Rule(f"GET /runners/{runner}", can("read"), 200, scopes=RUNNER_READ),
        Rule(f"PUT /runners/{runner}", can("update"), 200, {"description": "d"}, scopes=RUNNER_WRITE),
        Rule(f"DELETE /runners/{runner}", can("delete"), 412, headers=UNMODIFIED, scopes=RUNNER_WRITE),
        Rule(f"GET /runners/{runner}/jobs", can("jobs"), 200, scopes=RUNNER_READ),
        Rule(f"GET /runners/{runner}/managers", can("read"), 200, scopes=RUNNER_READ),
        Rule(f"GET /runners/{runner}/projects", can("read"), 200, scopes=RUNNER_READ),
        Rule(f"POST /runners/{runner}/reset_authentication_token", can("update"), 201, scopes=RUNNER_WRITE),
    ]


RULES = [
    # The instance.
    Rule("GET /version", signed_in, 200, scopes=USER_READ),
    Rule("GET /metadata", signed_in, 200, scopes=USER_READ),
    Rule("GET /application/settings", admin, 200, auth="admin"),
    Rule("PUT /application/settings", admin, 200, {"shared_runners_text": "t"}, auth="admin"),
    Rule("GET /features", admin, 200, auth="admin"),
    Rule("POST /features/some_flag", admin, 201, {"value": "true"}, auth="admin"),
    Rule("DELETE /features/some_flag", admin, 204, auth="admin"),
    Rule("GET /audit_events", admin, 200, auth="admin"),
    Rule("GET /audit_events/1", admin, 200, auth="admin"),
    Rule("GET /openapi.json", anybody, 200, auth="none"),
    Rule("GET /openapi.yaml", anybody, 200, auth="none"),
    *variables("/admin/ci", admin, "admin"),
    Rule("GET /admin/ci/stale_runners", admin, 200, auth="admin"),
    Rule("DELETE /admin/ci/stale_runners", admin, 200, auth="admin"),

    # Users.
    Rule("GET /user", signed_in, 200, scopes=USER_READ),
    Rule("GET /users", signed_in, 200, scopes=USER_READ),
    Rule("GET /users/{member}", signed_in, 200, scopes=USER_READ),
    Rule("POST /users", admin, 201, {"username": "made{n}", "name": "m", "email": "made{n}@example.org",
                                     "force_random_password": True}, auth="admin"),
    Rule("PUT /users/{dummy}", admin, 200, {"name": "Dummy"}, auth="admin"),
    Rule("DELETE /users/{dummy}", admin, 412, auth="admin", headers=UNMODIFIED),
    Rule("POST /users/{dummy}/block", admin, 201, auth="admin"),
    Rule("POST /users/{dummy}/unblock", admin, 201, auth="admin"),
    Rule("POST /users/{dummy}/deactivate", admin, 201, auth="admin"),
    Rule("POST /users/{dummy}/activate", admin, 201, auth="admin"),
    Rule("GET /users/{member}/projects", anybody, 200, auth="open"),

    # Personal access tokens.
    Rule("GET /personal_access_tokens", signed_in, 200),
    Rule("GET /personal_access_tokens/self", signed_in, 200, scopes=EVERY_SCOPE),
    Rule("DELETE /personal_access_tokens/self", signed_in, 204, scopes=EVERY_SCOPE, fresh_token=True),
    Rule("POST /personal_access_tokens/self/rotate", signed_in, 200, scopes=("self_rotate",), fresh_token=True),
    Rule("GET /personal_access_tokens/{!pat}", token_of_somebody, 200),
    Rule("DELETE /personal_access_tokens/{!pat}", token_of_somebody, 412, headers=UNMODIFIED),
    Rule("POST /personal_access_tokens/{!pat}/rotate", token_of_somebody, 200),
    Rule("POST /users/{dummy}/personal_access_tokens", admin, 201, {"name": "t", "scopes": ["api"]}, auth="admin"),
    Rule("POST /user/personal_access_tokens", signed_in, 201, {"name": "t", "scopes": ["k8s_proxy"]}),
    *access_tokens("/projects/{x}", project, "{!project_token}"),
    *access_tokens("/groups/{g}", group, "{!group_token}"),

    # Groups.
    Rule("GET /groups", anybody, 200, auth="open"),
    Rule("POST /groups", person, 201, {"name": "n{n}", "path": "n{n}"}),
    Rule("GET /groups/{g}", group(GUEST), 200, auth="open"),
    Rule("PUT /groups/{g}", group(OWNER), 200, {"description": "d"}),
    Rule("DELETE /groups/{g}", group(OWNER), 412, headers=UNMODIFIED),
    Rule("POST /groups/{g}/archive", group(OWNER), 201, undo=("POST", "/groups/{g}/unarchive")),
    Rule("POST /groups/{g}/unarchive", group(OWNER), 201),
    Rule("POST /groups/{g}/transfer", group(OWNER), 400, {"group_id": "{g}"}),  # into itself
    Rule("GET /groups/{g}/subgroups", group(GUEST), 200, auth="open"),
    Rule("GET /groups/{g}/descendant_groups", group(GUEST), 200, auth="open"),
    Rule("GET /groups/{g}/projects", group(GUEST), 200, auth="open"),
    Rule("GET /namespaces", signed_in, 200),
    Rule("GET /namespaces/{g}", group(GUEST), 200),
    *members("/groups/{g}", group),
    *variables("/groups/{g}", group(OWNER)),

    # Projects.
    Rule("GET /projects", anybody, 200, auth="open"),
    Rule("GET /projects/{x}", project(GUEST), 200, auth="open", job=True),
    Rule("PUT /projects/{x}", project(MAINTAINER), 200, {"description": "d"}),
    Rule("DELETE /projects/{x}", project(OWNER), 412, headers=UNMODIFIED),
    Rule("POST /projects/{x}/archive", project(OWNER), 201, undo=("POST", "/projects/{x}/unarchive")),
    Rule("POST /projects/{x}/unarchive", project(OWNER), 201),
    Rule("PUT /projects/{x}/transfer", project(OWNER), 404, {"namespace": "nowhere"}),
    *members("/projects/{x}", project),
    *variables("/projects/{x}", project(MAINTAINER)),
    Rule("GET /projects/{x}/protected_branches", project(DEVELOPER), 200),
    Rule("POST /projects/{x}/protected_branches", project(MAINTAINER), 201, {"name": "b{n}"}),
    Rule("GET /projects/{x}/protected_branches/main", project(DEVELOPER), 200),
    Rule("PATCH /projects/{x}/protected_branches/main", project(MAINTAINER), 200, {"allow_force_push": False}),
    Rule("DELETE /projects/{x}/protected_branches/main", project(MAINTAINER), 204,
         undo=("POST", "/projects/{x}/protected_branches", {"name": "main"})),
    Rule("GET /projects/{x}/protected_tags", project(REPORTER), 200),
    Rule("POST /projects/{x}/protected_tags", project(MAINTAINER), 201, {"name": "t{n}"}),
    Rule("GET /projects/{x}/protected_tags/v1", project(REPORTER), 200),
    Rule("DELETE /projects/{x}/protected_tags/v1", project(MAINTAINER), 204,
         undo=("POST", "/projects/{x}/protected_tags", {"name": "v1"})),

    # Runners.
    Rule("GET /runners", signed_in, 200, scopes=RUNNER_READ),
    Rule("GET /runners/all", admin, 200, scopes=RUNNER_READ),
    Rule("GET /projects/{x}/runners", project(MAINTAINER), 200, scopes=RUNNER_READ),
    Rule("GET /groups/{g}/runners", group(MAINTAINER), 200, scopes=RUNNER_READ),
    Rule("POST /user/runners", admin, 201, {"runner_type": "instance_type"}, scopes=("create_runner",),
         unread=("group_id", "project_id")),
    Rule("POST /user/runners", group(OWNER, hidden=400), 201, {"runner_type": "group_type", "group_id": "{g}"},
         scopes=("create_runner",), unread=("project_id",)),
    Rule("POST /user/runners", project(MAINTAINER, hidden=400), 201,
         {"runner_type": "project_type", "project_id": "{x}"}, scopes=("create_runner",), unread=("group_id",)),
    *one_runner("{ri}", instance_runner),
    *one_runner("{rg}", group_runner),
    *one_runner("{rp}", project_runner),
    Rule("POST /projects/{x}/runners", project(MAINTAINER), 403, {"runner_id": "{rg}"}, scopes=RUNNER_WRITE),
    Rule("DELETE /projects/{x}/runners/{rp}", project(MAINTAINER), 403, scopes=RUNNER_WRITE),
    Rule("POST /runners/reset_registration_token", admin, 201, scopes=RUNNER_WRITE),
    Rule("POST /groups/{g}/runners/reset_registration_token", group(OWNER), 201, scopes=RUNNER_WRITE),
    Rule("POST /projects/{x}/runners/reset_registration_token", project(MAINTAINER), 201, scopes=RUNNER_WRITE),

    # What runners and jobs call, with a token of their own in the body: users' credentials count for nothing there.
    Rule("POST /runners", anybody, 403, {"token": "wrong"}, auth="none"),
    Rule("DELETE /runners", anybody, 403, {"token": "wrong"}, auth="none"),
    Rule("POST /runners/verify", anybody, 200, {"token": "{runner_token}", "system_id": "s_1"}, auth="none"),
    Rule("POST /runners/verify", anybody, 403, {"token": "wrong", "system_id": "s_1"}, auth="none"),
    Rule("DELETE /runners/managers", anybody, 403, {"token": "wrong", "system_id": "s_1"}, auth="none"),
    Rule("POST /runners/reset_authentication_token", anybody, 403, {"token": "wrong"}, auth="none"),
    Rule("GET /runners/router/discovery", anybody, 403, auth="none"),
    Rule("POST /jobs/request", anybody, 403, {"token": "wrong"}, auth="none"),
    Rule("PUT /jobs/{job}", anybody, 403, {"token": "wrong", "state": "success"}, auth="none"),
    Rule("PATCH /jobs/{job}/trace?token=wrong", anybody, 403, auth="none"),
    Rule("POST /jobs/{job}/artifacts?token=wrong", anybody, 403, auth="none"),
    Rule("GET /jobs/{job}/artifacts?token=wrong", anybody, 401, auth="none"),
]


def jobs_and_pipelines():
    """Jobs of a private project whose jobs are open to all who see it (public_jobs)."""
    update = project(DEVELOPER)
    read = project(GUEST)
    return [
        Rule("GET /job", lambda actor: None if actor.credentials == "job" else 401, 200, job=True),
        Rule("GET /projects/{x}/jobs", read, 200, auth="open"),
        Rule("GET /projects/{x}/jobs/{done}", read, 200, auth="open"),
        Rule("GET /projects/{x}/jobs/{done}/trace", read, 200, auth="open"),
        Rule("GET /projects/{x}/jobs/{done}/artifacts", read, 404, auth="open", job=True),
        Rule("GET /projects/{x}/jobs/{done}/artifacts/none.txt", read, 404, auth="open", job=True),
        Rule("GET /projects/{x}/jobs/artifacts/main/download?job=none", read, 404, auth="open", job=True),
        Rule("GET /projects/{x}/jobs/artifacts/main/raw/none.txt?job=none", read, 404, auth="open", job=True),
        Rule("GET /projects/{x}/jobs/artifacts/a/b/download?job=none", read, 404, auth="open", job=True),
        Rule("DELETE /projects/{x}/jobs/{done}/artifacts", update, 204),
        Rule("POST /projects/{x}/jobs/{done}/artifacts/keep", update, 404),
        Rule("POST /projects/{x}/jobs/{done}/cancel", update, 201),
        Rule("POST /projects/{x}/jobs/{job}/retry", update, 403),
        Rule("POST /projects/{x}/jobs/{done}/play", update, 400),
        Rule("POST /projects/{x}/jobs/{job}/erase", update, 403),
        Rule("GET /projects/{x}/pipelines", read, 200, auth="open"),
        Rule("POST /projects/{x}/pipeline", update, 400, {"ref": "none"}),
        Rule("GET /projects/{x}/pipelines/latest", read, 200, auth="open"),
        Rule("GET /projects/{x}/pipelines/{pipeline}", read, 200, auth="open"),
        Rule("GET /projects/{x}/pipelines/{pipeline}/jobs", read, 200, auth="open"),
        Rule("GET /projects/{x}/pipelines/{pipeline}/variables", update, 200),
        Rule("GET /projects/{x}/pipelines/{pipeline}/bridges", read, 200, auth="open"),
        Rule("DELETE /projects/{x}/pipelines/{pipeline}", project(OWNER), 412, headers=UNMODIFIED),
        Rule("GET /projects/{x}/ci/lint", project(REPORTER), 200),
        Rule("POST /projects/{x}/ci/lint", update, 200, {"content": "a: {script: [b]}"}),
        # Last: it ends the running job.
        Rule("POST /projects/{x}/pipelines/{pipeline}/cancel", update, 200),
        Rule("POST /projects/{x}/pipelines/{pipeline}/retry", update, 201),
    ]


RULES += jobs_and_pipelines()
# Whoever makes a project owns it, and so manages a project below the group: after all that asks for roles.
RULES.append(Rule("POST /projects", group(DEVELOPER, hidden=400), 201, {"name": "p{n}", "namespace_id": "{g}"}))


# --- a public project: seen by everybody, and reading is all that most may do ---

def outsiders_may(allowed):
    """Nobody has a role there but the administrator."""
    return lambda actor: None if allowed or actor.admin else 403


def public_project():
    read, no = outsiders_may(True), outsiders_may(False)
    base = "/projects/{public}"
    return [
        Rule(f"GET {base}", read, 200, auth="open", job=True),
        Rule(f"GET {base}/jobs", read, 200, auth="open"),
        Rule(f"GET {base}/pipelines", read, 200, auth="open"),
        Rule(f"GET {base}/members", read, 200),
        Rule(f"GET {base}/members/all", read, 200),
        Rule(f"GET {base}/runners", no, 200, scopes=RUNNER_READ),
        Rule(f"GET {base}/variables", no, 200),
        Rule(f"GET {base}/access_tokens", no, 200),
        Rule(f"GET {base}/protected_branches", no, 200),
        Rule(f"PUT {base}", no, 200, {"description": "d"}),
        Rule(f"DELETE {base}", no, 412, headers=UNMODIFIED),
        Rule(f"POST {base}/archive", no, 201, undo=("POST", f"{base}/unarchive")),
        Rule(f"POST {base}/pipeline", no, 400, {"ref": "none"}),
        Rule(f"POST {base}/members", no, 201, {"user_id": "{stranger}", "access_level": GUEST},
             undo=("DELETE", f"{base}/members/{{stranger}}")),
        Rule("POST /user/runners", no, 201, {"runner_type": "project_type", "project_id": "{public}"},
             scopes=("create_runner",), unread=("group_id",)),
        Rule(f"POST {base}/runners/reset_registration_token", no, 201, scopes=RUNNER_WRITE),
    ]


RULES += public_project()


# --- switches: what they turn into a refusal, for whom ---

def creation(*words):
    return [rule for rule in RULES if rule.endpoint == ("POST", "/user/runners")
            and any(rule.body["runner_type"].startswith(word) for word in words)]


def refused(rule, actor):
    wanted = expected(rule, actor)
    return 403 if wanted == rule.ok else wanted


def refused_but_for_administrators(rule, actor):
    return expected(rule, actor) if actor.admin else refused(rule, actor)


RESETS = [rule for rule in RULES if rule.path.endswith("reset_registration_token")]
SETTINGS = "/application/settings"
# name, how it is switched, how it is switched back, the rules that it touches, what they then answer
SWITCHES = [
    ("registration tokens off", ("PUT", SETTINGS, {"allow_runner_registration_token": False}),
     ("PUT", SETTINGS, {"allow_runner_registration_token": True}), RESETS, refused),
    ("registration tokens off, registering", ("PUT", SETTINGS, {"allow_runner_registration_token": False}),
     ("PUT", SETTINGS, {"allow_runner_registration_token": True}),
     [Rule("POST /runners", anybody, 410, {"token": "wrong"}, auth="none")], expected),
    ("no flag for administrators", ("POST", "/features/create_runner_workflow_for_admin", {"value": "false"}),
     ("DELETE", "/features/create_runner_workflow_for_admin"), creation("instance"), refused),
    ("no flag for administrators, others", ("POST", "/features/create_runner_workflow_for_admin", {"value": "false"}),
     ("DELETE", "/features/create_runner_workflow_for_admin"), creation("group", "project"), expected),
    ("no flag for namespaces", ("POST", "/features/create_runner_workflow_for_namespace", {"value": "false"}),
     ("DELETE", "/features/create_runner_workflow_for_namespace"), creation("group", "project"), refused),
    ("no flag for namespaces, others", ("POST", "/features/create_runner_workflow_for_namespace", {"value": "false"}),
     ("DELETE", "/features/create_runner_workflow_for_namespace"), creation("instance"), expected),
    ("groups register nothing", ("PUT", SETTINGS, {"valid_runner_registrars": ["project"]}),
     ("PUT", SETTINGS, {"valid_runner_registrars": ["project", "group"]}), creation("group"),
     refused_but_for_administrators),
    ("projects register nothing", ("PUT", SETTINGS, {"valid_runner_registrars": ["group"]}),
     ("PUT", SETTINGS, {"valid_runner_registrars": ["project", "group"]}), creation("project"),
     refused_but_for_administrators),
    ("the group may not register", ("PUT", "/groups/{g}", {"runner_registration_enabled": False}),
     ("PUT", "/groups/{g}", {"runner_registration_enabled": True}),
     [rule for rule in creation("group", "project") if "{public}" not in rule.body.values()],
     refused_but_for_administrators),
    ("the group is archived", ("POST", "/groups/{g}/archive"), ("POST", "/groups/{g}/unarchive"),
     [rule for rule in creation("group", "project") if "{public}" not in rule.body.values()], refused),
]


# --- git over HTTP ---

GIT_READ = ("api", "read_api", "read_repository", "write_repository")
GIT_WRITE = ("api", "write_repository")


def git_expected(actor, push):
    """The private project, fetched or pushed with the actor's token as password."""
    if actor.credentials == "job":
        return 403 if push else 200
    if actor.credentials != "user":
        return 401
    if not actor.admin and actor.project < REPORTER:
        return 404
    if push and not actor.admin and actor.project < DEVELOPER:
        return 403
    return 200 if any(scope in actor.scopes for scope in (GIT_WRITE if push else GIT_READ)) else 403
