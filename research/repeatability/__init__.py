"""How well measures repeat between two photos of the same skin."""
