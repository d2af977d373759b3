"""A small S3 in memory, behind doors that may be broken: each host has its own way to the same objects."""
import http.server
import socket
import threading
import urllib.parse
import xml.sax.saxutils

BUCKET = "bucket"

# What a door does with a request. It says nothing in the last two: the connection ends.
ANSWER, REFUSE, DO_UNHEARD = "answer", "refuse", "do unheard"


class SmallS3:
    """One bucket in path style: GET and HEAD with ranges, PUT with If-None-Match, DELETE, ListObjectsV2."""

    def __init__(self):
        self.objects = {}
        self.lock = threading.Lock()

    def answer(self, method, target, headers, body):
        """Status, headers, bytes."""
        path, _, query = target.partition("?")
        key = urllib.parse.unquote(path).removeprefix(f"/{BUCKET}").removeprefix("/")
        with self.lock:
            if not key:
                return self.list({name: values[0] for name, values in urllib.parse.parse_qs(query).items()})
            if method == "PUT":
                if headers.get("If-None-Match") == "*" and key in self.objects:
                    return error(412, "PreconditionFailed")
                self.objects[key] = body
                return 200, {"ETag": '"0"'}, b""
            if method == "DELETE":
                self.objects.pop(key, None)
                return 204, {}, b""
            return self.read(key, headers.get("Range"))

    def read(self, key, wanted):
        if key not in self.objects:
            return error(404, "NoSuchKey")
        content = self.objects[key]
        if not wanted:
            return 200, {"ETag": '"0"'}, content
        first, last = wanted.removeprefix("bytes=").split("-")
        first, last = int(first), min(int(last or len(content)), len(content) - 1)
        if first > last:
            return error(416, "InvalidRange")
        return 206, {"Content-Range": f"bytes {first}-{last}/{len(content)}", "ETag": '"0"'}, content[first:last + 1]

    def list(self, query):
        prefix, limit = query.get("prefix", ""), int(query.get("max-keys", 1000))
        after = max(query.get("start-after", ""), query.get("continuation-token", ""))
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        encoded = urllib.parse.quote if query.get("encoding-type") == "url" else xml.sax.saxutils.escape
        contents = "".join(f"<Contents><Key>{encoded(key)}</Key><Size>{len(self.objects[key])}</Size>"
                           "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>" for key in keys[:limit])
        more = len(keys) > limit > 0
        token = f"<NextContinuationToken>{keys[limit - 1]}</NextContinuationToken>" if more else ""
        return 200, {"Content-Type": "application/xml"}, (
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{contents}</ListBucketResult>").encode()


def error(status, code):
    return status, {"Content-Type": "application/xml"}, f"<Error><Code>{code}</Code></Error>".encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        door = self.server.door
        treatment = door.treat()
        if treatment == REFUSE:
            self.close_connection = True
            return
        status, headers, content = door.s3.answer(self.command, self.path, self.headers, body)
        if treatment == DO_UNHEARD:
            door.fall_silent()
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_PUT = do_DELETE = serve

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, address, door):
        self.door = door
        self.connections = set()
        super().__init__(address, Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def process_request(self, request, client_address):
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        pass  # who hangs up is not news

    def end(self):
        self.shutdown()
        self.server_close()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # ended by itself


class Door:
    """One host's way to the objects, and how it is broken:

    silent    requests are taken, every other is done, and none is answered
    slow      each answer takes `delay` seconds
    refuses   nobody listens
    flapping  of three requests one is answered, one is not done, and one is done unheard
    """

    last_host = 0
    naming = threading.Lock()

    def __init__(self, s3, delay):
        self.s3, self.delay, self.mode, self.requests = s3, delay, "well", 0
        self.changed = threading.Condition()
        with Door.naming:  # an address of its own, where nobody takes the port while it does not listen
            Door.last_host += 1
            host = f"127.44.0.{Door.last_host}"
        self.server = Server((host, 0), self)
        self.address = self.server.server_address

    def url(self):
        return f"s3://{BUCKET}/store?endpoint=http://{self.address[0]}:{self.address[1]}&region=here"

    def set(self, mode):
        if mode == "refuses":
            self.server.end()
        elif self.mode == "refuses":
            self.server = Server(self.address, self)
        with self.changed:
            self.mode, self.requests = mode, 0
            self.changed.notify_all()

    def treat(self):
        with self.changed:
            self.requests += 1
            if self.mode == "slow":
                self.changed.wait_for(lambda: self.mode != "slow", self.delay)
            elif self.mode == "silent":
                if self.requests % 2 == 0:
                    return DO_UNHEARD
                self.fall_silent()
                return REFUSE
            elif self.mode == "flapping":
                return (ANSWER, REFUSE, DO_UNHEARD)[self.requests % 3]
            return ANSWER

    def fall_silent(self):
        with self.changed:
            self.changed.wait_for(lambda: self.mode != "silent")

    def close(self):
        self.set("well")
        self.server.end()
