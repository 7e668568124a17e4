"""A runner's whole life through python-gitlab, as it comes from PyPI. Arguments: URL, administrator's token."""

import gitlab
from python_gitlab import fails_with, in_a_month, root, url


def login(value):
    client = gitlab.Gitlab(url, private_token=value)
    client.auth()
    return client


def people():
    ann = root.users.create({"username": "ann", "name": "Ann", "email": "ann@example.org",
                             "password": "long and winding", "skip_confirmation": True})
    bob = root.users.create({"username": "bob", "name": "Bob", "email": "bob@example.org",
                             "force_random_password": True, "skip_confirmation": True})
    assert [user.username for user in root.users.list(username="ann")] == ["ann"]
    group = root.groups.create({"name": "Infra", "path": "infra"})
    project = root.projects.create({"name": "tools", "namespace_id": group.id})
    group.members.create({"user_id": ann.id, "access_level": gitlab.const.AccessLevel.OWNER})
    project.members.create({"user_id": bob.id, "access_level": gitlab.const.AccessLevel.MAINTAINER})
    member = project.members.get(bob.id)
    member.access_level = gitlab.const.AccessLevel.DEVELOPER
    member.save()
    assert project.members.get(bob.id).access_level == 30
    member.access_level = gitlab.const.AccessLevel.MAINTAINER
    member.save()
    assert {m.username for m in project.members_all.list()} >= {"ann", "bob"}
    return ann, bob, group, project


def access_tokens(ann, group, project):
    personal = ann.personal_access_tokens.create({"name": "work", "scopes": ["api"], "expires_at": in_a_month})
    assert personal.token.startswith("glpat-")
    assert login(personal.token).user.username == "ann"
    of_group = group.access_tokens.create({"name": "fleet", "scopes": ["api"], "access_level": 50,
                                           "expires_at": in_a_month})
    assert any(t.id == of_group.id and not hasattr(t, "token") for t in group.access_tokens.list())
    of_project = project.access_tokens.create({"name": "ci", "scopes": ["create_runner"], "access_level": 40,
                                               "expires_at": in_a_month})
    rotated = group.access_tokens.get(of_group.id)
    rotated.rotate()
    assert rotated.token != of_group.token and login(rotated.token).user.bot
    spare = group.access_tokens.create({"name": "spare", "scopes": ["api"], "access_level": 30,
                                        "expires_at": in_a_month})
    successor = group.access_tokens.get(spare.id)
    successor.rotate()
    fails_with(401, login, spare.token)
    fails_with(401, login, successor.token)  # whoever uses a rotated token ends the whole family
    assert [t.name for t in root.personal_access_tokens.list(user_id=ann.id)] == ["work"]
    return personal.token, rotated.token, of_project.token


def create_runners(personal, of_group, of_project, group, project):
    instance = root.user.runners.create({"runner_type": "instance_type", "description": "for all",
                                         "tag_list": ["linux", "docker"], "run_untagged": False,
                                         "maximum_timeout": 3600, "maintenance_note": "ask Ann"})
    assert instance.token.startswith("glrt-t1_"), instance.token
    ann = login(personal)
    of_ann = ann.user.runners.create({"runner_type": "group_type", "group_id": group.id, "description": "of ann"})
    bot = login(of_group).user.runners.create({"runner_type": "group_type", "group_id": group.id, "paused": True})
    mine = gitlab.Gitlab(url, private_token=of_project)  # create_runner: it may not even ask who it is
    made = mine.http_post("/user/runners", post_data={"runner_type": "project_type", "project_id": project.id,
                                                      "locked": True})
    assert made["token"].startswith("glrt-t3_")
    fails_with(403, ann.user.runners.create, {"runner_type": "instance_type"})
    assert "group_id" in fails_with(400, ann.user.runners.create, {"runner_type": "group_type"})
    return instance, of_ann, bot, made


def lists(group, project, instance, of_ann, bot, made):
    every = {runner.id for runner in root.runners_all.list(get_all=True)}
    assert every >= {instance.id, of_ann.id, bot.id, made["id"]}
    assert {r.id for r in root.runners_all.list(type="group_type", get_all=True)} >= {of_ann.id, bot.id}
    assert [r.id for r in root.runners_all.list(tag_list=["linux", "docker"], get_all=True)] == [instance.id]
    assert bot.id in [r.id for r in root.runners_all.list(paused=True, get_all=True)]
    assert not root.runners_all.list(status="online", type="group_type", get_all=True)
    first = root.runners_all.list(per_page=2, page=1, get_all=False)
    paged = root.runners_all.list(per_page=2, iterator=True)
    assert len(first) == 2 and paged.total == len(every) and paged.total_pages == (len(every) + 1) // 2
    assert {runner.id for runner in paged} == every
    keyset = root.runners_all.list(per_page=2, iterator=True, pagination="keyset", order_by="id", sort="asc")
    assert [runner.id for runner in keyset] == sorted(every)
    assert {r.id for r in project.runners.list(get_all=True)} >= {made["id"], instance.id, of_ann.id}
    assert {r.id for r in group.runners.list(type="group_type", get_all=True)} == {of_ann.id, bot.id}
    fails_with(400, root.runners_all.list, type="anything")


def edit(instance):
    runner = root.runners.get(instance.id)
    assert runner.status == "never_contacted" and runner.online is None and runner.runner_type == "instance_type"
    assert runner.maintenance_note == "ask Ann" and not hasattr(runner, "token")
    runner.description = "for everybody"
    runner.tag_list = ["linux"]
    runner.save()
    runner.paused = True
    runner.save()
    again = root.runners.get(instance.id)
    assert (again.description, again.tag_list, again.paused, again.active) == ("for everybody", ["linux"], True, False)
    root.runners.update(instance.id, {"paused": False, "run_untagged": True, "tag_list": []})
    assert "maximum_timeout" in fails_with(400, root.runners.update, instance.id, {"maximum_timeout": 10})


def hosts(runner_id, secret):
    """What hosts send; python-gitlab knows verify, the rest is plain."""
    root.runners.verify(secret, query_data={"system_id": "s_000000000001"})
    info = {"version": "18.1.0", "platform": "linux", "executor": "shell"}
    root.http_post("/runners/verify", post_data={"token": secret, "system_id": "s_000000000002", "info": info})
    managers = root.http_list(f"/runners/{runner_id}/managers", get_all=True)
    assert {m["system_id"] for m in managers} >= {"s_000000000002"}, managers
    shown = next(m for m in managers if m["system_id"] == "s_000000000002")
    assert (shown["version"], shown["platform"], shown["status"]) == ("18.1.0", "linux", "online")
    assert shown["possible_clone"] is False
    assert root.runners.get(runner_id).online is True
    root.http_delete("/runners/managers", query_data={"token": secret, "system_id": "s_000000000002"})
    fails_with(404, root.http_delete, "/runners/managers", query_data={"token": secret, "system_id": "s_000000000002"})


def assign(group, made):
    other = root.projects.create({"name": "second", "namespace_id": group.id})
    other.runners.create({"runner_id": made["id"]})
    assert {p["id"] for p in root.runners.get(made["id"]).projects} >= {other.id}
    other.runners.delete(made["id"])
    fails_with(404, other.runners.delete, made["id"])
    owner = root.projects.get(root.runners.get(made["id"]).projects[0]["id"])
    assert "owner project" in fails_with(403, owner.runners.delete, made["id"])


def jobs(made):
    runner = root.runners.get(made["id"])
    assert runner.jobs.list(get_all=True) == []
    assert list(runner.jobs.list(order_by="id", sort="asc", pagination="keyset", iterator=True)) == []


def tokens(instance, group, project):
    reset = root.http_post(f"/runners/{instance.id}/reset_authentication_token")
    assert reset["token"].startswith("glrt-") and reset["token"] != instance.token
    fails_with(403, root.runners.verify, instance.token)
    root.runners.verify(reset["token"])
    settings = root.settings.get()
    settings.allow_runner_registration_token = True
    settings.save()
    old = root.groups.get(group.id).runners_token
    fresh = root.http_post(f"/groups/{group.id}/runners/reset_registration_token")["token"]
    assert fresh.startswith("GR1348941") and fresh != old
    of_project = root.http_post(f"/projects/{project.id}/runners/reset_registration_token")["token"]
    of_instance = root.http_post("/runners/reset_registration_token")["token"]
    fails_with(403, root.runners.create, {"token": old})
    for value, kind in ((fresh, "group_type"), (of_project, "project_type"), (of_instance, "instance_type")):
        legacy = root.runners.create({"token": value, "description": "legacy", "tag_list": "a,b"})
        assert legacy.token.startswith("glrtr-")
        shown = root.runners.get(legacy.id)
        assert shown.runner_type == kind and sorted(shown.tag_list) == ["a", "b"] and shown.created_by is None
        root.http_delete("/runners", query_data={"token": legacy.token})
        fails_with(404, root.runners.get, legacy.id)
    settings.allow_runner_registration_token = False
    settings.save()
    assert "disallowed" in fails_with(410, root.runners.create, {"token": of_instance})


def features_and_audit():
    flag = "create_runner_workflow_for_namespace"
    root.features.set(flag, False)
    assert any(f.name == flag and f.state == "off" for f in root.features.list())
    group = root.groups.list(search="Infra")[0]
    fails_with(403, root.user.runners.create, {"runner_type": "group_type", "group_id": group.id})
    root.features.set(flag, True)
    events = root.audit_events.list(get_all=True)
    assert len(events) > 5 and all(event.created_at for event in events)


def the_end(ann, instance, of_ann, bot, made):
    ann.delete()
    assert root.runners.get(of_ann.id).created_by is None
    for runner_id in (instance.id, of_ann.id, bot.id, made["id"]):
        root.runners.delete(runner_id)
        fails_with(404, root.runners.get, runner_id)


assert root.version()[0] != "unknown"
ann, bob, group, project = people()
personal, of_group, of_project = access_tokens(ann, group, project)
runners = create_runners(personal, of_group, of_project, group, project)
lists(group, project, *runners)
edit(runners[0])
hosts(runners[1].id, runners[1].token)
assign(group, runners[3])
jobs(runners[3])
tokens(runners[0], group, project)
features_and_audit()
the_end(ann, *runners)
