"""Layer 2: who acts. Deciding is pure, `decide(view) -> list[Action]`; one loop acts. An adversary is another `decide`."""
