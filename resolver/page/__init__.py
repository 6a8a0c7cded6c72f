"""The page for people on the exporter's port: one value in, one HTML text out, nothing else."""
