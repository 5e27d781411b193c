"""Runs the `sh` blocks of the book's pages.

Usage: guides.py COCOON [PAGE...]

All blocks of a page run in one bash, in order, in an empty folder. A block with the fence `sh,background` is started beside it,
waited for until it says that it is ready, and ended by Ctrl-C behind the page's last block. The first command that fails ends
everything, with page, line, command and output. COCOON_DOCS_INSTANCE=N tries pages beside another network of this machine: the
default ports in them and in `cocoon up` move as its --instance does.
"""

import os
import pathlib
import re
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import time

import pages

DOCS = pathlib.Path(__file__).resolve().parents[3] / "docs"
BLOCK_SECONDS = 120
READY_SECONDS = 120
STOP_SECONDS = 60
# What is shown of the output of a command that failed, or that ran beside it.
SHOWN_LINES = 80
READY = re.compile(rb"\bready at\b")
# Default ports of `cocoon up`.
PORTS = re.compile(r"\b(127\.0\.0\.1|localhost):(8045|1[0-2]00[0-3])\b")

# Reads names of files from descriptor $1 and runs each in this shell; tells on descriptor $2 how it went. A block stands in its
# file at the lines at which it stands in its page, so line numbers are the page's.
DRIVER = r"""
set -eEuo pipefail
driver_orders=$1 driver_answers=$2
driver_failed() { printf 'failed %s %s\n' "$1" "${2//$'\n'/ }" >&"$driver_answers"; }
trap 'driver_failed "$LINENO" "$BASH_COMMAND"' ERR
while IFS= read -r -u "$driver_orders" driver_file; do
    source "$driver_file" </dev/null >"$driver_file.out" 2>&1
    printf 'done\n' >&"$driver_answers"
done
"""


class Failed(Exception):
    """What is told about a page that does not hold what it says."""


def shown(path: pathlib.Path) -> str:
    """The end of what a block has said."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    cut = [f"... {len(lines) - SHOWN_LINES} lines before"] if len(lines) > SHOWN_LINES else []
    return "\n".join(cut + lines[-SHOWN_LINES:]) + "\n"


def moved(text: str, instance: int) -> str:
    """The block for another instance of the local network."""
    if not instance:
        return text
    text = re.sub(r"\bcocoon up\b", f"cocoon up --instance {instance}", text)
    return PORTS.sub(lambda port: f"{port[1]}:{int(port[2]) + 10 * instance}", text)


class Background:
    """A command that goes on beside the page."""

    def __init__(self, block: pages.Block, file: pathlib.Path, folder: pathlib.Path, environment: dict[str, str]):
        self.block, self.out = block, pathlib.Path(f"{file}.out")
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen(
                ["bash", "--noprofile", "--norc", "-euo", "pipefail", str(file)],
                cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )

    def output(self) -> str:
        return shown(self.out)

    def wait_until_ready(self) -> None:
        end = time.monotonic() + READY_SECONDS
        while not READY.search(self.out.read_bytes()):
            if self.process.poll() is not None:
                raise Failed(f"{self.block.where}: ended early\n{self.block.text}{self.output()}")
            if time.monotonic() > end:
                raise Failed(f"{self.block.where}: not ready within {READY_SECONDS} s\n{self.block.text}{self.output()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Ctrl-C, as a reader ends it."""
        self.signal(signal.SIGINT)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"{self.block.where}: Ctrl-C did not end it\n{self.output()}") from None

    def signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait()


class Shell:
    """The reader's terminal."""

    def __init__(self, folder: pathlib.Path, environment: dict[str, str]):
        orders, self.orders = os.pipe()
        self.answers, answers = os.pipe()
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-c", DRIVER, "driver", str(orders), str(answers)],
            cwd=folder, env=environment, stdin=subprocess.DEVNULL, pass_fds=(orders, answers), start_new_session=True,
        )
        os.close(orders)
        os.close(answers)
        self.told = b""

    def run(self, block: pages.Block, file: pathlib.Path) -> None:
        os.write(self.orders, f"{file}\n".encode())
        end = time.monotonic() + BLOCK_SECONDS
        while b"\n" not in self.told:
            ready, _, _ = select.select([self.answers], [], [], max(0.0, end - time.monotonic()))
            piece = os.read(self.answers, 65536) if ready else None
            if not piece:
                reason = f"not done within {BLOCK_SECONDS} s" if piece is None else "the shell ended"
                self.fail(block, file, f"{block.where}: {reason}\n{block.text}")
            self.told += piece
        line, _, self.told = self.told.partition(b"\n")
        if line != b"done":
            _, number, command = line.decode(errors="replace").split(" ", 2)
            self.fail(block, file, f"{block.page}:{number}: failed\n  {command}\n")

    @staticmethod
    def fail(block: pages.Block, file: pathlib.Path, what: str) -> None:
        raise Failed(f"{what}--- output of {block.where}\n{shown(pathlib.Path(f'{file}.out'))}---")

    def close(self) -> None:
        os.close(self.orders)
        os.close(self.answers)
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def follow(page: str, found: list[pages.Block], cocoon: pathlib.Path, instance: int) -> None:
    """Does what one page says."""
    with tempfile.TemporaryDirectory(prefix="cocoon-docs-") as made:
        work = pathlib.Path(made)
        folder, binaries, files = work / "folder", work / "bin", work / "blocks"
        for each in (folder, binaries, files):
            each.mkdir()
        (binaries / "cocoon").symlink_to(cocoon)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("COCOON_", "OPENAI_"))}
        environment |= {"PATH": f"{binaries}:{os.environ['PATH']}", "HOME": str(folder), "no_proxy": "127.0.0.1,localhost"}
        shell, running = Shell(folder, environment), []
        try:
            for number, block in enumerate(found):
                file = files / f"{number}.sh"
                file.write_text("\n" * (block.line - 1) + moved(block.text, instance), encoding="utf-8")
                started = time.monotonic()
                if "background" in block.words:
                    running.append(Background(block, file, folder, environment))
                    running[-1].wait_until_ready()
                else:
                    shell.run(block, file)
                print(f"{block.where}: {time.monotonic() - started:.1f} s", flush=True)
            while running:
                running.pop().stop()
        except Failed:
            for each in running:
                print(f"--- {each.block.where} meanwhile: {shlex.quote(each.block.text.strip())}\n{each.output()}", file=sys.stderr)
            raise
        finally:
            shell.close()
            for each in running:
                each.kill()


def main() -> int:
    cocoon, wanted = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
    instance = int(os.environ.get("COCOON_DOCS_INSTANCE", "0"))
    started, count, followed = time.monotonic(), 0, 0
    try:
        for page in wanted or pages.summary(DOCS):
            page = page.removeprefix("docs/")
            found = [block for block in pages.blocks(DOCS / page, f"docs/{page}") if block.words[:1] == ("sh",)]
            if found:
                follow(page, found, cocoon, instance)
                count, followed = count + len(found), followed + 1
    except (Failed, ValueError, OSError) as failure:
        print(failure, file=sys.stderr)
        return 1
    if not followed:
        print("no page has a command to run", file=sys.stderr)
        return 1
    print(f"{count} blocks of {followed} pages in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
