# SPDX-License-Identifier: MIT
"""A WSGI application that answers with what runs, its process, and how often it was asked."""
import os
import sys

sys.path.insert(0, os.getcwd())

import edited
from edited import answer

count = 0


def application(environ, start_response):
    global count
    count += 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("%s %s %d %d\n" % (answer(), edited.answer(), os.getpid(), count)).encode()]
