"""Layer 0: the exact twin of every on-chain rule. Integers and bytes only; imports nothing of the other layers."""
