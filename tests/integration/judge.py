"""A judge behind an API like OpenAI's: it asks for its key, and always says the same."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self


class JudgeServer:
    """Listens for as long as it is entered."""

    def __init__(self, *, verdict: int, key: str) -> None:
        self.refused = 0
        judge = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body: dict[str, Any] = json.loads(
                    self.rfile.read(int(self.headers["Content-Length"]))
                )
                known = self.headers["Authorization"] == f"Bearer {key}"
                right = known and self.path == "/v1/chat/completions" and body["temperature"] == 0
                judge.refused += not right
                self.send_response(200 if right else 401)
                self.end_headers()
                said = {"choices": [{"message": {"role": "assistant", "content": str(verdict)}}]}
                self.wfile.write(json.dumps(said).encode())

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
