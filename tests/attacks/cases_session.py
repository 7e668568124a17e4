"""Sessions: fixation, forged requests, redirects, guessing."""

import concurrent.futures
import time

from browser import COOKIE, Visitor, request
from client import TOKEN


def case_session_fixation(world):
    """A cookie that an attacker planted is worth nothing after the victim has signed in with it."""
    attacker = Visitor(world.server)
    attacker.get("/-/web/context")
    victim = Visitor(world.server)
    victim.cookie, victim.csrf = attacker.cookie, attacker.csrf
    assert victim.sign_in("ann", world.password).status == 200
    assert victim.cookie != attacker.cookie
    assert attacker.user() is None
    # A whole session of the attacker's, planted: the sign-in ends it.
    assert attacker.sign_in("eve", world.password).status == 200
    other = Visitor(world.server)
    other.cookie = attacker.cookie
    other.csrf = attacker.csrf
    assert other.sign_in("ann", world.password).status == 200
    assert attacker.user() is None and other.user()["username"] == "ann"
    # What no server made is no session, whatever it looks like.
    for cookie in ("", "x", "A" * 43, "../../etc/passwd", "' OR '1'='1", "A" * 5000, other.cookie + "x"):
        stranger = Visitor(world.server)
        stranger.cookie = cookie
        assert stranger.user() is None, cookie


def case_forged_requests(world):
    """What another site can make a browser send (forms, images, scripts of its own) changes nothing."""
    ann = world.visitor("ann")
    project = world.project("forged", "ann")
    path = f"/api/v4/projects/{project['id']}"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for headers in (form, {"Content-Type": "text/plain"},
                    {**form, "Origin": "https://evil.example"}, {**form, "X-CSRF-Token": "guess"}, {}):
        for method, body in (("POST", "name=x&path=x"), ("PUT", "description=forged"), ("DELETE", None)):
            target = "/api/v4/groups" if method == "POST" else path
            answer = ann.send(method, target, body, headers, csrf=False)
            assert answer.status in (401, 403, 415), (method, headers, answer.status, answer.body)
    # With the right token, but from somewhere else.
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1", "http://127.0.0.1.evil.example"):
        assert ann.send("DELETE", path, None, {"Origin": origin}).status == 401, origin
    assert ann.send("DELETE", path, None, {"Sec-Fetch-Site": "cross-site"}).status == 401
    # The token of another session.
    eve = world.visitor("eve")
    assert ann.send("DELETE", path, None, {"X-CSRF-Token": eve.csrf}).status == 401
    # The API's answers cannot be read by another origin either.
    answer = ann.get("/api/v4/user", headers={"Origin": "https://evil.example"})
    assert answer.headers.get("Access-Control-Allow-Origin") is None
    assert ann.get(path).json["description"] != "forged"
    assert ann.send("DELETE", path).status == 202


def case_login_csrf(world):
    """Nobody can sign a victim's browser in as somebody else."""
    body = {"login": "eve", "password": world.password}
    victim = Visitor(world.server)
    assert victim.send("POST", "/-/web/session", body).status == 403
    victim.get("/-/web/context")
    assert victim.send("POST", "/-/web/session", body, {"Origin": "https://evil.example"}).status == 403
    assert victim.send("POST", "/-/web/session", body, csrf=False).status == 403
    answer = victim.send("POST", "/-/web/session", f"login=eve&password={world.password}",
                         {"Content-Type": "application/x-www-form-urlencoded"}, csrf=False)
    assert answer.status == 403
    assert victim.user() is None


EVIL = ("//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example",
        "https:evil.example", "javascript:alert(1)", "/%2fevil.example", "/%5cevil.example", "/\tevil.example",
        "http:/evil.example", "data:text/html,x", " //evil.example", "/x\r\nSet-Cookie: a=b", "/x%0d%0aSet-Cookie:%20a=b",
        "/../\\evil.example", "\x00//evil.example")


def case_open_redirect(world):
    """redirect_to leads to a page of ours or home, before and after the sign-in."""
    from urllib.parse import quote
    for target in EVIL:
        if "\x00" not in target:
            answer = Visitor(world.server)
            answer.get("/-/web/context")
            done = answer.sign_in("ann", world.password, redirect_to=target)
            assert done.status == 200 and done.json["redirect"] == "/", (target, done.body)
            signed_in = answer.get("/users/sign_in?redirect_to=" + quote(target, safe=""))
            assert signed_in.status == 302 and signed_in.headers["Location"] == "/", (target, signed_in.headers)
    for target in ("//evil.example", "/\\evil.example", "/%2f%2fevil.example", "/x%0d%0aSet-Cookie:%20a=b"):
        status, fields, _ = request(world.server, target)
        location = [field for field in fields if field.lower().startswith("location:")]
        assert status == 302 and location[0].split(": ", 1)[1].startswith("/users/sign_in"), (target, fields)
        assert not any(field.lower().startswith("set-cookie: a=") for field in fields), fields


def case_guessing(world):
    """Ten wrong passwords lock an account, and a name that nobody has behaves the same."""
    for login in ("mallory", "nobody-has-this-name", "nobody@example.org"):
        answers = [Visitor(world.server).sign_in(login, f"wrong {i}") for i in range(10)]
        assert {answer.status for answer in answers} == {401}
        assert {answer.body for answer in answers} == {b'{"message":"Invalid login or password."}'}
        locked = Visitor(world.server).sign_in(login, world.password)
        assert locked.status == 429 and 500 < int(locked.headers["Retry-After"]) <= 600
        assert locked.body == b'{"message":"Too many failed sign-ins. Try again later."}'


def case_enumeration_by_time(world):
    """An unknown name takes as long as a wrong password: both cost one hash."""
    seen = []
    # The quickest of some is what a loaded machine disturbs least; one undisturbed round is proof enough, as without the
    # hash an unknown name takes a hundredth in each of them.
    for turn in range(4):
        times = {"eve": [], f"nobody-at-all-{turn}": []}
        for i in range(8):
            for login, list_of in times.items():
                visitor = Visitor(world.server)
                visitor.get("/-/web/context")
                start = time.monotonic()
                assert visitor.sign_in(login, f"wrong {i}").status == 401
                list_of.append(time.monotonic() - start)
        world.visitor("eve")  # forgets the failures
        known, unknown = (min(values) for values in times.values())
        seen.append((known, unknown))
        if 0.5 < unknown / known < 2:
            return
    raise AssertionError(seen)


def case_cookie_flags(world):
    """Not for scripts, not for other sites, and on https not in the clear."""
    visitor = world.visitor("ann")
    for flag in ("Path=/", "HttpOnly", "SameSite=Lax"):
        assert flag in visitor.set_cookie.split("; "), visitor.set_cookie
    with world.another("--external-url", "https://ci.example") as secure:
        visitor = Visitor(secure)
        visitor.get("/users/sign_in")
        assert "Secure" in visitor.set_cookie.split("; "), visitor.set_cookie
        # A name that browsers take from this very host only, and no other is looked at: a neighbour in the domain could
        # plant one.
        assert visitor.name.startswith("__Host-") and "Domain" not in visitor.set_cookie, visitor.set_cookie
        assert visitor.sign_in("root", world.root_password).status == 200
        assert visitor.user()["username"] == "root"
        planted = Visitor(secure)
        planted.name, planted.cookie = COOKIE, visitor.cookie
        assert planted.user() is None
        answer = visitor.get("/users/sign_in")
        assert answer.headers["Strict-Transport-Security"]
    assert COOKIE not in world.server.api("GET", "version")


def case_signed_out_is_out(world):
    """Sign-out, blocking and a password change end sessions on the server, wherever a copy of the cookie is."""
    ann = world.visitor("ann")
    copy = Visitor(world.server)
    copy.cookie = ann.cookie
    assert ann.send("DELETE", "/-/web/session").status == 200
    assert copy.user() is None and copy.get("/api/v4/user").status == 401
    bob, copy = world.visitor("bob"), Visitor(world.server)
    copy.cookie = bob.cookie
    changed = bob.send("PUT", "/-/web/password", {"current": world.password, "new": "a new password"})
    assert changed.status == 200 and bob.user() is not None and copy.user() is None
    number = world.users["bob"]
    world.server.api("POST", f"users/{number}/block", {}, expect=201)
    assert bob.user() is None
    assert Visitor(world.server).sign_in("bob", "a new password").status == 401


def from_address(server, address):
    """A browser behind the proxy that the server trusts."""
    visitor = Visitor(server)
    visitor.always = {"X-Forwarded-For": f"10.9.9.9, {address}"}
    return visitor


def case_locks_are_no_weapon(world):
    """Whoever fails at somebody's account locks himself out, not its owner; many addresses together are slowed down."""
    with world.another("--trusted-proxies", "127.0.0.1") as server:
        server.api("PUT", "application/settings", {"sign_in_attempts_per_address": 0}, expect=200)
        root = world.root_password
        assert from_address(server, "192.0.2.1").sign_in("root", root).status == 200
        for i in range(10):
            assert from_address(server, "203.0.113.1").sign_in("root", f"wrong {i}").status == 401
        assert from_address(server, "203.0.113.1").sign_in("root", root).status == 429
        assert from_address(server, "192.0.2.2").sign_in("root", root).status == 200
        # From everywhere: an IPv6 host has a whole network to itself and counts as one.
        for i in range(10):
            assert from_address(server, f"2001:db8::{i + 1:x}").sign_in("root", "wrong").status == 401
        assert from_address(server, "2001:db8::ffff").sign_in("root", root).status == 429
        answers = [from_address(server, f"198.51.100.{i}").sign_in("root", "wrong").status for i in range(40)]
        assert answers[0] == 401 and answers[-1] == 429, answers
        assert from_address(server, "198.51.100.200").sign_in("root", root).status == 429
        assert from_address(server, "192.0.2.1").sign_in("root", root).status == 200, "where the owner sits"
        assert from_address(server, "192.0.2.2").sign_in("root", root).status == 200


def case_parallel_sign_ins(world):
    """Right passwords at the same time are no guesses, wrong ones at the same time are each counted."""
    def attempt(password):
        return Visitor(world.server).sign_in("pam", password).status
    # 503: the machine is too busy for so many hashes in the patience of a request; it counts for nothing.
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(attempt, [world.password] * 16))
        assert set(answers) <= {200, 503} and 200 in answers, answers
        answers = list(pool.map(attempt, [f"wrong {i}" for i in range(16)]))
        assert set(answers) <= {401, 429, 503} and answers.count(401) <= 10 < len(answers), answers
        assert 429 in answers or 503 in answers, answers


def case_claimed_addresses(world):
    """X-Forwarded-* of clients is not believed; behind a trusted proxy it is what the proxy saw."""
    liar = Visitor(world.server)
    liar.always = {"X-Forwarded-For": "203.0.113.77", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example",
                   "X-Real-IP": "203.0.113.77", "Forwarded": "for=203.0.113.77;proto=https"}
    assert liar.sign_in("ann", world.password).status == 200
    assert "Secure" not in liar.set_cookie
    mine = [one for one in liar.get("/-/web/sessions").json if one["current"]]
    assert mine[0]["ip_address"] == "127.0.0.1", mine
    with world.another("--trusted-proxies", "127.0.0.0/8") as server:
        visitor = from_address(server, "203.0.113.7")
        visitor.always["X-Forwarded-Proto"] = "https"
        assert visitor.sign_in("root", world.root_password).status == 200
        assert "Secure" in visitor.set_cookie.split("; ") and visitor.name.startswith("__Host-")
        assert visitor.get("/-/web/sessions").json[0]["ip_address"] == "203.0.113.7"
        events = server.api("GET", "audit_events", expect=200)
        assert any("203.0.113.7" in str(event) for event in events), events
        assert not any("10.9.9.9" in str(event) for event in events), events
        # Addresses are made of --external-url, whatever a request says.
        for header in ("Host", "X-Forwarded-Host"):
            answer = server.send("GET", "/api/v4/user", None, {"PRIVATE-TOKEN": TOKEN, header: "evil.example"})
            assert b"evil.example" not in answer.body and b"http" in answer.body
