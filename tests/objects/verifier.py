"""A proxy in front of an S3 service that lets pass only what is signed right, by the word of botocore (AWS's own code),
which has no part in making the signatures. Usage: verifier.py PORT SERVICE_PORT; credentials from the environment."""

import hashlib
import http.client
import http.server
import os
import re
import socketserver
import sys
import urllib.parse

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

PORT, SERVICE = int(sys.argv[1]), int(sys.argv[2])
CREDENTIALS = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"],
                          os.environ.get("AWS_SESSION_TOKEN"))


def expected(kind, request, region):
    signer = kind(CREDENTIALS, "s3", region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return signer.signature(text, request)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def complaint(self, body):
        """What is wrong with the request's signature; None: nothing."""
        split = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True))
        base = f"http://{self.headers['Host']}{split.path}"
        if "X-Amz-Signature" in query:
            rest = "&".join(part for part in split.query.split("&") if not part.startswith("X-Amz-Signature="))
            request = AWSRequest(method=self.command, url=f"{base}?{rest}")
            request.context["timestamp"] = query["X-Amz-Date"]
            region = query["X-Amz-Credential"].split("/")[2]
            return None if expected(S3SigV4QueryAuth, request, region) == query["X-Amz-Signature"] else "signature of the URL"
        found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, "
                             r"SignedHeaders=([^,]+), Signature=([0-9a-f]{64})", self.headers.get("Authorization", ""))
        if not found:
            return "no signature"
        names = found[4].split(";")
        must = {"host", "x-amz-date", "x-amz-content-sha256"} | {
            name.lower() for name in self.headers if name.lower().startswith("x-amz-")}
        if not must <= set(names):
            return "headers that are not signed"
        if CREDENTIALS.token and self.headers.get("X-Amz-Security-Token") != CREDENTIALS.token:
            return "no session token"
        if self.headers["X-Amz-Content-Sha256"] != hashlib.sha256(body).hexdigest():
            return "checksum of the body"
        request = AWSRequest(method=self.command, url=f"{base}?{split.query}" if split.query else base, data=body,
                             headers={name: self.headers[name] for name in names if name != "host"})
        request.context["timestamp"] = self.headers["X-Amz-Date"]
        return None if expected(S3SigV4Auth, request, found[3]) == found[5] else "signature"

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        complaint = self.complaint(body)
        if complaint:
            answer = f"<Error><Code>SignatureDoesNotMatch</Code><Message>{complaint}</Message></Error>".encode()
            self.send_response(403)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            return
        service = http.client.HTTPConnection("127.0.0.1", SERVICE)
        service.request(self.command, self.path, body, dict(self.headers.items()))
        response = service.getresponse()
        content = response.read()
        self.send_response(response.status, response.reason)
        for name, value in response.headers.items():
            if name.lower() not in ("transfer-encoding", "connection", "content-length", "server", "date"):
                self.send_header(name, value)
        length = response.headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(content)
        service.close()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = serve

    def log_message(self, *arguments):
        print(self.command, self.path.split("?")[0], *arguments[1:], flush=True)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


Server(("127.0.0.1", PORT), Handler).serve_forever()
