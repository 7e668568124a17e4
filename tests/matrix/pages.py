"""Pages × everybody who can sign in: what a browser gets for each address. Refused pages look like missing ones (404)."""

from rules import DEVELOPER, GUEST, MAINTAINER, OWNER, admin, group, group_runner, project, project_runner, signed_in
from world import PASSWORD


def both(*needs):
    """The page's place and the runner on it must both let him in."""
    def check(actor):
        return next((refusal for need in needs if (refusal := need(actor))), None)
    return check


def instance_runner_page(actor):
    return admin(actor)


G, X = "/groups/parent/group", "/parent/group/project"
PAGES = [
    ("/", signed_in), ("/dashboard/projects", signed_in), ("/dashboard/groups", signed_in),
    ("/projects/new", signed_in), ("/groups/new", signed_in),
    ("/-/user_settings/personal_access_tokens", signed_in), ("/-/user_settings/profile", signed_in),
    ("/admin", admin), ("/admin/runners", admin), ("/admin/runners/new", admin),
    ("/admin/runners/{ri}", instance_runner_page), ("/admin/runners/{rg}", instance_runner_page),
    ("/admin/runners/{ri}/register", instance_runner_page), ("/admin/runners/{ri}/edit", instance_runner_page),
    ("/admin/users", admin), ("/admin/users/owner", admin), ("/admin/application_settings/ci_cd", admin),
    ("/admin/audit_log", admin), ("/admin/groups/parent", admin),
    (G, group(GUEST)), (G + "/-/runners", group(MAINTAINER)), (G + "/-/runners/new", group(OWNER)),
    (G + "/-/runners/{rg}", both(group(MAINTAINER), group_runner("read"))),
    (G + "/-/runners/{rg}/register", both(group(MAINTAINER), group_runner("read"))),
    (G + "/-/runners/{rg}/edit", group_runner("update")),
    (G + "/-/settings/ci_cd", group(OWNER)), (G + "/-/settings/access_tokens", group(OWNER)),
    (G + "/-/group_members", group(GUEST)), (G + "/-/edit", group(OWNER)),
    (X, project(GUEST)), (X + "/-/pipelines", project(GUEST)), (X + "/-/pipelines/new", project(DEVELOPER)),
    (X + "/-/pipelines/{pipeline}", project(GUEST)), (X + "/-/jobs", project(GUEST)),
    (X + "/-/jobs/{done}", project(GUEST)), (X + "/-/jobs/{done}/artifacts/browse/", project(GUEST)),
    (X + "/-/settings/ci_cd", project(MAINTAINER)), (X + "/-/runners/new", project(MAINTAINER)),
    (X + "/-/runners/{rp}", project_runner("read")), (X + "/-/runners/{rp}/register", project_runner("read")),
    (X + "/-/runners/{rp}/edit", project_runner("update")),
    (X + "/-/settings/access_tokens", project(MAINTAINER)), (X + "/-/project_members", project(GUEST)),
    (X + "/edit", project(MAINTAINER)),
    ("/no/such/page", lambda actor: 404), ("/groups/nothing", lambda actor: 404),
]


def cookie_of(answer):
    cookies = [value.split(";")[0] for value in answer.headers.get_all("Set-Cookie") or []]
    return next((cookie for cookie in cookies if cookie.startswith("_forerunner_session=")), None)


def sign_in(world, login):
    """The session's cookie, as a browser gets it; None when it is refused."""
    context = world.server.send("GET", "/-/web/context", connection=world.connection)
    headers = {"X-CSRF-Token": context.json.get("csrf_token") or "", "Cookie": cookie_of(context) or ""}
    answer = world.server.send("POST", "/-/web/session", {"login": login, "password": PASSWORD}, headers,
                               world.connection)
    return cookie_of(answer) if answer.status == 200 else None


def check_pages(matrix):
    world = matrix.world
    if world.server.send("GET", "/-/web/context").status != 200:
        matrix.wrong.append("the program has no pages")
        return
    for actor in [None] + world.people:
        cookie = sign_in(world, actor.login) if actor else None
        if actor and actor.credentials == "blocked":
            if cookie:
                matrix.wrong.append("a blocked user signed in")
            continue
        if actor and not cookie:
            matrix.wrong.append(f"{actor.login} cannot sign in")
            continue
        for path, need in PAGES:
            wanted = 302 if actor is None else 404 if need(actor) else 200
            answer = world.server.send("GET", world.fill(path), headers={"Cookie": cookie} if cookie else {},
                                       connection=world.connection)
            matrix.count += 1
            # A build without the front end says so where the page would be.
            status = 200 if answer.status == 503 else answer.status
            if status != wanted:
                matrix.wrong.append(f"page {path} by {actor.name if actor else 'nobody'}: expected {wanted}, got {status}")
        if actor and world.server.send("GET", "/", headers={"Cookie": "_forerunner_session=x" + cookie[21:]},
                                       connection=world.connection).status != 302:
            matrix.wrong.append("a cookie that is not a session's opens pages")
