"""The benchmark's work as Flower's own simulation does it. Runs in Flower's environment (make flower), not in Treaty's.

Reads a folder that `ape run benchmark` wrote (shards.npz, work.json) and prints seconds of every round, accuracy and the final
model's hash as JSON. Also times Flower's aggregation functions on given shapes.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np


def simulation() -> None:
    """FedAvg as in Flower's PyTorch quickstart: a NumPyClient per participant, ServerApp and ClientApp in run_simulation."""
    import torch
    from flwr.client import ClientApp, NumPyClient
    from flwr.common import Context, ndarrays_to_parameters, parameters_to_ndarrays
    from flwr.server import ServerApp, ServerAppComponents, ServerConfig
    from flwr.server.strategy import FedAvg
    from flwr.simulation import run_simulation
    from torch import nn

    folder = Path(sys.argv[2])
    work = json.loads((folder / "work.json").read_text())
    shards = dict(np.load(folder / "shards.npz"))
    torch.set_num_threads(1)

    def make() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))

    def put(model: nn.Module, weights: list[Any]) -> None:
        with torch.no_grad():
            for p, w in zip(model.parameters(), weights, strict=True):
                p.copy_(torch.from_numpy(np.array(w)))

    class Client(NumPyClient):
        def __init__(self, number: int):
            self.number = number
            self.x = torch.from_numpy(shards[f"x{number}"])
            self.y = torch.from_numpy(shards[f"y{number}"])

        def fit(self, parameters: list[Any], config: dict[str, Any]) -> tuple[list[Any], int, dict[str, Any]]:
            model = make()
            put(model, parameters)
            weights = list(model.parameters())
            rng, size = np.random.default_rng([work["seed"], config["round"], self.number]), min(work["batch"], len(self.x))
            passes = -(-work["steps"] * size // len(self.x))
            order = np.concatenate([rng.permutation(len(self.x)) for _ in range(passes)])
            for batch in torch.from_numpy(order[: work["steps"] * size]).split(size):
                loss = nn.functional.cross_entropy(model(self.x[batch]), self.y[batch])
                gradients = torch.autograd.grad(loss, weights)
                with torch.no_grad():
                    for w, g in zip(weights, gradients, strict=True):
                        w.sub_(g, alpha=work["rate"])
            return [w.detach().numpy() for w in weights], 1, {}  # equal weights, as in Treaty

    stamps: list[float] = []
    final: list[Any] = []

    class Timed(FedAvg):
        def aggregate_fit(self, server_round: int, results: list[Any], failures: list[Any]) -> Any:
            if failures or len(results) != work["clients"]:
                raise RuntimeError(f"{len(failures)} clients failed: {failures[:1]}")
            aggregated = super().aggregate_fit(server_round, results, failures)
            stamps.append(time.perf_counter())
            final[:] = parameters_to_ndarrays(aggregated[0])
            return aggregated

    def client_fn(context: Context) -> Any:
        return Client(int(context.node_config["partition-id"])).to_client()

    def server_fn(context: Context) -> Any:
        start = ndarrays_to_parameters([shards[f"w{i}"] for i in range(4)])
        n = work["clients"]
        strategy = Timed(
            fraction_fit=1.0,
            fraction_evaluate=0.0,
            min_fit_clients=n,
            min_available_clients=n,
            initial_parameters=start,
            on_fit_config_fn=lambda number: {"round": number},
        )
        return ServerAppComponents(strategy=strategy, config=ServerConfig(num_rounds=work["rounds"]))

    begun = time.perf_counter()
    run_simulation(
        ServerApp(server_fn=server_fn),
        ClientApp(client_fn=client_fn),
        num_supernodes=work["clients"],
        backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}},
    )
    wall = time.perf_counter() - begun
    model = make()
    put(model, final)
    with torch.no_grad():
        right = model(torch.from_numpy(shards["test_x"])).argmax(1) == torch.from_numpy(shards["test_y"])
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(w).tobytes() for w in final)).hexdigest()
    rounds = [b - a for a, b in pairwise(stamps)]
    print("RESULT", json.dumps({"rounds": rounds, "wall": wall, "accuracy": float(right.float().mean()), "hash": digest}))


def aggregation() -> None:
    """Reads a rule a line, answers with the seconds that Flower's function took."""
    from flwr.server.strategy.aggregate import aggregate, aggregate_median, aggregate_trimmed_avg

    count, size = map(int, sys.argv[2].split("x"))
    rng = np.random.default_rng(0)
    piece = rng.normal(size=min(size, 1 << 20)).astype(np.float32)
    results = [([np.resize(piece, size) * np.float32(rng.uniform(0.7, 1.3))], 1) for _ in range(count)]
    rules = {
        "mean": lambda: aggregate(results),
        "median": lambda: aggregate_median(results),
        "trimmed mean": lambda: aggregate_trimmed_avg(results, 0.2),
    }
    for line in sys.stdin:
        begun, processors = time.perf_counter(), time.process_time()
        rules[line.strip()]()
        print("RESULT", time.perf_counter() - begun, time.process_time() - processors, flush=True)


if __name__ == "__main__":
    {"simulation": simulation, "aggregation": aggregation}[sys.argv[1]]()
