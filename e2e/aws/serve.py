"""A local AWS: moto's server on a free loopback port, for as long as whoever started it lives.

The port stands on the first line of standard output. Standard input is the leash: when it ends, because the starter
closed it or is gone for whatever reason, the server is gone too. Until then each line of it is an order, and each
order is answered with a line on standard output:

    die-after N            answer N more calls of the service, and end without a word at the next one
    fail STATUS CODE N TEXT
                           answer the next N calls in whose path or body TEXT stands with an error of AWS's form
    lose N TEXT            do what the next N calls ask for in whose path or body TEXT stands, and cut their connections
                           instead of answering
    demand HEADER          from now on refuse objects that are put without a header, as a bucket's policy does
    check-credentials      from now on answer only to those who sign with a key that was made here, and allow them
                           no more than their policies do
    check-regions          from now on send those on who look for a bucket of S3 in another region than its own
    calls                  how many calls of the service were answered so far
"""

import functools
import io
import os
import re
import socket
import sys
import threading
from xml.sax.saxutils import escape

from moto import settings
from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

HOST = "127.0.0.1"

# Answers of S3 whose outermost element moto 5.2.5 does not call what AWS does. boto3 does not look at it, the other
# clients refuse what they do not know: the query of the call, the wrong name, the right one.
MISNAMED = {
    "notification": (b"GetBucketNotificationResponse", b"NotificationConfiguration"),
    "versioning": (b"GetBucketVersioningResponse", b"VersioningConfiguration"),
    "accelerate": (b"GetBucketAccelerateConfigurationResponse", b"AccelerateConfiguration"),
}


class Orders:
    """Stands before moto, counts the calls, and does what it was told to them."""

    def __init__(self, app):
        self.app = app
        self.lock = threading.Lock()
        self.answered = 0
        self.left = None
        self.regions = False
        self.failures = []
        self.losses = []
        self.demanded = None

    def __call__(self, environ, start_response):
        # Moto's own controls are no calls of the service.
        if environ["PATH_INFO"].startswith("/moto-api/"):
            return self.app(environ, start_response)
        # A chunked body has no length, but its stream ends.
        length = None if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        text = f"{environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}\n{body.decode('utf-8', 'replace')}"
        with self.lock:
            if "/ec2/" in environ.get("HTTP_AUTHORIZATION", ""):
                prepare_ec2()
            if self.left is not None:
                if self.left == 0:
                    os._exit(3)
                self.left -= 1
            self.answered += 1
            loss = next((loss for loss in self.losses if loss[0] > 0 and loss[1] in text), None)
            failure = next((failure for failure in self.failures if failure[2] > 0 and failure[3] in text), None)
            if loss:
                loss[0] -= 1
                failure = None
            if failure:
                failure[2] -= 1
        if failure:
            return refuse(environ, start_response, failure[0], failure[1])
        if self.demanded and is_put_without(environ, self.demanded):
            return refuse(environ, start_response, "403", "AccessDenied")
        if loss:
            b"".join(self.app(environ, lambda *_: None))
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionError("ordered by a test")
        elsewhere = self.regions and other_region(environ)
        if elsewhere:
            return refuse(environ, start_response, "301", "PermanentRedirect", [("x-amz-bucket-region", elsewhere)])
        misnamed = MISNAMED.get(environ.get("QUERY_STRING", "").removesuffix("="))
        if misnamed and environ["REQUEST_METHOD"] == "GET":
            return rename(self.app, environ, start_response, *misnamed)
        return self.app(environ, start_response)

    def obey(self, line):
        word, _, rest = line.strip().partition(" ")
        with self.lock:
            if word == "die-after":
                self.left = int(rest)
            elif word == "fail":
                status, code, times, text = rest.split(" ", 3)
                self.failures.append([status, code, int(times), text])
            elif word == "lose":
                times, text = rest.split(" ", 1)
                self.losses.append([int(times), text])
            elif word == "demand":
                self.demanded = rest
            elif word == "check-credentials":
                settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
            elif word == "check-regions":
                self.regions = True
            elif word == "calls":
                return str(self.answered)
            else:
                return f"unknown order {word!r}"
        return "done"


def is_put_without(environ, header):
    """Whether a call makes an object, whole or as an upload in parts, and has not the header."""
    query = environ.get("QUERY_STRING", "")
    whole = environ["REQUEST_METHOD"] == "PUT" and "partNumber" not in query
    in_parts = environ["REQUEST_METHOD"] == "POST" and query.startswith("uploads")
    name = "HTTP_" + header.upper().replace("-", "_")
    return (whole or in_parts) and "/" in environ["PATH_INFO"].strip("/") and name not in environ


def rename(app, environ, start_response, wrong, right):
    """Answers as moto does, with the outermost element's right name."""
    head = []
    body = b"".join(app(environ, lambda *arguments: head.extend(arguments))).replace(wrong, right)
    status, headers = head[:2]
    headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
    start_response(status, [*headers, ("Content-Length", str(len(body)))])
    return [body]


@functools.cache
def prepare_ec2():
    """Not before it is needed, because EC2 takes longer to load than all that others need."""
    from moto.ec2.models import vpcs

    # To list the services that a VPC endpoint can be made for, moto loads all services that it has, and most are not
    # installed here with what they need. It has a list of names for the others.
    vpcs.IMPLEMENTED_ENDPOINT_SERVICES = []


def other_region(environ):
    """The region of the call's bucket, where the call is signed for another one."""
    from moto.s3.models import s3_backends

    match = re.search(r"Credential=[^/]+/[^/]+/([^/]+)/s3/", environ.get("HTTP_AUTHORIZATION", ""))
    bucket = s3_backends[ACCOUNT]["aws"].buckets.get(environ["PATH_INFO"].split("/")[1])
    return bucket.region_name if match and bucket and bucket.region_name != match[1] else None


def refuse(environ, start_response, status, code, more=()):
    """Answers with an error: S3 has a form of its own, the others that moto serves here share the query protocol's."""
    message = escape(f"ordered by a test: {code}")
    if "/s3/" in environ.get("HTTP_AUTHORIZATION", ""):
        body = f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>local</RequestId></Error>"
    elif "/ec2/" in environ.get("HTTP_AUTHORIZATION", ""):
        body = (
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            "<RequestID>local</RequestID></Response>"
        )
    else:
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            "<RequestId>local</RequestId></ErrorResponse>"
        )
    # The answer to a HEAD has no body.
    data = b"" if environ["REQUEST_METHOD"] == "HEAD" else ('<?xml version="1.0" encoding="UTF-8"?>\n' + body).encode()
    start_response(f"{status} Ordered", [("Content-Type", "text/xml"), ("Content-Length", str(len(data))), *more])
    return [data]


def main():
    orders = Orders(DomainDispatcherApplication(create_backend_app))
    server = make_server(HOST, 0, orders, threaded=True, request_handler=MotoRequestHandler)
    # Moto puts its own address into some answers (SQS's queues, for one).
    os.environ["MOTO_PORT"] = str(server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    for line in sys.stdin:
        print(orders.obey(line), flush=True)
    # Calls may still be under way; nobody waits for their answers any more.
    os._exit(0)


if __name__ == "__main__":
    main()
