"""House rules as functions: each takes a tree and returns what is wrong with it, as text."""
