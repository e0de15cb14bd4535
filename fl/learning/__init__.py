"""Layer 1: PyTorch on one's own data. A task is one file; all else here is the same for every task."""
