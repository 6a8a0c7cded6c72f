"""Trust in country packs: signatures, torn files, older ones, and the last good one."""

import json
import random
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from resolver.cli.pack_commands import app
from resolver.errors import SourceError
from resolver.pack import read_pack
from resolver.pack_store import choose, keep, read_signed, shipped, signature
from resolver.signed_note import (
    BadNote,
    PrivateKey,
    PublicKey,
    make_key,
    read_private,
    read_public,
    sign,
    verify,
)
from tests.unit.test_packs import MINIMAL

KEY = PrivateKey("packs.example", bytes(range(32)))
OTHER = PrivateKey("other.example", bytes(range(1, 33)))
TRUSTED = [KEY.public]


def write(folder: Path, text: str = MINIMAL, key: PrivateKey = KEY, name: str = "XA") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(text)
    pack = read_pack(text.encode(), name)
    (folder / f"{name}.yaml.sig").write_bytes(signature(pack, key))
    return path


def version(number: int) -> str:
    return MINIMAL.replace("version: 7", f"version: {number}")


# --- Signed notes ---------------------------------------------------------------------------------


def test_keys_are_written_and_read() -> None:
    key = make_key("packs.example.net")
    assert read_public(str(key.public)) == key.public
    assert read_private(key.text() + "\n") == key
    assert key.text().split("+")[-1] not in repr(key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "packs.example",
        "packs.example+xyz+AAAA",
        "packs.example+00000000+" + str(KEY.public).split("+")[2],
        str(KEY.public)[:-4],
        str(KEY.public).replace("packs", "pecks"),
        "packs.example+0123abcd+%%%",
        KEY.text(),
    ],
)
def test_a_broken_public_key_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        read_public(text)


@pytest.mark.parametrize("text", ["", str(KEY.public), KEY.text()[:-8], "PRIVATE+KEY+x"])
def test_a_broken_private_key_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        read_private(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n"])
def test_a_key_needs_a_name(name: str) -> None:
    with pytest.raises(BadNote):
        make_key(name)


def test_a_note_is_signed_and_verified() -> None:
    note = sign("first\n\nsecond\n", KEY)
    assert verify(note, [OTHER.public, KEY.public]) == ("first\n\nsecond\n", KEY.public)
    with pytest.raises(BadNote, match=r"signed by packs\.example, not by a key that is trusted"):
        verify(note, [OTHER.public])
    with pytest.raises(BadNote, match="not by a key that is trusted"):
        verify(note, [])


def test_a_second_signature_is_enough() -> None:
    text = "a\n"
    both = sign(text, OTHER) + sign(text, KEY).partition(b"\n\n")[2]
    assert verify(both, TRUSTED)[1] == KEY.public


def test_a_key_of_the_same_name_is_another_key() -> None:
    impostor = PrivateKey(KEY.name, OTHER.octets)
    with pytest.raises(BadNote, match="not by a key that is trusted"):
        verify(sign("a\n", impostor), TRUSTED)


def test_each_changed_octet_of_a_note_is_seen() -> None:
    note = sign("inland\nXA\n", KEY)
    for at in range(len(note)):
        changed = bytearray(note)
        changed[at] ^= 1
        with pytest.raises(BadNote):
            verify(bytes(changed), TRUSTED)
        if at:
            with pytest.raises(BadNote):
                verify(note[:at], TRUSTED)


# --- Signed packs ---------------------------------------------------------------------------------


def test_a_signed_pack_is_used(tmp_path: Path) -> None:
    write(tmp_path)
    chosen = choose("XA", tmp_path, TRUSTED, None)
    assert (chosen.pack.version, chosen.origin, chosen.refused) == (
        7,
        "signed by packs.example",
        None,
    )


def test_without_a_folder_only_shipped_packs_are_there() -> None:
    assert choose("IN", None, (), None).origin == "shipped"
    with pytest.raises(SourceError, match="no pack XA is shipped; there are BENELUX, BR"):
        choose("XA", None, (), None)


def test_without_a_good_one_a_refusal_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file or directory; and there is no good one"):
        choose("XA", tmp_path, TRUSTED, None)
    write(tmp_path, key=OTHER)
    with pytest.raises(SourceError, match="not by a key that is trusted"):
        choose("XA", tmp_path, TRUSTED, tmp_path / "state")


def good(tmp_path: Path, number: int = 7) -> tuple[Path, Path]:
    """A folder with a good pack, and a state directory that has kept it."""
    folder, state = tmp_path / "packs", tmp_path / "state"
    write(folder, version(number))
    keep(choose("XA", folder, TRUSTED, state), state)
    return folder, state


def refusal(folder: Path, state: Path) -> str:
    chosen = choose("XA", folder, TRUSTED, state)
    assert chosen.refused is not None
    assert chosen.pack.version == 7
    assert chosen.origin == "kept, signed by packs.example"
    # Keeping what was kept changes nothing.
    keep(chosen, state)
    assert choose("XA", folder, TRUSTED, state) == chosen
    return chosen.refused


def test_a_bad_signature_is_refused_and_the_last_good_one_kept(tmp_path: Path) -> None:
    folder, state = good(tmp_path)
    write(folder, version(8), OTHER)
    assert "not by a key that is trusted here; in use is version 7" in refusal(folder, state)
    write(folder, version(8))
    note = (folder / "XA.yaml.sig").read_bytes()
    (folder / "XA.yaml.sig").write_bytes(note.replace(b"\n8\n", b"\n9\n"))
    assert "the signature by packs.example is wrong" in refusal(folder, state)


def test_a_torn_pack_is_refused_and_the_last_good_one_kept(tmp_path: Path) -> None:
    folder, state = good(tmp_path)
    path = write(folder, version(8))
    data = path.read_bytes()
    for length in (0, 1, 100, len(data) - 1):
        path.write_bytes(data[:length])
        assert "not the file that packs.example signed (torn or altered)" in refusal(folder, state)
    path.write_bytes(data)
    (folder / "XA.yaml.sig").write_bytes(b"")
    assert "not a signed note" in refusal(folder, state)
    (folder / "XA.yaml.sig").unlink()
    assert "XA.yaml.sig: No such file" in refusal(folder, state)
    path.unlink()
    assert "XA.yaml: No such file" in refusal(folder, state)


def test_any_flipped_bit_of_a_signed_pack_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    data = path.read_bytes()
    chance = random.Random(5)
    for _ in range(100):
        changed = bytearray(data)
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        with pytest.raises(SourceError, match="torn or altered"):
            read_signed(path, TRUSTED)


def test_an_older_pack_is_refused_and_the_last_good_one_kept(tmp_path: Path) -> None:
    folder, state = good(tmp_path)
    write(folder, version(6))
    assert "version 6 is older than 7, seen before" in refusal(folder, state)


def test_another_content_under_the_same_version_is_refused(tmp_path: Path) -> None:
    folder, state = good(tmp_path)
    write(folder, MINIMAL.replace("120.5km", "999km"))
    assert "not the same content as version 7 before" in refusal(folder, state)


def test_a_pack_under_another_name_is_refused(tmp_path: Path) -> None:
    folder, state = good(tmp_path)
    write(folder, version(8).replace("name: XA", "name: XB"))
    assert "holds the pack XB" in refusal(folder, state)


def test_the_signature_of_another_pack_is_refused(tmp_path: Path) -> None:
    folder, state = good(tmp_path)
    write(folder, version(9))
    note = (folder / "XA.yaml.sig").read_bytes()
    write(folder, version(8))
    (folder / "XA.yaml.sig").write_bytes(note)
    assert "torn or altered" in refusal(folder, state)


def test_a_newer_pack_takes_the_place_of_the_last_good_one(tmp_path: Path) -> None:
    folder, state = good(tmp_path)
    write(folder, version(8))
    chosen = choose("XA", folder, TRUSTED, state)
    assert (chosen.pack.version, chosen.refused) == (8, None)
    keep(chosen, state)
    write(folder, version(7))
    assert choose("XA", folder, TRUSTED, state).pack.version == 8
    assert [path.name for path in (state / "packs").iterdir()] == ["XA.pack"]


def test_a_shipped_pack_is_a_last_good_one_too(tmp_path: Path) -> None:
    inside = shipped("IN")
    assert inside is not None
    older = inside.octets.decode().replace(f"version: {inside.pack.version}", "version: 3")
    write(tmp_path, older, name="IN")
    chosen = choose("IN", tmp_path, TRUSTED, None)
    assert (chosen.pack, chosen.origin) == (inside.pack, "shipped")
    assert chosen.refused is not None
    assert "version 3 is older" in chosen.refused
    newer = inside.octets.decode().replace(
        f"version: {inside.pack.version}", f"version: {inside.pack.version + 1}"
    )
    write(tmp_path, newer, name="IN")
    assert choose("IN", tmp_path, TRUSTED, None).origin == "signed by packs.example"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:-1], "torn or altered"),
        (lambda data: data[:40], "torn"),
        (lambda data: data.replace(b"state 1", b"state 2", 1), "not a state file of version 1"),
        (lambda data: b"", "not a state file of version 1"),
        (lambda data: data.replace(b"120.5km", b"999.5km"), "torn or altered"),
    ],
)
def test_a_damaged_state_is_told_and_not_used(tmp_path: Path, change: object, words: str) -> None:
    folder, state = good(tmp_path)
    file = state / "packs/XA.pack"
    assert callable(change)
    file.write_bytes(change(file.read_bytes()))
    assert choose("XA", folder, TRUSTED, state).refused is None  # the folder's is good
    write(folder, version(8), OTHER)
    with pytest.raises(SourceError, match=words):
        choose("XA", folder, TRUSTED, state)


def test_a_key_that_is_gone_takes_the_kept_pack_with_it(tmp_path: Path) -> None:
    folder, state = good(tmp_path)
    with pytest.raises(SourceError, match="there is no good one"):
        choose("XA", folder, [OTHER.public], state)


def test_a_state_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    folder, _ = good(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        keep(choose("XA", folder, TRUSTED, None), tmp_path / "file")


# --- The commands ---------------------------------------------------------------------------------


def run(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(result.exception, SourceError):
        assert code == 1, result.exception
        return str(result.exception)
    assert result.exit_code == code, result.output
    return result.stdout


def test_key_sign_and_verify(tmp_path: Path) -> None:
    private = tmp_path / "key"
    public = run("key", "packs.example", "--out", private).strip()
    assert isinstance(read_public(public), PublicKey)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert "never written over" in run("key", "x", "--out", private, code=1)
    pack = tmp_path / "XA.yaml"
    pack.write_text(MINIMAL)
    assert f"signed by {public}" in run("sign", pack, "--key", private)
    assert "XA version 7" in run("verify", pack, "--key", public)
    assert "not by a key" in run("verify", pack, "--key", OTHER.public, code=1)
    pack.write_text(MINIMAL + " ")
    assert "torn or altered" in run("verify", pack, "--key", public, code=1)


def test_list_and_show(tmp_path: Path) -> None:
    assert "IN " in run("list")
    assert [entry["name"] for entry in json.loads(run("list", "--json"))][2] == "IN"
    text = run("show", "IN")
    for words in ("India (IN)", "xn--h2brj9c", "gov.in", "source natural-earth", "Mumbai"):
        assert words in text
    report = json.loads(run("show", "SG", "--json"))
    assert report["cities"][0]["greatest_rtt_ms"] == {"strict": 0, "fibre": 0}
    path = tmp_path / "XA.yaml"
    path.write_text(MINIMAL)
    assert "Testland (XA)" in run("show", path)
    assert "no pack XX is shipped" in run("show", "XX", code=1)


def test_site() -> None:
    assert "root K: Mumbai, BOM, IN" in run("site", "193.0.14.129", "ns1.in-bom.k.ripe.net")
    report = json.loads(run("site", "199.7.91.13", "muin1.droot.maxgigapop.net", "--json"))
    assert (report["country"], report["how"]) == ("IN", "table")
    assert "no known operator" in run("site", "192.0.2.1", "BOM", code=1)
    assert "not in its form" in run("site", "193.0.14.129", "BOM", code=1)
    run("site", "example", "BOM", code=2)
