"""The bounds of an audit, each with its reason (the others stand in :mod:`resolver.limits`)."""

from typing import Final

AUDIT_IN_FLIGHT: Final = 256
"""Exchanges of an audit under way at once: some 1,000 a second, which no name server minds."""

AUDIT_TRIES: Final = 4
"""Unanswered tries after which an address is silent: at 10 % loss each way one live server in
800 looks silent. One try for an address that was silent for another zone."""

AUDIT_DEPTH_MAX: Final = 16
"""Aliases of aliases and name servers of name servers that are followed; honest ones are under
ten. Zones made to have no end are given up there."""

GRAPH_NODES_MAX: Final = 40
"""Nodes of a drawn graph: more cannot be read on a page, so name servers are summed up."""

GRAPHS_MAX: Final = 12
"""Pictures on a page of an audit: some 20 kB each, and nobody reads more."""

AUDIT_NAMES_MAX: Final = 100_000
"""Names of one audit: some 200 MB of facts."""
