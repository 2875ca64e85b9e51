# SPDX-License-Identifier: MIT
"""A second module that is edited at the same time, so that half an update can be seen."""
import edited


def answer():
    return "v0"


class Derived(edited.Thing):
    def own(self):
        return "v0"
