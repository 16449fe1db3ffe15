"""The Elastic Beanstalk Query API on loopback: what the EB CLI talks to."""

from __future__ import annotations

import threading
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from deploy.rehearsal.eb_operations import Deploy, Operations, xml
from deploy.rehearsal.eb_records import Records
from deploy.rehearsal.ports import LOOPBACK

_NAMESPACE = "http://elasticbeanstalk.amazonaws.com/docs/2010-12-01/"


class EbApi:
    """Serves the API until ``stop``."""

    def __init__(self, port: int, records: Records, deploy: Deploy) -> None:
        self.url = f"http://{LOOPBACK}:{port}"
        handler = type("Handler", (_Handler,), {"operations": Operations(records, deploy)})
        self._server = ThreadingHTTPServer((LOOPBACK, port), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="eb-api", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    operations: Operations

    def log_message(self, *_: object) -> None:
        """Quiet: the client says what it asks for."""

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        parameters = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
        action, request_id = parameters.get("Action", ""), str(uuid.uuid4())
        result = self.operations.call(action, parameters, request_id)
        if result is None:
            error = f"<Error>{xml(Type='Sender', Code='NotImplemented', Message=f'{action} is not rehearsed')}</Error>"
            text = f'<ErrorResponse xmlns="{_NAMESPACE}">{error}{xml(RequestId=request_id)}</ErrorResponse>'
        else:
            metadata = f"<ResponseMetadata>{xml(RequestId=request_id)}</ResponseMetadata>"
            text = f"<{action}Result>{result}</{action}Result>{metadata}"
            text = f'<{action}Response xmlns="{_NAMESPACE}">{text}</{action}Response>'
        self._send(200 if result is not None else 400, text.encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
