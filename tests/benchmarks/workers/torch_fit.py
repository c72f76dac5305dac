"""Steady epochs of a plain PyTorch loop over the mlp: ``torch_fit.py mlp ROWS``."""

import sys
import time

import protocol
import torch
from samples import BATCH, samples
from torch import nn


def main() -> None:
    name, rows = sys.argv[1], int(sys.argv[2])
    arrays = samples(name, rows)
    features = torch.from_numpy(arrays["features"])
    labels = torch.from_numpy(arrays["label"])
    model = nn.Sequential(
        nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10)
    )
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, alpha=0.9)
    loss = nn.CrossEntropyLoss()

    def epoch() -> float:
        started = time.perf_counter()
        total = 0.0
        for chosen in torch.randperm(rows).split(BATCH[name]):
            optimizer.zero_grad()
            wrong = loss(model(features[chosen]), labels[chosen])
            wrong.backward()
            optimizer.step()
            total += wrong.item()
        return rows / (time.perf_counter() - started)

    epoch()
    protocol.serve(epoch)


if __name__ == "__main__":
    main()
