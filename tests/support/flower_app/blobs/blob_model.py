"""A toy Flower app's model and data: which of two blobs does a point belong to?"""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))

    def forward(self, x):
        return self.layers(x)


def load_data(partition_id, num_partitions):
    g = torch.Generator().manual_seed(partition_id)
    y = torch.randint(0, 2, (120,), generator=g)
    x = torch.randn(120, 4, generator=g) + 1.2 * (2 * y[:, None] - 1)
    return (x[:80], y[:80]), (x[80:], y[80:])


def train(net, data, epochs, lr):
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    x, y = data
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(16):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
    return float(loss)


def test(net, data):
    net.eval()
    x, y = data
    with torch.no_grad():
        out = net(x)
    return float(nn.functional.cross_entropy(out, y)), float((out.argmax(1) == y).float().mean())
