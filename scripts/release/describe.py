"""Writes release.json: what is in a release folder, and by what it was made.

Arguments: folder, commit, target, profile, compiler, target and features of the program with the engine (empty without one),
then ROLE:HASH for each guest image.
"""

import json
import os
import sys
from pathlib import Path

ROLES = ("proxy", "worker")


def images(arguments):
    for argument in arguments:
        role, _, image_hash = argument.partition(":")
        if role not in ROLES or len(image_hash) != 64 or set(image_hash) - set("0123456789abcdef"):
            sys.exit(f"error: {argument!r} is no image\nhint: an image is proxy:HASH or worker:HASH, HASH 64 hex digits in lower case")
        yield {"role": role, "image_hash": image_hash}


def main():
    folder, commit, target, profile, compiler, engine_target, engine_features, *named = sys.argv[1:]
    folder = Path(folder)
    program = json.loads((folder / "version.json").read_text())
    description = {
        "format": 1,
        "name": "cocoon",
        "version": program["version"],
        "commit": commit,
        "source_date_epoch": int(os.environ["SOURCE_DATE_EPOCH"]),
        "target": target,
        "profile": profile,
        "compiler": compiler,
        "program": program,
        "engine": {"target": engine_target, "features": engine_features.split(",")} if engine_target else None,
        "images": list(images(named)),
    }
    text = json.dumps(description, indent=2, sort_keys=True) + "\n"
    (folder / "release.json").write_text(text)


main()
