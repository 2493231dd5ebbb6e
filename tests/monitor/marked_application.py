"""An application on the clear hop: ``/TEXT`` answers with that marked document in the encoding that is asked for."""

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


class Documents(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        encoding = query.get("encoding", ["utf-8"])[0]
        body = f"{unquote(address.path[1:])}\n演练样本\n".encode(encoding)
        parts = int(query.get("parts", ["1"])[0])
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body) + (parts - 1) * 40_000))
        self.end_headers()
        self.wfile.write(body)
        for _ in range(parts - 1):
            time.sleep(0.5)
            self.wfile.write(b"-" * 40_000)

    def log_message(self, *_arguments: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Documents).serve_forever()
