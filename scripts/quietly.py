# ruff: noqa: S603, T201 - runs what the Makefile says, and prints for people
"""Runs a long command with one line of progress instead of its output; shows the output when it fails.

usage: quietly.py TITLE COMMAND [ARGUMENT ...]
"""

import subprocess
import sys
import tempfile
import time

TAIL = 60


def main(title: str, command: list[str]) -> int:
    """The command's exit code."""
    began = time.monotonic()
    moving = sys.stdout.isatty()
    if not moving:
        print(f"{title} ...", flush=True)
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        while True:
            try:
                code = process.wait(timeout=0.5 if moving else 20.0)
                break
            except subprocess.TimeoutExpired:
                passed = time.monotonic() - began
                print(
                    f"\r{title} ... {passed:.0f} s " if moving else f"  still at it, {passed:.0f} s",
                    end="" if moving else "\n",
                    flush=True,
                )
            except KeyboardInterrupt:
                process.terminate()
                process.wait()
                return 130
        passed = time.monotonic() - began
        print(f"\r{title}: {'done' if code == 0 else 'FAILED'} ({passed:.0f} s)      ".rstrip(), flush=True)
        if code:
            output.seek(0)
            print("".join(output.readlines()[-TAIL:]), file=sys.stderr)
    return code


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
