"""What identities are decoded with: the exact table inside the program, and the airports.

Responsible for reading ``resolver/data/identities.json``, which ``inland pack identities`` makes
from what the root operators publish.

Limitations: the table is as old as the publication that its head names.
"""

import json
from functools import cache
from importlib import resources

from policy.airports import airports
from policy.identity import Entry, Knowledge


@cache
def knowledge() -> Knowledge:
    """The exact table and the airports. Read once, in half a second."""
    file = resources.files("resolver").joinpath("data/identities.json")
    content = json.loads(file.read_text("utf-8"))
    table = {
        (letter, key): Entry(country, town, airport)
        for letter, key, country, town, airport in content["rows"]
    }
    return Knowledge(table, airports())
