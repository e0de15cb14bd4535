"""Layer 3: whole jobs, built from the layers below; only the scripts use it."""
