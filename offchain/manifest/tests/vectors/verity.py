"""Writes verity.json: what `veritysetup format` (cryptsetup-bin) makes of data that the test makes again.

Usage: python3 verity.py > verity.json
"""

import hashlib
import json
import pathlib
import subprocess
import tempfile

UUID = "00112233-4455-6677-8899-aabbccddeeff"
SALTS = ["", "00" * 32, bytes(range(32)).hex(), bytes(range(256)).hex()]
BLOCKS = [1, 2, 127, 128, 129, 300, 16384, 16385]


def block(index):
    return bytes((index * 31 + at * 7 + (at >> 8) * 13) & 255 for at in range(4096))


def vector(folder, blocks, salt):
    data, tree = folder / "data", folder / "tree"
    data.write_bytes(b"".join(block(index) for index in range(blocks)))
    tree.unlink(missing_ok=True)
    command = ["veritysetup", "format", data, tree, f"--salt={salt or '-'}", f"--uuid={UUID}"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    root = next(line.split()[-1] for line in printed.splitlines() if line.startswith("Root hash"))
    area = tree.read_bytes()
    # Older versions cut the superblock's block where no tree follows.
    area += bytes(-len(area) % 4096)
    return {
        "data_blocks": blocks,
        "salt": salt,
        "root_hash": root,
        "hash_area_bytes": len(area),
        "hash_area_sha256": hashlib.sha256(area).hexdigest(),
        "superblock": area[:512].hex(),
    }


with tempfile.TemporaryDirectory() as folder:
    vectors = [vector(pathlib.Path(folder), blocks, salt) for salt in SALTS for blocks in BLOCKS]
print(json.dumps({"uuid": UUID.replace("-", ""), "vectors": vectors}, indent=1))
