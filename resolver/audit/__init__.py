"""``inland audit``: what a name depends on, what of it stands at home, and what would help."""
