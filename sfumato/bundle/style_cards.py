"""Changes the cards of the styles in a bundle that exists already."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sfumato.bundle.bundle import Bundle, read_bundle
from sfumato.bundle.manifest import MANIFEST_FILE, Manifest
from sfumato.errors import BundleError
from sfumato.files.atomic import write_file


def update_cards(version_dir: str | Path, cards: Mapping[str, Mapping[str, Any]]) -> Bundle:
    """Replaces the cards of some styles; of all files, only the manifest changes.

    It is replaced in one move: whoever reads the bundle meanwhile, or is left with it when the
    writer is killed, has the old cards or the new ones. Entries of the manifest that this program
    does not know stay as they are.

    Args:
        version_dir: the bundle's directory.
        cards: the new cards, JSON objects, by the id of the style.

    Returns:
        The bundle with the new cards.

    Raises:
        BundleError: a damaged bundle, a style that it does not have, or a card that JSON cannot
            hold; nothing was changed.
        OSError: the disk refuses; nothing was changed.
    """
    bundle = read_bundle(version_dir)
    known = {style.id for style in bundle.styles}
    if strange := sorted(set(cards) - known):
        raise BundleError(
            f"bundle {version_dir} has no style {strange[0]!r}; it has {', '.join(sorted(known))}"
        )
    path = Path(version_dir, MANIFEST_FILE)
    content = json.loads(path.read_text(encoding="utf-8"))
    for style in content["styles"]:
        if style["id"] in cards:
            style["card"] = dict(cards[style["id"]])
    try:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise BundleError(f"style cards must be JSON values: {error}") from error
    manifest = Manifest.from_text(text)
    write_file(path, text.encode())
    return replace(bundle, styles=manifest.styles)
