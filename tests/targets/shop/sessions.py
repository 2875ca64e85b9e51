# SPDX-License-Identifier: MIT
"""The sessions of one worker, in memory alone: a restart would lose them. Never edited."""
import os

visits = 0
baskets = {}


def put_an_apple(customer):
    """One more apple for the customer, and one more visit of this worker."""
    global visits
    visits += 1
    baskets.setdefault(customer, []).append("apple")
    return {"worker": os.getpid(), "visit": visits, "apples": len(baskets[customer])}
