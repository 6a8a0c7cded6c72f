"""The whole page from one :class:`resolver.page.view.View`: HTML that needs nothing else.

No scripts, no outside resources, no inline styles beside the one sheet whose hash the policy of its
content names. Every figure that Prometheus has too carries its query. Limitations: English only.
"""

from base64 import b64encode
from hashlib import sha256

from resolver.limits_page import REFRESH_SECONDS
from resolver.page import lookups, numbers, standing
from resolver.page.charts import PATTERNS
from resolver.page.markup import text
from resolver.page.style import STYLE
from resolver.page.view import View

CONTENT_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}';"
    " img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load and do: show itself."""

_CONTENTS = (
    ("time", "Share over time"),
    ("reasons", "Reasons"),
    ("countries", "Countries"),
    ("zones", "Worst zones"),
    ("policy", "Policy"),
    ("mirrors", "Mirrors"),
    ("watch", "Delegations"),
    ("proofs", "Proofs"),
    ("service", "Service"),
    ("words", "Words"),
)

_WORDS = (
    (
        "lookup",
        "one question of a client. Work without a client counts too, so that no escape hides.",
    ),
    ("exchange", "one question sent to one server, with its reply or time-out."),
    ("local", "a lookup without an exchange of its own: from a cache, a mirror or local data."),
    ("domestic", "a lookup whose exchanges all stayed at home."),
    ("escaped", "a lookup with at least one exchange to an address abroad or of unknown place."),
    ("needless escape", "an escape while a server at home was still to be asked."),
)


def page(view: View) -> str:
    """The page."""
    body = "".join(
        part(view)
        for part in (
            lookups.key_figures,
            lookups.over_time,
            lookups.reasons,
            lookups.countries,
            lookups.worst_zones,
            standing.policy,
            standing.mirrors,
            standing.watch,
            standing.proofs,
            standing.service,
        )
    )
    again = f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">' if view.refresh else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'{again}<link rel="icon" href="data:,"><title>{_title(view)}</title>'
        f"<style>{STYLE}</style></head><body>"
        f'<a class="skip" href="#main">To the figures</a>{PATTERNS}{_header(view, body)}'
        f'<main id="main">{body}{_words()}</main>{_footer(view)}</body></html>\n'
    )


def _title(view: View) -> str:
    return f"Inland: lookups that left {text(', '.join(view.home))}"


def _header(view: View, body: str) -> str:
    there = [(key, name) for key, name in _CONTENTS if key == "words" or f'id="{key}"' in body]
    links = "".join(f'<li><a href="#{key}">{text(name)}</a></li>' for key, name in there)
    if view.refresh:
        again = f'This page loads itself again every {REFRESH_SECONDS} s. <a href="/">Stop that</a>'
    else:
        again = (
            '<a href="/">Load again</a>, or '
            f'<a href="/?refresh">again every {REFRESH_SECONDS} s</a>'
        )
    return (
        f"<header><h1>{_title(view)}</h1>"
        f'<p>As of <time datetime="{numbers.stamp(view.taken)}">'
        f"{numbers.moment(view.taken)}</time>,"
        f" counted {text(standing.since(view))}. A restart begins at 0.</p>"
        f'<p class="again">{again}.</p>'
        f'<nav aria-label="Contents"><ul>{links}</ul></nav></header>'
    )


def _words() -> str:
    words = "".join(f"<div><dt>{text(w)}</dt><dd>{text(means)}</dd></div>" for w, means in _WORDS)
    return (
        '<section aria-labelledby="words"><h2 id="words">Words</h2>'
        f'<dl class="words">{words}</dl></section>'
    )


def _footer(view: View) -> str:
    version = text(view.samples.label("inland_build_info", "version"))
    return (
        f"<footer><p>Inland {version}. All figures of this page are of one moment, and the same as "
        'those of <a href="/metrics">/metrics</a> at that moment; zones and the chart are known '
        "here only. While lookups go on, one may be in a count that another does not show yet."
        "</p></footer>"
    )
