"""How fast, and at what cost in processor time: Inland beside other resolvers, in one run."""
