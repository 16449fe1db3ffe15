"""How large an instance must be: what each part costs here, measured, and what that means for a given load."""
