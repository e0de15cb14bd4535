"""A block explorer of the tests: it takes sources as Etherscan does, compiles them by the compiler alone, and compares the
result with the code on a chain."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

ROOT = Path(__file__).parents[2]
# Without our wrapper, which sets what an explorer cannot know.
SOLC = "process.stdout.write(require('solc').compile(require('fs').readFileSync(0, 'utf8')))"


def compiled(asked: dict[str, Any], place: str) -> dict[str, Any]:
    """What the compiler makes of a standard-JSON input, for one contract, `file:name`."""
    file, name = place.split(":")
    only = {**asked, "settings": {**asked["settings"], "outputSelection": {file: {name: ["evm.deployedBytecode"]}}}}
    done = subprocess.run(["node", "-e", SOLC], input=json.dumps(only), cwd=ROOT, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    return result["contracts"][file][name]["evm"]["deployedBytecode"] if "contracts" in result else {"object": ""}


def same_code(made: dict[str, Any], stands: bytes) -> bool:
    """Whether compiled code is what stands there, what a constructor filled in apart."""
    wanted, code = bytearray.fromhex(made["object"]), bytearray(stands)
    for places in made.get("immutableReferences", {}).values():
        for place in places:
            start = place["start"]
            code[start : start + place["length"]] = bytes(place["length"])
    return bool(wanted) and wanted == code


@contextmanager
def explorer(judge: Callable[[dict[str, str]], str], first: Sequence[str] = ()) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Serves the API; yields its address and what was asked. judge: the result for a submission. first: what it says to the
    first questions instead of an answer."""
    asked: list[dict[str, str]] = []
    results: list[str] = []
    excuses = iter(first)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            words = {name: values[0] for name, values in parse_qs(body).items()}
            asked.append(words)
            if (excuse := next(excuses, None)) is not None:
                answer = {"status": "0", "message": "NOTOK", "result": excuse}
            elif words["action"] == "verifysourcecode":
                results.append(judge(words))
                answer = {"status": "1", "message": "OK", "result": str(len(results) - 1)}
            else:
                word = results[int(words["guid"])]
                answer = {"status": "1" if word.startswith("Pass") else "0", "message": "", "result": word}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/api", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
