"""Runs command lines of dnf, one per line of the input, and writes the exit code and what each has said, as JSON.

The command itself (`dnf.cli.main`), in a child of its own for each line: only the start of Python and the imports are
saved, which are most of the time that a command takes.
"""

import json
import os
import sys

import dnf.cli.main
import dnf.cli.commands.repoquery
import dnf.cli.commands.updateinfo

for line in sys.stdin:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(write, 1)
        os.dup2(write, 2)
        os.close(read)
        code = 1
        try:
            code = dnf.cli.main.user_main(json.loads(line), exit_code=False)
        except SystemExit as end:
            code = end.code
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code or 0)
    os.close(write)
    with os.fdopen(read) as said:
        text = said.read()
    _, status = os.waitpid(child, 0)
    print(json.dumps({"code": os.waitstatus_to_exitcode(status), "said": text}), flush=True)
