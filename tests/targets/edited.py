# SPDX-License-Identifier: MIT
"""A module that the tests edit: every v0 becomes v1, and so on."""
VALUE = "v0"


def answer():
    return "v0"


class Thing:
    def method(self):
        return "v0"


def make():
    def inner():
        return "v0"
    return inner
