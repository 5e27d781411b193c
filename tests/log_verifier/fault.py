"""What a verifier answers when something does not fit."""

import pathlib
import sys

# Cells, Ed25519 and the layout of receipts are those of the vectors: written from the specifications too.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "vectors" / "gen"))


class Fault(Exception):
    """The first difference: its kind in one word, as `cocoon audit` has them, and a sentence."""

    def __init__(self, kind, sentence):
        super().__init__(sentence)
        self.kind, self.sentence = kind, sentence


def require(condition, kind, sentence):
    if not condition:
        raise Fault(kind, sentence)
