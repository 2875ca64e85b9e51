# SPDX-License-Identifier: MIT
"""A script in each form that a script can have: it is edited itself, and goes to another folder.
It makes a round for each byte of its input."""
import os
import sys

sys.path.append(os.getcwd())

import edited

VALUE = "v0"
started = []


def answer():
    return "v0"


class Thing:
    def method(self):
        return "v0"


held = Thing()
held_answer = answer


def report(number):
    """Called anew for each round."""
    os.write(1, ("round %d elapsed 0.0 answers %s %s %s %s %s\n" % (
        number, VALUE, answer(), held_answer(), held.method(), edited.answer())).encode())


def main():
    started.append(1)
    if len(started) > 1:
        os.write(1, b"CORRUPT: the script was started again\n")
    number = 0
    report(number)
    while os.read(0, 1):
        number += 1
        report(number)


if __name__ == "__main__":
    os.chdir("/")
    main()
