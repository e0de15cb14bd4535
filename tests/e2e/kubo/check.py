"""Two real Kubo nodes, each in a process of its own: what our store hands to one, the other fetches over Kubo's own protocol,
under CIDs computed in Python. The HTTP between store and nodes is bridge.py's, not Kubo's RPC. Run by `make kubo`."""

import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fl.network.stores import cid
from fl.network.stores.several import open_store
from fl.protocol.artifact import Kind, size_of
from fl.protocol.leaves import root_of

HERE = Path(__file__).parent
PYTHON = HERE.parents[2] / ".venv" / "kubo" / "bin" / "python"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def start(repo: Path, *peers: str) -> tuple[subprocess.Popen, dict]:
    call = [str(PYTHON), str(HERE / "bridge.py"), str(repo), str(free_port()), *peers]
    # Kubo writes its log where it is started.
    node = subprocess.Popen(call, cwd=repo.parent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    line = next((line for line in node.stdout or () if line.startswith("{")), None)
    if line is None:
        sys.exit("a node did not start")
    return node, json.loads(line)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        one, first = start(Path(folder) / "one")
        two, second = start(Path(folder) / "two", first["address"])
        try:
            writer, reader = open_store([f"ipfs://{first['rpc']}"]), open_store([f"ipfs://{second['rpc']}"])
            for kind, depth in ((Kind.UPDATE, 1), (Kind.MODEL, 12), (Kind.UPDATE, 15)):
                data = bytes((i * 31 + (i >> 8) * 7) % 251 for i in range(size_of(kind, depth)))
                root = root_of(data, kind)
                assert writer.put(data, kind) == root and writer.has(root, kind)
                reader.hint(root, writer.locator(data))
                began = time.perf_counter()
                assert reader.get(root, kind, depth) == data
                took = time.perf_counter() - began
                name = cid.to_text(writer.locator(data))
                print(f"{kind.name.lower()} of {len(data):,} bytes went from node to node in {took:.2f} s as {name}")
            facts: dict[str, object] = {"task": "heart", "version": 1}
            assert reader.get_document(writer.put_document(facts)) == facts
            print("a manifest was found by the hash that the contract holds")
        finally:
            for node in (one, two):
                node.kill()
                node.wait()


if __name__ == "__main__":
    main()
