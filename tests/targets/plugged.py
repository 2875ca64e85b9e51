# SPDX-License-Identifier: MIT
"""As state.py, but with built-in modules alone: a Python that was loaded privately has no others,
since their files look for its symbols in vain."""
import posix

import edited
import second
from edited import answer

held = second.Derived()
held_method = held.method
rounds = -1


def report():
    global rounds
    rounds += 1
    posix.write(1, ("round %d elapsed 0.0 answers %s %s %s %s %s\n" % (
        rounds, answer(), edited.answer(), held_method(), held.own(), second.answer())).encode())
