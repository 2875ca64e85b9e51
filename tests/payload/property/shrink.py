# SPDX-License-Identifier: MIT
"""Makes a failing scenario small: tries to leave out, or take back, many things at once, then fewer.

A move is a function of a scenario and a list of things; it makes another scenario without them.
"""
import copy
import time

from program import Class, Function
from scenario import Invalid, copy_of

BATCH = 6


def without_versions(made, numbers):
    made.versions = [x for n, x in enumerate(made.versions) if n not in numbers]
    made.probes = [x for n, x in enumerate(made.probes) if n not in numbers]


def without_probes(made, probes):
    made.probes = [[x for m, x in enumerate(looks) if (n, m) not in probes]
                   for n, looks in enumerate(made.probes)]


def without_held(made, uids):
    made.held = [x for x in made.held if x.uid not in uids]


def without_modules(made, names):
    for program in made.versions:
        program.modules = [x for x in program.modules if x.name not in names]
        for module in program.modules:
            module.items = [x for x in module.items if getattr(x, 'module', None) not in names]


def without_items(made, uids):
    for program in made.versions:
        for module, around, item in list(program.walk()):
            if item.uid in uids:
                (around[-1] if around else module).items.remove(item)
    made.held = [x for x in made.held if x.target not in uids]


def without_edits(made, edits):
    """(version, uid): the item is as the version before has it, or is not there."""
    for number, uid in edits:
        old = {item.uid: item for _, _, item in made.versions[number - 1].walk()}
        for module, around, item in list(made.versions[number].walk()):
            if item.uid == uid:
                items = (around[-1] if around else module).items
                at = items.index(item)
                items[at:at + 1] = [copy.deepcopy(old[uid])] if uid in old else []


def without_module_edits(made, edits):
    for number, name in edits:
        old, new = made.versions[number - 1], made.versions[number]
        new.modules[new.modules.index(new.find(name))] = copy.deepcopy(old.find(name))


def plainer(change):
    """A move: change(item) in every version."""
    def move(made, uids):
        for program in made.versions:
            for _, _, item in program.walk():
                if item.uid in uids:
                    change(item)
    return move


def strip(item):
    item.wrap = item.comment = item.doc = None


def unblock(item):
    item.block = None


def undecorate(item):
    if isinstance(item, Function):
        item.decorators = []


def fewer_parameters(item):
    if isinstance(item, Function):
        item.parameters = item.parameters[:1]


def is_free(item):
    return isinstance(item, Function) and item.role not in ('init', 'factory')


def last_line_only(item):
    if is_free(item):
        item.body = item.body[-1:]


def shorter_value(item):
    if is_free(item):
        item.body[-1] = item.body[-1].rsplit(' + ', 1)[0]


def constant(item):
    if is_free(item):
        item.body = ['return 5']


def baseless(item):
    if isinstance(item, Class) and item.kind == 'class':
        item.bases = []


def constant_in(made, places):
    for number, uid in places:
        for _, _, item in made.versions[number].walk():
            if item.uid == uid and is_free(item):
                item.body = ['return %d' % (number + 1)]


def uids_of(scenario):
    uids = []
    for program in scenario.versions:
        uids += [item.uid for _, _, item in program.walk() if item.uid not in uids]
    return uids


def versioned(list_of, first):
    """(version, thing) from the version `first` on."""
    return lambda scenario: [(number, x) for number in range(first, len(scenario.versions))
                             for x in list_of(scenario, number)]


# What can be taken away, and how, in the order in which to try.
MOVES = [
    (lambda scenario: range(len(scenario.versions)), without_versions),
    (versioned(lambda scenario, number: range(len(scenario.looks(number))), 0), without_probes),
    (lambda scenario: [x.uid for x in scenario.held], without_held),
    (lambda scenario: [x.name for x in scenario.versions[0].modules], without_modules),
    (versioned(lambda scenario, number: [x.name for x in scenario.versions[number].modules], 1),
     without_module_edits),
    (uids_of, without_items),
    (uids_of, plainer(constant)),
    (versioned(lambda scenario, number: uids_of(scenario), 1), without_edits),
    (uids_of, plainer(strip)), (uids_of, plainer(unblock)), (uids_of, plainer(undecorate)), (uids_of, plainer(baseless)),
    (uids_of, plainer(fewer_parameters)), (uids_of, plainer(last_line_only)),
    (uids_of, plainer(shorter_value)),
    (versioned(lambda scenario, number: uids_of(scenario), 0), constant_in),
]
POSITIONAL = without_versions, without_probes     # their numbers mean others after a success


def chunks(list_):
    size = len(list_)
    while size:
        for low in range(0, len(list_), size):
            yield list_[low:low + size]
        size //= 2


class Shrinker:
    """fails(texts) tells of each case whether it fails."""

    def __init__(self, scenario, fails, seconds):
        self.best, self.fails, self.end = scenario, fails, time.time() + seconds
        self.size = len(scenario.text())

    def candidate(self, move, chunk):
        made = copy_of(self.best)
        try:
            move(made, chunk)
            return made if len(made.versions) > 1 and len(made.text()) < self.size else None
        except (Invalid, ValueError, AttributeError, KeyError):
            return None     # what it takes away is needed, or gone already

    def try_batch(self, move, batch):
        made = [(chunk, self.candidate(move, chunk)) for chunk in batch]
        made = [x for x in made if x[1]]
        if not made:
            return False
        failed = self.fails([x.text() for _, x in made])
        for (_, candidate), is_failing in zip(made, failed):
            if is_failing:
                self.best, self.size = candidate, len(candidate.text())
                return True
        return False

    def try_move(self, list_of, move):
        """Whether anything could be left out."""
        left = list(chunks(list(list_of(self.best))))
        any_ = False
        while left and time.time() < self.end:
            batch, left = left[:BATCH], left[BATCH:]
            if self.try_batch(move, batch):
                any_ = True
                left = list(chunks(list(list_of(self.best)))) if move in POSITIONAL \
                    else batch + left
        return any_

    def run(self):
        smaller = True
        while smaller and time.time() < self.end:
            smaller = False
            for list_of, move in MOVES:
                smaller |= self.try_move(list_of, move)
        return self.best


def shrink(scenario, fails, seconds):
    return Shrinker(scenario, fails, seconds).run()
