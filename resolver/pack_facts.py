"""Facts that packs carry and that no file among their sources holds, each with its source.

Responsible for listed domestic zones (registries' and governments' own second levels, and top-level
domains of a country's government or of one of its places), and for names of towns that airports go
by otherwise.

Sources: the Public Suffix List (zones below a ccTLD; names only), the IANA root zone database and
the root zone of 2026-08-22 (top-level domains).

Limitations: kept by hand; looked through on 2026-11-22.
"""

CHECKED = "2026-11-22"

ZONES: dict[str, str] = {
    "IN": "ac.in co.in edu.in ernet.in firm.in gen.in gov.in ind.in mil.in net.in nic.in org.in"
    " res.in",
    "US": "edu gov mil boston miami nyc vegas fed.us",
    "BR": "com.br edu.br gov.br jus.br leg.br mil.br net.br org.br rio",
    "SG": "com.sg edu.sg gov.sg net.sg org.sg",
    "LK": "ac.lk com.lk edu.lk gov.lk net.lk org.lk",
    "BE": "brussels gent vlaanderen",
    "NL": "amsterdam frl",
}
"""Country → zones."""

TOWNS: dict[tuple[str, str], str] = {
    ("IN", "Bengaluru"): "BLR",
    ("IN", "Guwahati"): "GAU",
    ("IN", "Kannur"): "CNN",
    ("IN", "Kochi"): "COK",
    ("IN", "Mangalore"): "IXE",
    ("IN", "Nagpur"): "NAG",
    ("BR", "Natal"): "NAT",
    ("US", "Ashburn"): "IAD",
    ("US", "Reston"): "IAD",
    ("LU", "Bettembourg"): "LUX",
    ("LU", "Kirchberg"): "LUX",
}
"""(country, town) → IATA code of the airport within 50 km of it, where no published identifier
names it, or the list of airports has the city under another name."""
