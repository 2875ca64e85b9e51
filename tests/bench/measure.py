# SPDX-License-Identifier: MIT
"""Two things measured side by side, and what their ratio is.

A figure of one run on one machine says little; the ratio of two that were taken in turns, in the
same minute, says more. So the result of every benchmark is a Row: samples of ours, samples of what
it is compared with, taken alternately, and the goal for the ratio.
"""
import os
import statistics
import time


def quartiles(samples):
    """Lower quartile, median, upper quartile."""
    if len(samples) == 1:
        return samples[0], samples[0], samples[0]
    low, middle, high = statistics.quantiles(samples, n=4, method="inclusive")
    return low, middle, high


class Row:
    """One line of the table. `goal` is a (sign, number) on the ratio ours / theirs, or None."""

    def __init__(self, group, subject, unit, ours, theirs, against, goal=None, note=""):
        self.group, self.subject, self.unit = group, subject, unit
        self.ours, self.theirs, self.against = list(ours), list(theirs), against
        self.goal, self.note = goal, note

    @property
    def ratio(self):
        return statistics.median(self.ours) / statistics.median(self.theirs)

    @property
    def is_met(self):
        """None when there is nothing to reach."""
        if self.goal is None:
            return None
        sign, bound = self.goal
        return self.ratio <= bound if sign == "<=" else self.ratio >= bound

    def as_dict(self):
        return {"group": self.group, "subject": self.subject, "unit": self.unit, "ours": self.ours,
                "theirs": self.theirs, "against": self.against, "goal": self.goal,
                "ratio": self.ratio, "met": self.is_met, "note": self.note}


def in_turns(rounds, *sides):
    """Samples of each side, taken alternately; each side is a function that returns a number."""
    samples = [[] for _ in sides]
    for turn in range(rounds):
        # Who goes first changes, so that what one leaves in the caches helps neither.
        order = range(len(sides)) if turn % 2 == 0 else range(len(sides) - 1, -1, -1)
        for side in order:
            samples[side].append(sides[side]())
    return samples


def wall_ms(command, check=True):
    """How long a command takes from its start to its end, its output thrown away."""
    null = os.open(os.devnull, os.O_RDWR)
    try:
        began = time.perf_counter_ns()
        pid = os.posix_spawnp(command[0], command, os.environ, file_actions=[
            (os.POSIX_SPAWN_DUP2, null, descriptor) for descriptor in (0, 1, 2)])
        _, status = os.waitpid(pid, 0)
        ended = time.perf_counter_ns()
    finally:
        os.close(null)
    if check and status:
        raise RuntimeError("wait status %d of %s" % (status, " ".join(command)))
    return (ended - began) / 1e6
