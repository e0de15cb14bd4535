"""Layer 1: PyTorch on local data. A task is one file; everything else here is the same for every task."""
