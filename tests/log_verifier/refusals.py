#!/usr/bin/env python3
"""Has two verifiers judge the bundles that tamper.py made of a network's bundle: both must refuse each for its reason.

    python3 tests/log_verifier/refusals.py COCOON FOLDER     COCOON: the command; FOLDER: that of `tamper.py`
"""

import json
import pathlib
import subprocess
import sys

from tamper import WAYS

VERIFY = pathlib.Path(__file__).resolve().parent / "verify.py"
# A network whose terms never changed has one proxy contract.
MAY_BE_LEFT_OUT = {"omitted_proxy"}


def judge(kinds, code, out, err):
    """What is wrong with a verifier's answer to a bundle that differs in one of these kinds; None if nothing is. A difference (exit
    code 1) must be of such a kind. An error that says that the file is damaged (exit code 3) will do where damage is expected."""
    if "Traceback" in err or "panicked" in err:
        return "it broke"
    if code == 3:
        if "unreadable" not in kinds:
            return "it could not read what can be read"
        return None if err.startswith("error: ") else "it does not say what is damaged"
    if code != 1:
        return "it believed the bundle" if code == 0 else f"it ended with exit code {code}"
    try:
        report = json.loads(out)
        verdict, kind = report["verdict"], (report.get("difference") or {}).get("kind")
    except (ValueError, LookupError, AttributeError, TypeError):
        return "its report has another form"
    if verdict != "different":
        return f"its verdict is {verdict}"
    return None if kind in kinds else f"it named {kind}, not {' or '.join(sorted(kinds))}"


def answer(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def sentence(out, err):
    """The first line of what a verifier said."""
    try:
        return json.loads(out)["difference"]["sentence"]
    except (ValueError, LookupError, TypeError):
        return next(iter((err or out).splitlines()), "nothing")


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    cocoon, folder = arguments
    expected = {way.__name__: kinds for way, (_, _, kinds) in WAYS.items() if kinds}
    folders = {path.name: path for path in pathlib.Path(folder).iterdir()}
    wrong = [f"{name}: it was not made" for name in sorted(set(expected) - set(folders) - MAY_BE_LEFT_OUT)]
    wrong += [f"{name}: it is no way for this bundle" for name in sorted(set(folders) - set(expected))]
    for name in sorted(set(folders) & set(expected)):
        print(name)
        verifiers = {
            "cocoon": [cocoon, "--json", "audit", "run", "--bundle", str(folders[name])],
            "python": [sys.executable, "-B", str(VERIFY), "--json", str(folders[name])],
        }
        for who, command in verifiers.items():
            code, out, err = answer(command)
            print(f"  {who} ({code}): {sentence(out, err)}")
            why = judge(expected[name], code, out, err)
            if why is not None:
                wrong.append(f"{name}: {who}: {why}")
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    if not wrong:
        print(f"both verifiers refuse {len(folders)} tampered bundles for their reasons")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
