"""A terminal: runs a command and prints, as a JSON line, what its screen shows whenever that has changed.

    python3 terminal.py COLUMNS LINES COMMAND...

Standard input takes JSON lines: {"size": [columns, lines]} and {"type": "text"}. A line that was written too wide is
broken, and when the width changes all are broken anew, as most terminals do.
"""

import codecs
import fcntl
import json
import os
import pty
import re
import select
import struct
import sys
import termios

SEQUENCE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])")
UNFINISHED = re.compile(r"\x1b(\[[?0-9;]*)?$")


class Screen:
    def __init__(self, columns, lines):
        self.columns, self.height = columns, lines
        self.lines = [""]
        self.line = self.at = 0
        self.is_cursor_shown = True
        self.is_coloured = False
        self.broken = []
        self.rest = ""

    def rows(self, line):
        return max(1, -(-len(line) // self.columns))

    def up(self, rows):
        row = sum(self.rows(line) for line in self.lines[: self.line]) + self.at // self.columns
        top = max(0, sum(self.rows(line) for line in self.lines) - self.height)
        row, column = max(top, row - rows), self.at % self.columns
        self.line = 0
        while row >= self.rows(self.lines[self.line]):
            row -= self.rows(self.lines[self.line])
            self.line += 1
        self.at = row * self.columns + column

    def write(self, text):
        text, at = self.rest + text, 0
        unfinished = UNFINISHED.search(text)
        self.rest = text[unfinished.start() :] if unfinished else ""
        text = text[: len(text) - len(self.rest)]
        while at < len(text):
            sequence = SEQUENCE.match(text, at)
            if sequence:
                self.obey(*sequence.groups())
                at = sequence.end()
                continue
            self.put(text[at])
            at += 1

    def obey(self, numbers, what):
        if what == "A":
            self.up(int(numbers or 1))
        elif what == "J" and numbers == "":
            self.lines[self.line] = self.lines[self.line][: self.at]
            del self.lines[self.line + 1 :]
        elif what == "m":
            self.is_coloured = True
        elif numbers == "?25":
            self.is_cursor_shown = what == "h"
        elif numbers != "?2026":
            raise ValueError(f"unknown to this terminal: {numbers}{what}")

    def put(self, character):
        if character == "\r":
            self.at -= self.at % self.columns
        elif character == "\n":
            self.line += 1
            self.at = 0
            if self.line == len(self.lines):
                self.lines.append("")
        else:
            line = self.lines[self.line].ljust(self.at)
            self.lines[self.line] = line[: self.at] + character + line[self.at + 1 :]
            self.at += 1
            if self.at == self.columns + 1:
                self.broken.append(self.lines[self.line])

    def json(self, code=None):
        return {
            "lines": self.lines,
            "broken": self.broken,
            "is_cursor_shown": self.is_cursor_shown,
            "is_coloured": self.is_coloured,
            "is_at_start": self.at == 0,
            "code": code,
        }


def main():
    columns, lines, *command = sys.argv[1:]
    screen = Screen(int(columns), int(lines))
    child, terminal = pty.fork()
    if child == 0:
        resize(sys.stdout.fileno(), screen)
        os.execv(command[0], command)
    decoder = codecs.getincrementaldecoder("utf-8")()
    control = ""
    sources = [terminal, sys.stdin.fileno()]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if sys.stdin.fileno() in ready:
            read = os.read(sys.stdin.fileno(), 4096).decode()
            if not read:
                sources.remove(sys.stdin.fileno())
            *whole, control = (control + read).split("\n")
            for line in map(json.loads, whole):
                if "size" in line:
                    screen.columns, screen.height = line["size"]
                    resize(terminal, screen)
                else:
                    os.write(terminal, line["type"].encode())
        if terminal in ready:
            try:
                read = os.read(terminal, 65536)
            except OSError:
                break
            if not read:
                break
            screen.write(decoder.decode(read))
            print(json.dumps(screen.json()), flush=True)
    _, status = os.waitpid(child, 0)
    print(json.dumps(screen.json(os.waitstatus_to_exitcode(status))), flush=True)


def resize(terminal, screen):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", screen.height, screen.columns, 0, 0))


main()
