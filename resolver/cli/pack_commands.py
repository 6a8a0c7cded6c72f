"""``inland pack``: its commands in the order of the help."""

import typer

from resolver.cli.pack_distance import distance
from resolver.cli.pack_make import build_pack, identities, make_key_file, sign_pack
from resolver.cli.pack_show import list_packs, show, site, verify_pack

app = typer.Typer(
    name="pack",
    no_args_is_help=True,
    help="Country packs: what is known of a country or region, and its border.",
)
app.command("list")(list_packs)
app.command("show")(show)
# Coordinates south and west begin with a hyphen; they are no options.
app.command("distance", context_settings={"ignore_unknown_options": True})(distance)
app.command("site")(site)
app.command("build")(build_pack)
app.command("identities")(identities)
app.command("key")(make_key_file)
app.command("sign")(sign_pack)
app.command("verify")(verify_pack)
