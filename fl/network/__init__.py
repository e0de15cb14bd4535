"""Layer 1: the world outside, chain and store. What comes from there is checked here before anybody uses it."""
