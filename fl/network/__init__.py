"""Layer 1: chain and store. Everything that comes from outside is checked here before it is used."""
