"""A local ClickHouse: its real engine (chDB) behind its HTTP interface, for as long as whoever started it lives.

    clickhouse.py FOLDER PORT [CERTIFICATE KEY]

The data is kept in FOLDER, in the database `inventory`. With a certificate, connections are encrypted. The port stands on
the first line of standard output. Standard input is the leash: when it ends, because the starter closed it or is gone for
whatever reason, the server is gone too. Until then each line of it is an order, and each order is answered with a line on
standard output:

    fail-after TEXT N      carry out the next N statements in which TEXT stands, and drop the connection without an answer,
                           or after the first rows of it
    fail-before TEXT N     drop the connection of the next N statements in which TEXT stands, without carrying them out
    leave TEXT N           drop the connection of the next N statements in which TEXT stands, and carry them out a second later
    plain-exceptions       write an exception that comes after the first rows as older versions do: as text behind them
    never                  forget these orders

Users are `headwater`, whose password is PASSWORD, and `reader`, with the same password, who may change nothing. Neither has
a grant for the tables of `system` that need one. Rows in the format ArrowStream are sent while they are read. What is here is the way from a request to the engine, and what the engine
leaves to its server: users, and that no two statements with the same id run at once. Statements, settings and errors are
the engine's own. Source: <https://clickhouse.com/docs/interfaces/http>.
"""

import base64
import contextlib
import gzip
import json
import os
import re
import ssl
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import chdb

HOST = "127.0.0.1"
PASSWORD = "a pass/word"
USERS = {"headwater": PASSWORD, "reader": PASSWORD}

# The tables of `system` that the configuration of a server gives everybody; others need a grant.
OPEN = {"columns", "databases", "functions", "one", "settings", "tables"}
OF_THE_SYSTEM = re.compile(rb"\bsystem\.(\w+)")

# Parameters of a request that are no settings of its statement.
OWN = {
    "buffer_size",
    "compress",
    "database",
    "decompress",
    "default_format",
    "enable_http_compression",
    "password",
    "query",
    "query_id",
    "session_id",
    "user",
    "wait_end_of_query",
}

# An INSERT whose rows stand behind it in a binary format.
INSERT = re.compile(rb"\s*(INSERT\b.*?)\bFORMAT\s+(ArrowStream|Arrow|Parquet|Native|RowBinary)[ \t]*\r?\n", re.I | re.S)

# A query whose rows are sent while they are read.
STREAM = re.compile(rb"\s*(SELECT\b.*)\bFORMAT\s+ArrowStream\s*\Z", re.I | re.S)
END = b"\xff\xff\xff\xff\0\0\0\0"

# Codes of exceptions that have another status than 500.
STATUS = {194: 401, 516: 403, 497: 403, 164: 403, 60: 404, 81: 404, 62: 400, 47: 400, 36: 400, 46: 404, 115: 404}


def literal(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Orders:
    """What the starter has ordered to go wrong."""

    def __init__(self):
        self.lock = threading.Lock()
        self.failures = []
        self.plain = False

    def take(self, when, statement):
        with self.lock:
            for failure in self.failures:
                if failure["when"] == when and failure["left"] > 0 and failure["text"] in statement:
                    failure["left"] -= 1
                    return True
        return False

    def obey(self, line):
        words = line.split()
        if len(words) >= 3 and words[0] in ("fail-after", "fail-before", "leave"):
            with self.lock:
                text = " ".join(words[1:-1]).encode()
                self.failures.append({"when": words[0], "text": text, "left": int(words[-1])})
            return "ok"
        if words == ["never"]:
            with self.lock:
                self.failures = []
                self.plain = False
            return "ok"
        if words == ["plain-exceptions"]:
            self.plain = True
            return "ok"
        return f"unknown order: {line}"


class Running:
    """The ids of the statements that are being carried out."""

    def __init__(self):
        self.lock = threading.Lock()
        self.ids = set()

    def begin(self, name):
        with self.lock:
            if name in self.ids:
                return False
            if name:
                self.ids.add(name)
            return True

    def end(self, name):
        with self.lock:
            self.ids.discard(name)


class Engine:
    def __init__(self, folder):
        self.folder = folder
        # The engine lives as long as its first connection.
        self.first = chdb.connect(folder)
        self.version = bytes(self.first.query("SELECT version()", "TSV").bytes()).decode().strip()

        # The embedded engine's own `default` also has every file as a table, which a server's does not.
        self.first.query("CREATE DATABASE IF NOT EXISTS inventory")

    def run(self, statement, parameters, reads_only):
        """Carries out a statement in a connection of its own, so that its settings end with it."""
        connection, values = self.connection(parameters, reads_only)
        try:
            rows = INSERT.match(statement)
            if not rows:
                return self.text(connection, statement.decode(), parameters, values)
            with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".rows") as file:
                file.write(statement[rows.end() :])
                file.flush()
                head, form = rows.group(1).decode(), rows.group(2).decode()
                insert = f"{head} FROM INFILE {literal(file.name)} FORMAT {form}"
                return self.text(connection, insert, parameters, values)
        finally:
            connection.close()

    def connection(self, parameters, reads_only):
        """A connection with the settings of a request, and the values of the query's own parameters."""
        connection, values = chdb.connect(self.folder), {}
        try:
            if database := parameters.get("database"):
                connection.query(f"USE `{database.replace(chr(92), chr(92) * 2).replace('`', chr(92) + '`')}`")
            for name, value in parameters.items():
                if name.startswith("param_"):
                    values[name.removeprefix("param_")] = value
                elif name not in OWN:
                    if not re.fullmatch(r"\w+", name):
                        raise RuntimeError(f"Code: 115. DB::Exception: Unknown setting '{name}'. (UNKNOWN_SETTING)")
                    connection.query(f"SET {name} = {literal(value)}")
            if reads_only:
                connection.query("SET readonly = 1")
        except BaseException:
            connection.close()
            raise
        return connection, values

    def stream(self, query, parameters, reads_only):
        """Yields the rows of a query while they are read, as one Arrow stream."""
        connection, values = self.connection(parameters, reads_only)
        try:
            pieces = connection.send_query(query, "ArrowStream", params=values)
            try:
                first = True
                while piece := self.piece(pieces):
                    # The engine makes each piece a stream of its own.
                    start = 0 if first else 8 + int.from_bytes(piece[4:8], "little")
                    yield piece[start:].removesuffix(END)
                    first = False
            finally:
                pieces.close()
            yield self.text(connection, query + " FORMAT ArrowStream", parameters, values) if first else END
        finally:
            connection.close()

    @staticmethod
    def piece(pieces):
        piece = pieces.fetch()
        return bytes(piece.bytes() or b"") if piece is not None else b""

    @staticmethod
    def text(connection, statement, parameters, values):
        answer = connection.query(statement, parameters.get("default_format", "TabSeparated"), params=values)
        return bytes(answer.bytes() or b"") if answer is not None else b""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionError("the body ends too early")
        return body

    def answer(self, status, body, headers=()):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def exception(self, text):
        """An error of the engine, in the form that the HTTP interface has for it."""
        # The embedded engine wraps some of its errors once more.
        found = re.search(r"Code: (\d+)\. DB::Exception: (?!Code:)(.*)", text, re.S)
        code, message = (int(found.group(1)), found.group(2)) if found else (1002, text)
        message = message.split(" (version ")[0]
        text = f"Code: {code}. DB::Exception: {message} (version {ENGINE.version} (official build))\n"
        return code, text.encode()

    def fail(self, text):
        code, text = self.exception(text)
        self.answer(STATUS.get(code, 500), text, [("X-ClickHouse-Exception-Code", str(code))])

    def chunk(self, piece):
        self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")

    def answer_stream(self, pieces, cut):
        """Sends rows while they come. Nothing is sent before the first of them, so that an error until then is an answer."""
        first = next(pieces)
        tag = base64.b32encode(os.urandom(10)).decode().lower()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.apache.arrow.stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("X-ClickHouse-Exception-Tag", tag)
        self.end_headers()
        self.chunk(first)
        if cut:
            self.close_connection = True
            return
        try:
            for piece in pieces:
                self.chunk(piece)
        except (ConnectionError, ssl.SSLError):
            self.close_connection = True
            return
        except Exception as error:
            _, text = self.exception(str(error))
            if ORDERS.plain:
                self.chunk(text)
            else:
                # The last chunk, which is empty, is not sent.
                marked = f"{tag}\r\n".encode() + text + f"\r\n{len(text)} {tag}".encode()
                self.chunk(b"\r\n__exception__\r\n" + marked + b"\r\n__exception__\r\n")
                self.close_connection = True
                return
        self.wfile.write(b"0\r\n\r\n")

    def who(self, parameters):
        user = self.headers.get("X-ClickHouse-User")
        password = self.headers.get("X-ClickHouse-Key")
        if user is None and self.headers.get("Authorization", "").startswith("Basic "):
            text = base64.b64decode(self.headers["Authorization"][6:]).decode()
            user, _, password = text.partition(":")
        if user is None:
            user, password = parameters.get("user", "default"), parameters.get("password")
        return user if USERS.get(user) == (password or "") else None

    def do_GET(self):
        if urlsplit(self.path).path == "/ping":
            return self.answer(200, b"Ok.\n")
        self.respond(True)

    def do_POST(self):
        self.respond(False)

    def respond(self, reads_only):
        parameters = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        try:
            body = self.body()
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
        except (ConnectionError, OSError, ValueError):
            self.close_connection = True
            return
        user = self.who(parameters)
        if user is None:
            name = self.headers.get("X-ClickHouse-User") or parameters.get("user", "default")
            return self.fail(
                f"Code: 516. DB::Exception: {name}: Authentication failed: password is incorrect, or there is no "
                "user with such name. (AUTHENTICATION_FAILED)"
            )
        query = parameters.get("query")
        statement = b"\n".join(filter(None, [query.encode() if query else b"", body]))
        if not statement:
            return self.answer(200, b"Ok.\n")
        if ORDERS.take("fail-before", statement):
            self.close_connection = True
            return
        head = (INSERT.match(statement) or [statement])[0]
        for table in OF_THE_SYSTEM.findall(head):
            if table.decode() not in OPEN:
                return self.fail(
                    f"Code: 497. DB::Exception: {user}: Not enough privileges. To execute this query, it's necessary to "
                    f"have the grant SELECT ON system.{table.decode()}. (ACCESS_DENIED)"
                )
        name = parameters.get("query_id")
        if not RUNNING.begin(name):
            return self.fail(
                f"Code: 216. DB::Exception: Query with id = {name} is already running. "
                "(QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING)"
            )
        run = lambda: ENGINE.run(statement, parameters, reads_only or user == "reader")
        if ORDERS.take("leave", statement):
            self.close_connection = True
            threading.Thread(target=later, args=(run, name), daemon=True).start()
            return
        try:
            streamed = STREAM.match(statement) if parameters.get("wait_end_of_query") != "1" else None
            if streamed:
                query = streamed.group(1).decode()
                pieces = ENGINE.stream(query, parameters, reads_only or user == "reader")
                with contextlib.closing(pieces):
                    return self.answer_stream(pieces, ORDERS.take("fail-after", statement))
            answer = run()
        except Exception as error:
            return self.fail(str(error))
        finally:
            RUNNING.end(name)
        if ORDERS.take("fail-after", statement):
            self.close_connection = True
            return
        summary = json.dumps({"elapsed_ns": "0"})
        self.answer(200, answer, [("X-ClickHouse-Summary", summary)])


def later(run, name):
    time.sleep(1)
    try:
        run()
    finally:
        RUNNING.end(name)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # Whoever starts the server again on its port need not wait for its old connections.
    allow_reuse_address = True
    request_queue_size = 64


ENGINE = Engine(sys.argv[1])
ORDERS = Orders()
RUNNING = Running()
server = Server((HOST, int(sys.argv[2])), Handler)
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    # The handshake is of the connection's own thread, so that a client who gives up does not hold others up.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
for order in sys.stdin:
    print(ORDERS.obey(order.strip()), flush=True)
# Nothing is worth a tidy end, and the engine's takes its time.
os._exit(0)
