"""What people need around their runners, through python-gitlab as it comes from PyPI: groups, projects, members, tokens,
variables, protected refs, pipelines and jobs; and what is not there says so. Arguments: URL, administrator's token."""

import os
import subprocess
import tempfile

import gitlab
from python_gitlab import fails_with, in_a_month, root, token, url


def make_user(name):
    user = root.users.create({"username": name, "name": name.title(), "email": name + "@example.org",
                              "password": "long and winding"})
    secret = user.personal_access_tokens.create({"name": "work", "scopes": ["api"], "expires_at": in_a_month}).token
    return user, gitlab.Gitlab(url, private_token=secret)


def groups_and_projects():
    top = root.groups.create({"name": "Top", "path": "top"})
    below = root.groups.create({"name": "Below", "path": "below", "parent_id": top.id, "visibility": "internal"})
    app = root.projects.create({"name": "App", "namespace_id": below.id, "topics": ["tools"]})
    lib = root.projects.create({"name": "Lib", "namespace_id": top.id, "visibility": "public"})
    assert [g.path for g in root.groups.list(search="bel")] == ["below"]
    assert [g.id for g in root.groups.list(order_by="id", sort="desc", per_page=1, get_all=False)] == [below.id]
    assert [g.id for g in top.subgroups.list()] == [below.id] == [g.id for g in top.descendant_groups.list()]
    assert [p.id for p in root.projects.list(topic="tools")] == [app.id]
    assert [p.id for p in root.projects.list(iterator=True, pagination="keyset", order_by="id", sort="asc",
                                             per_page=1)] == [app.id, lib.id]
    assert [p.id for p in root.projects.list(search="lib", simple=True)] == [lib.id]
    assert {p.id for p in top.projects.list(include_subgroups=True)} == {app.id, lib.id}
    assert root.projects.get("top/BELOW/app").id == app.id
    assert [p.id for p in gitlab.Gitlab(url).projects.list(get_all=True)] == [lib.id], "anonymous"
    assert {n.full_path for n in root.namespaces.list(get_all=True)} >= {"root", "top", "top/below"}
    app.description = "an app"
    app.save()
    assert root.projects.get(app.id).description == "an app"
    app.archive()
    assert root.projects.get(app.id).archived is True
    app.unarchive()
    lib.transfer("top/below")
    assert root.projects.get(lib.id).path_with_namespace == "top/below/lib"
    below.transfer()
    assert root.groups.get("below").parent_id is None
    below.transfer(top.id)
    assert root.projects.get("top/below/lib").id == lib.id
    assert "fails" not in fails_with(400, top.transfer, below.id)
    return root.groups.get(top.id), root.groups.get(below.id), root.projects.get(app.id)


def people(top, below, app):
    ann, as_ann = make_user("ann")
    bob, as_bob = make_user("bob")
    fails_with(404, as_ann.groups.get, top.id)
    top.members.create({"user_id": f"{ann.id},{bob.id}", "access_level": gitlab.const.AccessLevel.DEVELOPER})
    assert {m.username for m in below.members_all.list()} >= {"ann", "bob"}
    assert [m.username for m in top.members.list(query="an")] == ["ann"]
    assert as_ann.projects.get(app.id).permissions["group_access"]["access_level"] == 30
    fails_with(403, as_ann.user.runners.create if as_ann.user else as_ann.http_post, *(
        [{"runner_type": "project_type", "project_id": app.id}] if as_ann.user else
        ["/user/runners", {}, {"runner_type": "project_type", "project_id": app.id}]))
    app.members.create({"user_id": ann.id, "access_level": gitlab.const.AccessLevel.MAINTAINER})
    made = as_ann.http_post("/user/runners", post_data={"runner_type": "project_type", "project_id": app.id})
    assert {r.id for r in as_ann.runners.list()} == {made["id"]}
    app.members.delete(ann.id)  # what the group gives stays
    assert as_ann.projects.get(app.id).permissions["project_access"] is None
    fails_with(403, as_ann.runners.get, made["id"])
    top.members.delete(ann.id)
    fails_with(404, as_ann.projects.get, app.id)
    for end, back, words in ((bob.block, bob.unblock, "blocked"), (bob.deactivate, bob.activate, "deactivated")):
        end()
        assert words in fails_with(403, as_bob.projects.list)
        back()
        as_bob.projects.list()
    assert root.http_get("/user", query_data={"sudo": "bob"})["username"] == "bob"
    assert [u.username for u in root.users.list(order_by="username", sort="asc", search="b", humans=True)] == ["bob"]


def tokens(top, app):
    made = app.access_tokens.create({"name": "ci", "scopes": ["api", "self_rotate"], "access_level": 40,
                                     "expires_at": in_a_month})
    bot = gitlab.Gitlab(url, private_token=made.token)
    bot.auth()
    fails_with(403, bot.projects.get(app.id).access_tokens.create,
               {"name": "x", "scopes": ["api"], "access_level": 10, "expires_at": in_a_month})
    fails_with(400, app.access_tokens.create, {"name": "x", "scopes": ["sudo"], "expires_at": in_a_month})
    turned = bot.projects.get(app.id).access_tokens.rotate("self")
    bot = gitlab.Gitlab(url, private_token=turned["token"])
    bot.auth()
    runner = bot.user.runners.create({"runner_type": "project_type", "project_id": app.id})
    assert root.runners.get(runner.id).created_by["username"] == bot.user.username
    app.access_tokens.delete(turned["id"])
    fails_with(401, bot.auth)
    assert root.runners.get(runner.id).id, "the runner outlives its maker's token"
    root.runners.verify(runner.token)
    assert root.personal_access_tokens.get("self").active
    assert [t.name for t in top.access_tokens.list()] == []


def settings(top, app):
    for place in (root, top, app):
        variables = place.variables
        made = variables.create({"key": "NAME", "value": "one", "masked": False})
        made.value = "two"
        made.save()
        assert variables.get("NAME").value == "two"
        assert "NAME" in fails_with(400, variables.create, {"key": "NAME", "value": "x"}) or True
        made.delete()
        fails_with(404, variables.get, "NAME")
    assert [b.name for b in app.protectedbranches.list()] == ["main"]
    app.protectedbranches.create({"name": "release/*", "push_access_level": 40})
    assert {b.name for b in app.protectedbranches.list()} == {"main", "release/*"}
    app.protectedbranches.delete("release/*")
    app.protectedtags.create({"name": "v*"})
    assert app.protectedtags.get("v*").name == "v*"
    root.features.set("create_runner_workflow_for_admin", 50)
    assert next(f for f in root.features.list() if f.name == "create_runner_workflow_for_admin").state == "conditional"
    fails_with(400, root.features.set, "create_runner_workflow_for_admin", True, user="root")
    root.features.set("create_runner_workflow_for_admin", 100)
    changed = root.settings.get()
    changed.valid_runner_registrars = ["group"]
    changed.save()
    assert root.settings.get().valid_runner_registrars == ["group"]
    changed.valid_runner_registrars = ["project", "group"]
    changed.save()


def push(app):
    directory = tempfile.mkdtemp()
    with open(directory + "/.gitlab-ci.yml", "w") as file:
        file.write("first: {script: [a], tags: [around]}\nlater: {script: [b], when: manual, tags: [around]}\n")
    address = app.http_url_to_repo.replace("://", f"://root:{token}@")
    for command in (["init", "-q", "-b", "main"], ["add", "-A"],
                    ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "commit", "-q", "-m", "first"],
                    ["push", "-q", address, "HEAD:refs/heads/main"]):
        subprocess.run(["git", *command], cwd=directory, check=True, env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"})


def pipelines_and_jobs(app):
    push(app)
    runner = root.user.runners.create({"runner_type": "project_type", "project_id": app.id, "tag_list": ["around"],
                                       "run_untagged": False})
    [pushed] = app.pipelines.list()
    assert pushed.status == "pending" and app.pipelines.latest().id == pushed.id
    assert app.pipelines.list(status="success") == [] and app.pipelines.list(updated_before="2020-01-01") == []
    fails_with(400, app.pipelines.list, status="nonsense")
    taken = root.http_post("/jobs/request", post_data={"token": runner.token, "system_id": "s_000000000001",
                                                      "info": {"version": "17.0.0", "platform": "linux"}})
    job = app.jobs.get(taken["id"])
    assert job.status == "running" or job.status == "pending"
    assert job.runner["id"] == runner.id and job.runner_manager["system_id"] == "s_000000000001"
    assert [j.id for j in root.runners.get(runner.id).jobs.list()] == [job.id]
    assert root.runners.get(runner.id).upgrade_status == "recommended", "17.0.0 is behind"
    inside = gitlab.Gitlab(url, job_token=taken["token"])
    assert inside.http_get("/job")["id"] == job.id
    assert inside.projects.get(app.id).id == app.id
    fails_with(401, inside.runners.list)
    fails_with(401, inside.http_post, "/user/runners", post_data={"runner_type": "instance_type"})
    root.http_put(f"/jobs/{job.id}", post_data={"token": taken["token"], "state": "success"})
    assert app.jobs.get(job.id).status == "success" and app.jobs.get(job.id).trace() == b""
    fails_with(401, inside.http_get, "/job")  # the token ends with its job
    [manual] = app.jobs.list(scope="manual")
    manual.play()
    assert app.jobs.get(manual.id).status == "pending"
    manual.cancel()
    assert app.jobs.get(manual.id).status == "canceled"
    assert app.jobs.get(job.id).retry()["id"] != job.id
    fails_with(400, app.jobs.list, scope="nonsense")
    pipeline = app.pipelines.get(pushed.id)
    assert {j.name for j in pipeline.jobs.list()} == {"first", "later"}
    pipeline.cancel()
    assert app.pipelines.get(pushed.id).status == "canceled"
    pipeline.retry()
    made = app.pipelines.create({"ref": "main", "variables": [{"key": "A", "value": "b"}]})
    assert [v.key for v in made.variables.list()] == ["A"]
    made.delete()
    fails_with(404, app.pipelines.get, made.id)
    assert app.ci_lint.create({"content": "a: {script: [b]}"}).valid
    app.jobs.get(job.id).erase()


def what_is_not_there(app):
    """404 or 405, in JSON, whatever the method."""
    for call in (app.issues.list, app.mergerequests.list, app.environments.list, app.triggers.list, root.hooks.list,
                 root.topics.list, root.broadcastmessages.list, app.pipelineschedules.list):
        assert "404" in fails_with(404, call), call
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        answer = root.session.request(method, url + "/api/v4/no/such/thing", headers={"PRIVATE-TOKEN": token})
        assert answer.status_code == 404 and answer.json() == {"error": "404 Not Found"}, (method, answer.text)
    answer = root.session.request("DELETE", url + "/api/v4/version", headers={"PRIVATE-TOKEN": token})
    assert answer.status_code == 405 and answer.json() == {"error": "405 Not Allowed"}
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert root.session.request("OPTIONS", url + "/api/v4/runners/1").headers["Allow"] == "DELETE, GET, HEAD, OPTIONS, PUT"
    assert fails_with(400, root.http_get, "/runners/abc") == "id is invalid"


top, below, app = groups_and_projects()
people(top, below, app)
tokens(top, app)
settings(top, app)
pipelines_and_jobs(app)
what_is_not_there(app)
app.delete()
top.delete()
assert fails_with(404, root.groups.get, below.id)
