# SPDX-License-Identifier: MIT
"""What the service answers. The demo mends the price while the workers run."""
from flask import jsonify

import sessions

APPLE = 40  # cents


def total(apples):
    return apples + APPLE


def basket(customer):
    session = sessions.put_an_apple(customer)
    cents = total(session["apples"])
    return jsonify(text="%d apples cost %.2f EUR" % (session["apples"], cents / 100),
                   cents=cents, **session)
