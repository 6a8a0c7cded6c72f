"""Who runs a name server, as far as its name tells: the registrable domain of that name.

Limitations: a short list of the categories under which countries register names stands in for a
list of public suffixes; who gives each customer a name of the customer's own is not recognised.
"""

from resolver.names import Name, label_count, labels, suffix

_SUFFIXES = frozenset({b"ac", b"co", b"com", b"edu", b"go", b"gob", b"gov", b"mil", b"ne", b"net",
                       b"nic", b"or", b"org", b"res"})  # fmt: skip
"""Second-level labels under which countries register names."""


def operator_of(server: Name) -> Name:
    """The registrable domain of a name server's name: who runs it, as far as its name tells.

    Two labels, three below the usual categories of country domains (``ns1.example.co.in``).
    """
    parts = labels(server)
    country = len(parts) >= 3 and len(parts[-1]) == 2 and parts[-2] in _SUFFIXES
    return suffix(server, min(3 if country else 2, max(label_count(server), 1)))
