#!/usr/bin/env python3
"""Puts a stdio MCP server behind HTTP on 127.0.0.1, for a test suite that speaks nothing else.

    conformance_bridge.py PORT_FILE -- COMMAND [ARGUMENT...]

The port is chosen by the system and written to PORT_FILE. Messages pass through as they are; only ids and progress tokens
are renumbered, because clients that share a process may choose the same. A session of 2025-11-25 and before has a process
of its own; all clients of 2026-07-28, which knows no sessions, share one. What the HTTP transport demands (headers, status
codes, hosts) is done here, since a stdio server knows nothing of it. Standard library only.
"""

import json
import os
import queue
import select
import socket
import subprocess
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODERN = "2026-07-28"
VERSION = "io.modelcontextprotocol/protocolVersion"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
HEADER_MISMATCH = -32020
# Errors of the protocol that 2026-07-28 wants told by the status as well.
STATUS = {-32601: 404, -32600: 400, -32602: 400, -32700: 400, -32020: 400, -32021: 400, -32022: 400}
NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
LOCAL = ("localhost", "127.0.0.1", "[::1]")


class Process:
    """A server, and who waits for its messages."""

    def __init__(self, command):
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lock = threading.Lock()
        self.waiting = {}  # our id -> (queue, the client's id)
        self.tokens = {}  # our id, as a token -> the client's token
        self.last = 0
        threading.Thread(target=self.read, daemon=True).start()

    def write(self, message):
        with self.lock:
            self.child.stdin.write(json.dumps(message).encode() + b"\n")
            self.child.stdin.flush()

    def request(self, message):
        """Sends a request under an id of ours; returns the id and the queue of what comes of it."""
        with self.lock:
            self.last += 1
            number = self.last
        message = dict(message)
        answers = queue.Queue()
        self.waiting[number] = (answers, message["id"])
        message["id"] = number
        meta = (message.get("params") or {}).get("_meta") or {}
        if "progressToken" in meta:
            self.tokens[number] = meta["progressToken"]
            message["params"] = {**message["params"], "_meta": {**meta, "progressToken": number}}
        self.write(message)
        return number, answers

    def cancel(self, number):
        """The client has gone away."""
        if self.waiting.pop(number, None):
            params = {"requestId": number}
            self.write({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})

    def read(self):
        for line in self.child.stdout:
            message = json.loads(line)
            if "method" not in message:
                answers, theirs = self.waiting.pop(message.get("id"), (None, None))
                message["id"] = theirs
            else:
                answers = self.address(message)
            if answers:
                answers.put(message)
        for answers, _ in list(self.waiting.values()):
            answers.put(None)

    def address(self, message):
        """Returns whose message it is: of a subscription, of a progress token, else of the oldest open request."""
        params = message.get("params") or {}
        ours = (params.get("_meta") or {}).get(SUBSCRIPTION, params.get("progressToken"))
        if ours is None:
            ours = min(self.waiting, default=None)
        elif "progressToken" in params:
            params["progressToken"] = self.tokens.get(ours, ours)
        answers, theirs = self.waiting.get(ours, (None, None))
        if SUBSCRIPTION in (params.get("_meta") or {}):
            params["_meta"][SUBSCRIPTION] = theirs
        return answers

    def end(self):
        self.child.stdin.close()
        self.child.wait()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    command_line = []
    sessions = {}
    shared = None
    lock = threading.Lock()

    def log_message(self, *_):
        pass

    def plain(self, status, body=None, headers=()):
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if body is not None:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status, code, text, ident=None):
        self.plain(status, {"jsonrpc": "2.0", "id": ident, "error": {"code": code, "message": text}})

    def is_local(self):
        host = self.headers.get("Host", "").rsplit(":", 1)[0]
        origin = self.headers.get("Origin", "http://localhost").split("//", 1)[-1].rsplit(":", 1)[0]
        if host in LOCAL and origin in LOCAL:
            return True
        self.refuse(403, -32600, "only for this machine")
        return False

    def do_GET(self):
        self.plain(405, headers=[("Allow", "POST, DELETE")])

    def do_DELETE(self):
        if self.is_local():
            process = self.sessions.pop(self.headers.get("Mcp-Session-Id"), None)
            if process:
                process.end()
            self.plain(200 if process else 404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.is_local():
            return
        try:
            message = json.loads(body)
        except ValueError:
            self.refuse(400, -32700, "not JSON")
            return
        meta = (message.get("params") or {}).get("_meta") or {}
        header = self.headers.get("MCP-Protocol-Version", "").strip()
        legacy = "Mcp-Session-Id" in self.headers or (header < MODERN and VERSION not in meta)
        if legacy:
            self.legacy(message)
        elif self.heads_fit(message, meta, header):
            with self.lock:
                if not self.shared:
                    Handler.shared = Process(self.command_line)
            self.exchange(self.shared, message, modern=True)

    def heads_fit(self, message, meta, header):
        """Checks that the headers say what the body says."""
        params, method = message.get("params") or {}, message.get("method")
        name = params.get(NAMED_BY.get(method))
        pairs = [("MCP-Protocol-Version", header, meta.get(VERSION, header) or None)]
        pairs.append(("Mcp-Method", self.headers.get("Mcp-Method", "").strip(), method))
        pairs.append(("Mcp-Name", self.headers.get("Mcp-Name", "").strip(), name))
        for what, said, is_so in pairs:
            if is_so is not None and said != is_so:
                self.refuse(400, HEADER_MISMATCH, f"{what} is {said!r}, the body says {is_so!r}", message.get("id"))
                return False
        return True

    def legacy(self, message):
        if message.get("method") == "initialize":
            session, process = uuid.uuid4().hex, Process(self.command_line)
            self.sessions[session] = process
            self.exchange(process, message, headers=[("Mcp-Session-Id", session)])
            return
        session = self.headers.get("Mcp-Session-Id")
        process = self.sessions.get(session)
        if process:
            self.exchange(process, message)
        else:
            self.refuse(404 if session else 400, -32600, "there is no such session", message.get("id"))

    def exchange(self, process, message, modern=False, headers=()):
        if "id" not in message or "method" not in message:
            process.write(message)
            self.plain(202)
            return
        number, answers = process.request(message)
        first = self.next(answers)
        if first is None:
            process.cancel(number)
            self.refuse(502, -32603, "the server has ended", message["id"])
        elif "method" not in first:
            status = STATUS.get((first.get("error") or {}).get("code"), 200) if modern else 200
            self.plain(status, first, headers)
        else:
            self.stream(process, number, first, answers, headers)

    def next(self, answers):
        """Returns the next message; nothing when the server or the client is gone."""
        while True:
            try:
                return answers.get(timeout=0.1)
            except queue.Empty:
                readable, _, _ = select.select([self.connection], [], [], 0)
                if readable and not self.connection.recv(1, socket.MSG_PEEK):
                    return None

    def stream(self, process, number, message, answers, headers):
        self.send_response(200)
        for name, value in [*headers, ("Content-Type", "text/event-stream"), ("Connection", "close")]:
            self.send_header(name, value)
        self.end_headers()
        try:
            while message is not None:
                self.wfile.write(b"event: message\ndata: " + json.dumps(message).encode() + b"\n\n")
                self.wfile.flush()
                if "method" not in message:
                    break
                message = self.next(answers)
        except OSError:
            pass
        process.cancel(number)
        self.close_connection = True


def main():
    port_file, dashes, *command = sys.argv[1:]
    assert dashes == "--" and command, __doc__
    Handler.command_line = command
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with open(port_file + ".new", "w", encoding="utf-8") as file:
        print(server.server_address[1], file=file)
    os.rename(port_file + ".new", port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()
