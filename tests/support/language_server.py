"""yaml-language-server, driven over its standard input and output as an editor does."""

import itertools
import json
import queue
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from ending import PATIENCE
from node_packages import install

VERSION = "1.25.0"
_SETTINGS = {
    "yaml": {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}
}


def install_server() -> Path:
    """Install the server, and return its program.

    Raises:
        NotHereError: Node.js is missing, or the package cannot be installed.
    """
    folder = install("yaml-language-server", f"yaml-language-server@{VERSION}")
    return folder / "node_modules" / ".bin" / "yaml-language-server"


class LanguageServer:
    """One running server, with an editor's side of the protocol."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._process = subprocess.Popen(
            [str(program), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._folder = folder
        self._ids = itertools.count(1)
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._diagnostics: queue.Queue[dict[str, Any]] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        capabilities = {
            "textDocument": {
                "hover": {"contentFormat": ["markdown"]},
                "completion": {"completionItem": {"snippetSupport": True}},
            },
            "workspace": {"configuration": True},
        }
        self._ask(
            "initialize",
            {"processId": None, "rootUri": folder.as_uri(), "capabilities": capabilities},
        )
        self._tell("initialized", {})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(10)
        # It reads to the end of the stream, which a closed stream has not.
        self._listener.join(10)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def open(self, *texts: str) -> list[list[dict[str, Any]]]:
        """Open documents; return the server's problems of each."""
        uris = [self._show(text) for text in texts]
        problems: dict[str, list[dict[str, Any]]] = {}
        while not problems.keys() >= set(uris):
            message = self._diagnostics.get(timeout=PATIENCE)
            problems[message["uri"]] = message["diagnostics"]
        return [problems[uri] for uri in uris]

    def complete(self, text: str) -> dict[str, dict[str, Any]]:
        """Return the completions at the ``|`` of a text, by label."""
        answer = self._ask("textDocument/completion", self._at_bar(text))
        return {item["label"]: item for item in answer["items"]}

    def hover(self, text: str) -> str:
        """Return the hover text at the ``|`` of a text."""
        answer = self._ask("textDocument/hover", self._at_bar(text))
        return str(answer["contents"]["value"]) if answer else ""

    def _show(self, text: str) -> str:
        uri = (self._folder / f"spec_{next(self._ids)}.yaml").as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        return uri

    def _at_bar(self, text: str) -> dict[str, Any]:
        before, _, after = text.partition("|")
        uri = self._show(before + after)
        line, column = before.count("\n"), len(before) - before.rfind("\n") - 1
        return {"textDocument": {"uri": uri}, "position": {"line": line, "character": column}}

    def _ask(self, method: str, params: Mapping[str, Any]) -> Any:
        number = next(self._ids)
        self._send({"id": number, "method": method, "params": params})
        while True:
            answer = self._answers.get(timeout=PATIENCE)
            if answer["id"] == number:
                assert "error" not in answer, answer
                return answer["result"]

    def _tell(self, method: str, params: Mapping[str, Any]) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: Mapping[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        pipe = self._pipe(self._process.stdin)
        pipe.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        pipe.flush()

    def _listen(self) -> None:
        """Receive messages to the end of the stream, which may be inside of one.

        A server that is stopped may write half of a message, and leave a question that needs no
        answer any more.
        """
        pipe = self._pipe(self._process.stdout)
        with suppress(BrokenPipeError):
            while (header := pipe.readline()).endswith(b"\n"):
                length = int(header.partition(b":")[2])
                while pipe.readline().strip():
                    pass
                body = pipe.read(length)
                if len(body) < length:
                    return
                self._receive(json.loads(body))

    def _receive(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method == "textDocument/publishDiagnostics":
            self._diagnostics.put(message["params"])
        elif method == "workspace/configuration":
            wanted = [item.get("section", "") for item in message["params"]["items"]]
            settings = [_SETTINGS.get(section, {}) for section in wanted]
            self._send({"id": message["id"], "result": settings})
        elif method and "id" in message:
            self._send({"id": message["id"], "result": None})
        elif method is None:
            self._answers.put(message)

    @staticmethod
    def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
        assert stream is not None
        return stream
