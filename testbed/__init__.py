"""A country in a box: seeded zones, servers and links, real packets, and the truth about them."""
