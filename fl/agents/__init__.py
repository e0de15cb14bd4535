"""Layer 2: agents. A role decides, `decide(view) -> list[Action]`; one executor acts. An adversary is another `decide`."""
