"""Real servers on this machine, for HTTP and for mail, that keep what they receive."""

from __future__ import annotations

import json
import socketserver
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import tenuto


@contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def http_server(status=200):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.received.append((self.path, self.headers["Content-Type"], json.loads(body)))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.received = []
    with serving(server):
        yield server, f"http://127.0.0.1:{server.server_port}/hooks/secret-token"


class MailHandler(socketserver.StreamRequestHandler):
    """As much of SMTP as a client needs that logs in and sends."""

    def handle(self):
        self.reply("220 here")
        while line := self.rfile.readline().decode().strip():
            self.server.lines.append(line)
            verb = line.split(":")[0].split(" ")[0].upper()
            if verb == "EHLO":
                self.reply("250-here\r\n250 AUTH PLAIN")
            elif verb == "AUTH":
                self.reply("235 welcome" if not self.server.refuses else "535 no")
            elif verb == "DATA":
                self.reply("354 go on")
                self.server.mails.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                self.reply("250 sent")
            elif verb == "QUIT":
                self.reply("221 bye")
                return
            else:
                self.reply("250 fine")

    def reply(self, text):
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_server(*, refuses=False):
    server = socketserver.TCPServer(("127.0.0.1", 0), MailHandler)
    server.lines, server.mails, server.refuses = [], [], refuses
    with serving(server):
        mail = tenuto.Mail(
            to="me@example.org",
            sender="gpu@example.org",
            host="127.0.0.1",
            port=server.server_address[1],
            security="none",
            user="gpu",
        )
        yield server, mail
