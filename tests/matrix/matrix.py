"""Every endpoint of the OpenAPI document × everybody → the answer that rules.py expects. Nothing is sampled.

Usage: matrix.py [WORD]: only the endpoints whose method and path have that word; "pages", "git" or
"switches": only the pages, only git, only what settings and flags change."""

import os
import re
import shutil
import signal
import sys
import tempfile
import time

from document import Document, fields_of, right_values, wrong_values
from git_access import check_git
from pages import check_pages
from rules import RULES, SWITCHES, expected
from world import World
from client import Coordinator


def uncovered(document):
    """Endpoints of the document without a rule: there must be none."""
    covered = set()
    for rule in RULES:
        plain = re.sub(r"\{[^}]*\}", "1", rule.endpoint[1])
        covered.add(id(document.find(rule.method, plain)))
    return [f"{method} {path}" for method, path, _, operation in document.operations if id(operation) not in covered]


class Matrix:
    def __init__(self, world, document):
        self.world, self.document, self.count, self.wrong = world, document, 0, []

    def complain(self, rule, who, text, answer):
        self.wrong.append(f"{rule.method} {rule.path} {who}: {text}: {answer.status} "
                          f"{answer.body[:160].decode(errors='replace')}")

    def ask(self, rule, actor, body=None, query=None):
        world = self.world
        headers = dict(actor.headers, **(rule.headers or {}))
        if rule.fresh_token and actor.credentials == "user":
            headers.pop("Authorization", None)
            headers["PRIVATE-TOKEN"] = world.token(actor.user_id, actor.scopes)["token"]
        path = world.fill(rule.path)
        answer = world.send(rule.method, path + (("&" if "?" in path else "?") + query if query else ""),
                            world.fill(rule.body) if body is None else body, headers)
        self.count += 1
        if 200 <= answer.status < 300:
            world.use_up(rule.path)
            if rule.undo:
                method, path_back, *body_back = rule.undo
                world.root(method, world.fill(path_back), world.fill(body_back[0]) if body_back else None)
        for text in self.document.complaints(rule.method, path.split("?")[0], answer)[:3]:
            self.complain(rule, f"by {actor.name}", "against the document: " + text, answer)
        return answer

    def check(self, rule, actor):
        wanted = expected(rule, actor)
        answer = self.ask(rule, actor)
        if answer.status != wanted:
            self.complain(rule, f"by {actor.name}", f"expected {wanted}", answer)

    def check_switches(self):
        for name, on, off, touched, answer_of in SWITCHES:
            self.world.root(on[0], self.world.fill(on[1]), on[2] if len(on) > 2 else None)
            for rule in touched:
                for actor in self.world.actors:
                    answer, wanted = self.ask(rule, actor), answer_of(rule, actor)
                    if answer.status != wanted:
                        self.complain(rule, f"by {actor.name}, {name}", f"expected {wanted}", answer)
            self.world.root(off[0], self.world.fill(off[1]), off[2] if len(off) > 2 else None)

    # --- parameters, as the administrator: each documented one is understood, and what it cannot be is refused ---

    def check_parameters(self, rule, admin):
        plain = re.sub(r"\{[^}]*\}", "1", rule.endpoint[1])
        for name, (place, schema, required) in fields_of(self.document.find(rule.method, plain)).items():
            for value in wrong_values(schema) if name not in rule.unread else []:
                answer = self.send_field(rule, admin, place, name, value)
                if answer.status != 400 or name not in answer.body.decode().lower():
                    self.complain(rule, f"with {name}={value}", "expected 400", answer)
            for value in right_values(schema) if place == "query" else []:
                answer = self.send_field(rule, admin, place, name, value)
                if answer.status == 400:
                    self.complain(rule, f"with {name}={value}", "is documented", answer)
            answer = self.send_field(rule, admin, place, name, "%00" if place == "query" else "\0")
            if answer.status != 400:
                self.complain(rule, f"with a NUL in {name}", "expected 400", answer)
            if required and place == "body":
                body = {key: value for key, value in self.world.fill(rule.body).items() if key != name}
                answer = self.ask(rule, admin, body=body)
                if answer.status != 400 or f"{name} is missing" not in answer.body.decode():
                    self.complain(rule, f"without {name}", "expected 400", answer)
            if name == "per_page":
                answer = self.send_field(rule, admin, place, name, "0")
                if answer.status != 400:
                    self.complain(rule, "with per_page=0", "expected 400", answer)

    def send_field(self, rule, admin, place, name, value):
        if place == "query":
            return self.ask(rule, admin, query=f"{name}={value}")
        return self.ask(rule, admin, body=dict(self.world.fill(rule.body) or {}, **{name: value}))


def report(matrix, document, left, seconds, actors):
    for line in matrix.wrong[:200]:
        print(line)
    for line in left:
        print("no rule for", line)
    print(f"{len(document.operations)} endpoints, {actors} actors, {matrix.count} requests in {seconds:.1f} s: "
          f"{len(matrix.wrong)} wrong, {len(left)} endpoints without a rule")
    return 1 if matrix.wrong or left else 0


def run(program, word):
    directory = tempfile.mkdtemp(prefix="matrix-")
    server = Coordinator(program, directory)
    server.start()
    try:
        document = Document(server.send("GET", "/api/v4/openapi.json").body)
        world = World(server)
        matrix = Matrix(world, document)
        [admin] = [actor for actor in world.actors if actor.name == "administrator's api token"]
        started = time.monotonic()
        if word in "pages":
            check_pages(matrix)
        if word in "git":
            check_git(matrix)
        for rule in RULES:
            if word not in f"{rule.method} {rule.path}":
                continue
            for actor in world.actors:
                matrix.check(rule, actor)
            if rule.auth != "none" and not rule.fresh_token:
                matrix.check_parameters(rule, admin)
        if word in "switches":
            matrix.check_switches()
        seconds = time.monotonic() - started
    finally:
        server.kill(signal.SIGTERM)
        shutil.rmtree(directory)
    return report(matrix, document, uncovered(document), seconds, len(world.actors))


if __name__ == "__main__":
    sys.exit(run(os.environ["FORERUNNER"], sys.argv[1] if len(sys.argv) > 1 else ""))
