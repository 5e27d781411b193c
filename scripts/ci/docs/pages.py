"""Fenced blocks of the book's pages.

Usage: pages.py PAGE WORD

prints all blocks of the page whose fence begins with the word.
"""

import pathlib
import re
import sys
import typing

FENCE = re.compile(r"^( *)```(.*)$")
LINK = re.compile(r"\]\(([^)#\s]+\.md)")


class Block(typing.NamedTuple):
    """What stands between two fences."""

    page: str
    """Path of the page as it is shown."""
    line: int
    """Number of the block's first line in the page, from 1."""
    words: tuple[str, ...]
    """Words behind the opening fence, such as `sh` and `background`."""
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(path: pathlib.Path, shown: str) -> list[Block]:
    """All blocks of a page; a fence that is not closed is an error."""
    found, opened = [], None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fence = FENCE.match(line)
        if opened is None:
            if fence:
                words = tuple(word for word in re.split(r"[,\s]+", fence.group(2)) if word)
                opened = number + 1, words, len(fence.group(1)), []
        elif fence and not fence.group(2).strip():
            first, words, _, lines = opened
            found.append(Block(shown, first, words, "".join(lines)))
            opened = None
        else:
            # A block in a list is indented as its fence is.
            opened[3].append(line.removeprefix(" " * opened[2]) + "\n")
    if opened is not None:
        raise ValueError(f"{shown}:{opened[0] - 1}: the block is not closed")
    return found


def summary(docs: pathlib.Path) -> list[str]:
    """Pages of the book in its order, each once, without their anchors."""
    return list(dict.fromkeys(LINK.findall((docs / "SUMMARY.md").read_text(encoding="utf-8"))))


if __name__ == "__main__":
    page, word = sys.argv[1:]
    print("\n".join(block.text for block in blocks(pathlib.Path(page), page) if block.words[:1] == (word,)))
