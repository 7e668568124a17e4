"""git × everybody: may the private project be fetched, may it be pushed to?"""

import base64

from rules import git_expected


def authorization(actor):
    """As git sends it: any user name, the token as password."""
    token = actor.headers.get("PRIVATE-TOKEN") or actor.headers.get("Authorization", "").removeprefix("Bearer ")
    if actor.credentials == "job":
        token = actor.headers["JOB-TOKEN"]
    if not token:
        return {}
    name = "gitlab-ci-token" if actor.credentials == "job" else "somebody"
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()}


def check_git(matrix):
    world = matrix.world
    for actor in world.actors:
        for service in ("upload", "receive"):
            answer = world.server.send("GET", f"/parent/group/project.git/info/refs?service=git-{service}-pack",
                                       headers=authorization(actor), connection=world.connection)
            matrix.count += 1
            wanted = git_expected(actor, service == "receive")
            if answer.status != wanted:
                matrix.wrong.append(f"git {service}-pack by {actor.name}: expected {wanted}, got {answer.status}")
