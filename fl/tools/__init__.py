"""Layer 3: whole jobs, put together of everything below; used by the scripts alone."""
