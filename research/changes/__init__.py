"""How often the comparison of two photos is right, and the fit of its limits."""
