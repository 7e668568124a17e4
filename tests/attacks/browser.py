"""A visitor with a cookie, and raw requests that no library would send."""

import http.client
import json
import socket

COOKIE = "_forerunner_session"


class Visitor:
    def __init__(self, server):
        self.server, self.cookie, self.csrf, self.set_cookie = server, "", "", ""
        self.name, self.always = COOKIE, {}

    def send(self, method, path, body=None, headers=None, csrf=True):
        headers = {**self.always, **(headers or {})}
        if self.cookie:
            headers["Cookie"] = f"{self.name}={self.cookie}"
        if self.csrf and csrf:
            headers.setdefault("X-CSRF-Token", self.csrf)
        answer = self.server.send(method, path, body, headers)
        if answer.headers.get("Set-Cookie"):
            self.set_cookie = answer.headers["Set-Cookie"]
            self.name, rest = self.set_cookie.split("=", 1)
            self.cookie = rest.split(";")[0]
        if answer.body[:1] == b"{" and "csrf_token" in answer.json:
            self.csrf = answer.json["csrf_token"]
        return answer

    def get(self, path, **more):
        return self.send("GET", path, **more)

    def sign_in(self, login, password, **more):
        if not self.csrf:
            self.get("/-/web/context")
        return self.send("POST", "/-/web/session", {"login": login, "password": password, **more})

    def user(self):
        return self.get("/-/web/context").json["user"]


def raw(server, data, timeout=10, limit=1 << 20):
    """Sends bytes as they are; everything that came back until the server closed or said no more."""
    with socket.create_connection(("127.0.0.1", server.port), timeout) as connection:
        connection.sendall(data)
        got = b""
        try:
            while len(got) < limit:
                part = connection.recv(65536)
                if not part:
                    break
                got += part
        except (TimeoutError, ConnectionResetError):
            pass
        return got


def request(server, target, method="GET", headers=(), timeout=10):
    """One request with exactly this target; (status, header lines, body)."""
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers, "", ""]
    got = raw(server, "\r\n".join(lines).encode("latin-1"), timeout)
    head, _, body = got.partition(b"\r\n\r\n")
    fields = head.decode("latin-1").split("\r\n")
    assert fields[0].startswith("HTTP/1.1 "), (target, got[:200])
    return int(fields[0].split()[1]), fields[1:], body


def resident_kb(process):
    with open(f"/proc/{process.pid}/status") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


__all__ = ["Visitor", "raw", "request", "resident_kb", "http", "json", "COOKIE"]
