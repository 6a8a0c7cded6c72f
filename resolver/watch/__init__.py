"""The watch over delegations: NS, DS and address sets of listed zones, and what changes in them.

What one look shows is :mod:`resolver.watch.seen`, how it is found out :mod:`resolver.watch.look`,
what changed :mod:`resolver.watch.changes`; all pure. :mod:`resolver.watch.keep` looks when it is
time and tells, :mod:`resolver.watch.store` keeps what is known on disk.
"""
