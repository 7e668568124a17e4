"""The people, places and tokens of the matrix: one coordinator, one parent group, a group in it, a project in that."""

import datetime
import itertools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "coordinator"))
from client import TOKEN, Runner, Tree  # noqa: E402
from databases import change_row  # noqa: E402

PASSWORD = "a password of the matrix"
ROLES = {"guest": 10, "reporter": 20, "developer": 30, "maintainer": 40, "owner": 50}
SCOPES = ("api", "read_api", "read_user", "create_runner", "manage_runner", "read_repository", "write_repository", "sudo",
          "admin_mode", "self_rotate", "k8s_proxy")
PIPELINE = """
first: {script: [a]}
second: {script: [b], needs: [first]}
"""


class Actor:
    """Somebody who asks, and the facts by which the rules judge him: roles on the project and its group."""

    def __init__(self, name, headers, credentials="user", *, project=0, group=0, admin=False, bot=False,
                 scopes=("api",), user_id=0, login=""):
        self.name, self.headers, self.credentials = name, headers, credentials
        self.project, self.group, self.admin, self.bot = project, group, admin, bot
        self.scopes, self.user_id, self.login = scopes, user_id, login

    @property
    def known(self):
        return self.credentials in ("user", "job")

    def anonymous(self):
        return Actor(self.name, self.headers, "none")


class World:
    def __init__(self, server):
        self.server = server
        self.numbers = itertools.count(1)
        self.names = {}
        self.fresh = {}
        self.connection = server.connection()
        self.actors = []
        self.make_places()
        self.make_people()

    # --- requests as root ---

    def root(self, method, path, body=None, expect=(200, 201, 202, 204)):
        answer = self.send(method, path, body, {"PRIVATE-TOKEN": TOKEN})
        assert answer.status in expect, (method, path, answer.status, answer.body)
        return answer.json if answer.body[:1] in (b"{", b"[") else None

    def send(self, method, path, body=None, headers=None):
        try:
            return self.server.send(method, "/api/v4" + path, body, headers, self.connection)
        except OSError:
            self.connection = self.server.connection()
            raise

    # --- places ---

    def make_places(self):
        self.parent = self.root("POST", "/groups", {"name": "parent", "path": "parent"})["id"]
        group = self.root("POST", "/groups", {"name": "group", "path": "group", "parent_id": self.parent})["id"]
        project = self.root("POST", "/projects", {"name": "project", "namespace_id": group})["id"]
        public = self.root("POST", "/projects", {"name": "public", "visibility": "public"})["id"]
        self.names.update(g=group, x=project, public=public)
        self.root("PUT", "/application/settings", {"allow_runner_registration_token": True,
                                                   "runner_jobs_request_api_limit": 0})
        for key, body in {"ri": {"runner_type": "instance_type"},
                          "rg": {"runner_type": "group_type", "group_id": group},
                          "rp": {"runner_type": "project_type", "project_id": project}}.items():
            made = self.root("POST", "/user/runners", body)
            self.names[key] = made["id"]
            if key == "rp":
                self.pipeline_runner = made["token"]
        # One that no rule touches otherwise.
        self.names["runner_token"] = self.root("POST", "/user/runners", {"runner_type": "instance_type"})["token"]
        for root in (f"/projects/{project}", f"/groups/{group}", "/admin/ci"):
            self.root("POST", root + "/variables", {"key": "KEPT", "value": "v"})
        self.root("POST", f"/projects/{project}/protected_tags", {"name": "v1"})

    # --- people ---

    def user(self, name):
        return self.root("POST", "/users", {"username": name, "name": name, "email": name + "@example.org",
                                            "password": PASSWORD})["id"]

    def token(self, user_id, scopes=("api",)):
        return self.root("POST", f"/users/{user_id}/personal_access_tokens", {"name": "t", "scopes": list(scopes)})

    def add(self, name, token, **facts):
        self.actors.append(Actor(name, {"PRIVATE-TOKEN": token}, **facts))

    @property
    def people(self):
        """Those who can sign in to the pages."""
        return [actor for actor in self.actors if actor.login]

    def make_people(self):
        self.actors.append(Actor("anonymous", {}, "none"))
        self.add("invalid token", "glpat-nonsense", credentials="invalid")
        places = {"parent": f"/groups/{self.parent}", "group": f"/groups/{self.names['g']}",
                  "project": f"/projects/{self.names['x']}"}
        for place, root in places.items():
            for role, level in ROLES.items():
                user = self.user(f"{place}-{role}")
                self.root("POST", root + "/members", {"user_id": user, "access_level": level})
                self.add(f"{role} of the {place}", self.token(user)["token"], user_id=user, project=level,
                         group=0 if place == "project" else level, login=f"{place}-{role}")
        self.names["stranger"] = self.user("stranger")
        outsider = self.user("outsider")
        self.add("outsider", self.token(outsider)["token"], user_id=outsider, login="outsider")
        self.make_owners(places["group"])
        self.make_bots()
        self.make_job()
        self.actors.append(Actor("runner token", {"PRIVATE-TOKEN": self.names["runner_token"]}, "invalid"))
        self.names["dummy"] = self.user("dummy")
        self.names["member"] = self.user("member")
        for root in (f"/projects/{self.names['x']}", f"/groups/{self.names['g']}"):
            self.root("POST", root + "/members", {"user_id": self.names["member"], "access_level": 10})

    def make_owners(self, root):
        """An Owner in every state and with every scope; the administrator; the Owner of another group."""
        owner = self.user("owner")
        self.root("POST", root + "/members", {"user_id": owner, "access_level": 50})
        for scope in SCOPES[1:]:
            self.add(f"owner's {scope} token", self.token(owner, [scope])["token"], user_id=owner, project=50, group=50,
                     scopes=(scope,))
        revoked, expired = self.token(owner), self.token(owner)
        self.root("DELETE", f"/personal_access_tokens/{revoked['id']}")
        self.change("UPDATE access_tokens SET expires_at = '2020-01-01' WHERE id = ?", expired["id"])
        self.add("revoked token", revoked["token"], credentials="invalid")
        self.add("expired token", expired["token"], credentials="invalid")
        self.actors.append(Actor("owner by bearer", {"Authorization": "Bearer " + self.token(owner)["token"]},
                                 user_id=owner, project=50, group=50))
        gone = self.user("gone")
        self.root("POST", root + "/members", {"user_id": gone, "access_level": 50, "expires_at": "2999-01-01"})
        self.change("UPDATE members SET expires_at = '2020-01-01' WHERE user_id = ?", gone)
        self.add("expired membership", self.token(gone)["token"], user_id=gone, login="gone")
        blocked = self.user("blocked")
        self.root("POST", root + "/members", {"user_id": blocked, "access_level": 50})
        self.add("blocked owner", self.token(blocked)["token"], credentials="blocked", login="blocked")
        self.root("POST", f"/users/{blocked}/block")
        other = self.user("other-owner")
        elsewhere = self.root("POST", "/groups", {"name": "elsewhere", "path": "elsewhere"})["id"]
        self.root("POST", f"/groups/{elsewhere}/members", {"user_id": other, "access_level": 50})
        self.add("owner of another group", self.token(other)["token"], user_id=other, login="other-owner")
        admin = self.user("boss")
        self.root("PUT", f"/users/{admin}", {"admin": True})
        for scope in ("api", "read_api", "create_runner", "manage_runner", "sudo"):
            self.add(f"administrator's {scope} token", self.token(admin, [scope])["token"], user_id=admin, admin=True,
                     scopes=(scope,), login="boss" if scope == "api" else "")

    def make_bots(self):
        for place, root, rows in (
                ("group", f"/groups/{self.names['g']}", [(50, "api"), (40, "api"), (50, "create_runner")]),
                ("project", f"/projects/{self.names['x']}", [(40, "api"), (30, "api"), (40, "manage_runner")])):
            for level, scope in rows:
                made = self.root("POST", root + "/access_tokens", {"name": "bot", "scopes": [scope],
                                                                   "access_level": level})
                self.add(f"{place} token of role {level}, scope {scope}", made["token"], bot=True, scopes=(scope,),
                         project=level, group=level if place == "group" else 0, user_id=made["user_id"])

    def make_job(self):
        """Two jobs of a pipeline: `done` has ended, `job` is running and lends its token to an actor."""
        tree = Tree(self.server.url.replace("http://", f"http://root:{TOKEN}@") + "/parent/group/project.git")
        tree.push(PIPELINE)
        runner = Runner(self.server, self.pipeline_runner)
        done = runner.poll()
        runner.update(done, "running")
        runner.patch(done, 0, "hello\n")
        runner.update(done, "success")
        job = runner.poll()
        runner.update(job, "running")
        self.names.update(done=done["id"], job=job["id"],
                          pipeline=self.root("GET", f"/projects/{self.names['x']}/pipelines")[0]["id"])
        self.actors.append(Actor("job token", {"JOB-TOKEN": job["token"]}, "job", project=20))

    def change(self, sql, *values):
        """What only time brings about, done behind the server's back."""
        change_row(self.server, sql, *values)

    # --- names in paths and bodies ---

    def value(self, name):
        if name == "n":
            return next(self.numbers)
        if not name.startswith("!"):
            return self.names[name]
        if name not in self.fresh:
            if name == "!pat":
                self.fresh[name] = self.token(self.names["dummy"])["id"]
            else:
                root = f"/projects/{self.names['x']}" if name == "!project_token" else f"/groups/{self.names['g']}"
                self.fresh[name] = self.root("POST", root + "/access_tokens", {
                    "name": "used", "scopes": ["api"], "access_level": 10,
                    "expires_at": str(datetime.date.today() + datetime.timedelta(days=30))})["id"]
        return self.fresh[name]

    def fill(self, item):
        if isinstance(item, dict):
            return {key: self.fill(value) for key, value in item.items()}
        if not isinstance(item, str) or "{" not in item or " " in item:
            return item
        out, rest = "", item
        while "{" in rest:
            before, _, rest = rest.partition("{")
            name, _, rest = rest.partition("}")
            out += before + str(self.value(name))
        return out + rest

    def use_up(self, item):
        for name in list(self.fresh):
            if "{" + name + "}" in item:
                del self.fresh[name]
