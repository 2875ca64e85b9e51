# SPDX-License-Identifier: MIT
"""Runs one case of tests/payload/cases in this process, which run_outside.py started, but has each
command done by the real program from outside: it asks the driver for it through one pipe, and waits
for the answer on another.

outside_runner.py CASE ASK_FD ANSWER_FD
"""
import collections
import json
import os
import signal
import sys
import traceback

import case_runner
from case_runner import Record

STATUS = {0: 'applied', 6: 'unsupported', 8: 'busy', 10: 'refused', 13: 'internal',
          17: 'finalizing', 18: 'source-error', 19: 'broken'}


def records(answer):
    """The lines of --json as the payload's records."""
    found = records_of_modules(answer['modules'])
    for attach in answer['attaches']:
        found.append(Record('attach', '', '', '', '', 0, attach['number'], 0))
        found += records_of_modules(attach['modules'])
    return found + records_of_the_rest(answer)


def records_of_modules(modules):
    found = []
    for module in modules:
        if module['action']:
            found.append(Record('module', module['action'], module['name'], module['name'],
                                module['reason'] or module['file'] or '', 0, 0, 0))
        for change in module['changes']:
            found.append(Record(change['kind'], change['action'], module['name'], change['name'],
                                change['text'] or '', change['line'], change['count'], 0))
    return found


def records_of_the_rest(answer):
    found = []
    for warning in answer['warnings']:
        found.append(Record('warning', '', warning['module'] or '', warning['name'] or '',
                            warning['text'], 0, 0, 0))
    for frame in answer['frames']:
        found.append(Record('frame', 'waiting' if frame['waits'] else 'kept',
                            frame['module'] or '', frame['function'], frame['file'] or '',
                            frame['line'], frame['count'], frame['thread'] or 0))
    for error in answer['source_errors']:
        found.append(Record('error', '', error['module'] or '', '', error['text'], 0, 0, 0))
    if answer['error'] and not answer['source_errors']:
        found.append(Record('error', '', '', '', answer['error']['message'], 0, 0, 0))
    return found


class OutsideRunner(case_runner.Runner):
    """`command` is the program's; the rest of a case is done as inside."""

    def __init__(self, ask, answer):
        self.ask, self.answer = ask, answer
        self.names = {'__name__': 'case', 'texts': self.texts,
                      'FREES_CLASSES': case_runner.FREES_CLASSES,
                      'Snapshot': case_runner.snapshot.Snapshot,
                      'attach': self.attach}

    def attach(self, words):
        # What a plan foretells is compared inside.
        self.command(['attach'] + [word for word in words if word not in ('unforetold', 'moving')])

    def command(self, words):
        os.write(self.ask, (json.dumps([os.getpid(), words[0], words[2:]]) + '\n').encode())
        text = b''
        while not text.endswith(b'\n'):
            part = os.read(self.answer, 65536)
            assert part, 'the driver went away'
            text += part
        answer = json.loads(text.decode())
        assert 'problem' not in answer, answer['problem']
        report = records(answer)
        status = 'nothing' if answer['status'] == 'nothing-to-do' else \
            STATUS.get(answer['exit_status'], 'exit status %d' % answer['exit_status'])
        # The places of the reply's header: the fifth and sixth are told.
        header = (0, 0, 0, len(report), 0, answer['truncated'], answer['modules_looked'])
        self.names.update(report=report, header=header, final=None,
                          kinds=collections.Counter((x.kind, x.action) for x in report))
        problem = '\n'.join(x.text for x in report if x.kind in ('error', 'warning'))
        assert status == words[1], 'status %s instead of %s\n%s' % (status, words[1], problem)


def main():
    name, ask, answer = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    signal.alarm(case_runner.TIMEOUT)
    status = 1
    try:
        case_runner.run(OutsideRunner(ask, answer), name)
        status = 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == '__main__':
    import outside_runner  # a case may take __main__ for its own
    outside_runner.main()
