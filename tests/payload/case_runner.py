# SPDX-License-Identifier: MIT
"""Runs cases in this very interpreter, each in a process of its own forked from here:
case_runner.py PAYLOAD.so CASE.case... prints a line of JSON for each: [name, status, output].

A case is a text of sections, done in order:

    ### file NAME        the text below becomes the content of NAME
    ### delete NAME
    ### run              Python; its names stay for the sections below
    ### script NAME      the file runs as this process's __main__
    ### attach STATUS [rerun] [cancelled] [late] [module=NAME]... [path=PREFIX]...
                     [unforetold] [moving] [to=N] [version=N] [fail=N] [when-idle]
                     [argument=MS] [timeout=MS] [together=keep|revoke|cancel|nobody]
                     [on-main-thread]
                         payload_serve on a thread of its own, as the real worker calls it;
                         no donor may survive it; a plan before it must have told what it does
                         (foretold.py), but not what frames run where they are `moving`, and
                         nothing when it is `unforetold`: the case says why in its first lines;
                         with `together` it is one of several processes: while_prepared()
                         and while_applied(), if the case has them, are called while it waits for
                         the others, and then it is told what was asked for here, or nothing
    ### plan STATUS, ### rollback STATUS, ### status STATUS, ### forget STATUS
                         the other commands, with the same options

After a command the names `report` (list of Record), `kinds` (a Counter of
(kind, action)), `final` (the channel's state) and `header` say what the
payload answered, and texts(kind) the texts of one kind of record. cancel() cancels the channel
from inside new module code. nested(text, *options) runs a case in an interpreter of its own that is
started for it with these options, in a folder of its own; its sections begin with +++. A failing assertion or an unexpected status fails the case.
"""
import _thread
import collections
try:
    import ctypes
except ImportError:  # built with musl-gcc; outside_runner does without
    ctypes = None
import gc
import importlib.machinery
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback

import foretold
import snapshot
from survivors import identities, survivors

STATUS = ['none', 'applied', 'nothing', 'source-error', 'refused', 'cancelled', 'unsupported',
          'finalizing', 'broken', 'internal', 'busy', 'revoked']
COMMANDS = ['', 'attach', 'plan', 'rollback', 'status', 'forget', 'sources']
KINDS = [None, 'module', 'function', 'class', 'name', 'instances', 'statement', 'frame', 'warning', 'error',
         'attach', 'source']
ACTIONS = ['', 'changed', 'added', 'removed', 'kept', 'migrated', 'skipped', 'refused', 'waiting',
           'lost']
PENDING, RUNNING, COMMITTING, DONE, FAILED, CANCELLED, PREPARED, APPLIED, KEPT, REVOKED = range(1, 11)
CHANNEL, REQUEST, REPLY = '<IIIIqiiiIQQQQQQQ', '<IIIIIIII', '<IIIIQIIQQQQQQQQ'
RECORD = '<BBHIIIQ'
VERSION = 9
REPLY_SIZE = 1 << 20
RUNNER = os.path.abspath(__file__)
TIMEOUT = 300
# The free-threaded 3.13 makes classes and functions immortal once there were two threads
# (Python/gc_free_threading.c): nothing that a case says about what is gone can hold there.
FREES_CLASSES = sys.version_info[:2] != (3, 13) or 't' not in sys.abiflags
Record = collections.namedtuple('Record', 'kind action module name text line count value')


def texts_of_wire():
    """What the payload says by number."""
    with open(os.path.join(os.path.dirname(RUNNER), '..', '..', 'payload', 'wire_texts.h')) as f:
        return re.findall(r'^\tX\(\w+, "(.*)"\)', f.read(), re.M)


TEXTS = texts_of_wire()


def said(number, arguments):
    words = TEXTS[number].split('%')
    arguments = arguments.split('\x1f', max(len(words) - 2, 0))
    return ''.join(a + b for a, b in zip(words, arguments + [''] * len(words)))


class Channel:
    """The memory that the program outside shares with the payload."""

    def __init__(self, command, modules=(), paths=(), flags=0, argument=0, timeout=30.0, state=PENDING,
                 version=VERSION):
        names = b''.join(name.encode() + b'\0' for name in modules + paths)
        request = struct.pack(REQUEST, 0x31504850, version, COMMANDS.index(command), flags,
                              argument, len(modules), len(names), len(paths)) + names
        reply_at = 4096 + (len(request) + 7) // 8 * 8
        self.memory = ctypes.create_string_buffer(reply_at + REPLY_SIZE + 16)
        self.address = (ctypes.addressof(self.memory) + 15) // 16 * 16
        deadline = int((time.clock_gettime(time.CLOCK_MONOTONIC) + timeout) * 1e9)
        channel = struct.pack(CHANNEL, 0x31504850, version, state, 0, deadline, 0, 0, -1, 0, 0, 0, 0,
                              4096, len(request), reply_at, REPLY_SIZE)
        ctypes.memmove(self.address, channel, len(channel))
        ctypes.memmove(self.address + 4096, request, len(request))
        self.reply_at = self.address + reply_at

    @property
    def state(self):
        return ctypes.c_uint32.from_address(self.address + 8).value

    @property
    def phase(self):
        return ctypes.c_uint32.from_address(self.address + 12).value

    def swap(self, old, new):
        if self.state == old:
            ctypes.c_uint32.from_address(self.address + 8).value = new

    def cancel(self):
        word = ctypes.c_uint32.from_address(self.address + 8)
        was = word.value
        if was in (PENDING, RUNNING):
            word.value = CANCELLED
        return was

    def reply(self):
        size = struct.calcsize(REPLY)
        header = struct.unpack(REPLY, ctypes.string_at(self.reply_at, size))
        data = ctypes.string_at(self.reply_at + size, header[4])
        records, at = [], 0
        for _ in range(header[3]):
            kind, wording, action, length, line, count, value = struct.unpack_from(RECORD, data, at)
            texts = data[at + struct.calcsize(RECORD):at + length].split(b'\0')
            module, name, text = (x.decode() for x in texts[:3])
            records.append(Record(KINDS[kind], ACTIONS[action], module, name, said(wording, text), line,
                                  count, value))
            at += length
        assert at == len(data), (at, len(data))
        return STATUS[header[2]], records, header


class Runner:
    def __init__(self, payload):
        self.payload = payload
        self.serve = ctypes.CDLL(payload).payload_serve
        self.libc = ctypes.CDLL(None)
        self.channel = None
        self.names = {'__name__': 'case', 'FREES_CLASSES': FREES_CLASSES, 'PAYLOAD': payload,
                      'cancel': lambda: self.channel.cancel(),
                      'channel': lambda: self.channel, 'texts': self.texts,
                      'nested': self.nested, 'Snapshot': snapshot.Snapshot,
                      'attach': self.attach}

    def texts(self, kind):
        return [record.text for record in self.names['report'] if record.kind == kind]

    def faulty(self, index):
        """The payload whose write at `index` fails."""
        folder = os.path.dirname(os.path.dirname(self.payload))
        library = ctypes.CDLL(os.path.join(folder, 'tests', 'payload', 'payload-faulty.so'))
        library.payload_fail_write(index)
        return library.payload_serve

    def nested(self, text, *options):
        with tempfile.NamedTemporaryFile('w', suffix='.case') as case:
            case.write(text.replace('\n+++ ', '\n### '))
            case.flush()
            output = subprocess.run([sys.executable, '-S', '-E', *options, RUNNER, self.payload, case.name],
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode()
        assert output.startswith('[') and json.loads(output)[1] == 0, output.replace('\\n', '\n')

    def attach(self, words):
        """With a plan before it, which must foretell what the attach does."""
        told = None
        if 'unforetold' not in words:
            self.command(['plan', None] + [word for word in words[1:]
                                            if not word.startswith(('fail=', 'together='))])
            told = self.status, self.names['report']
        self.command(['attach'] + words)
        if told:
            wrong = foretold.differences(told, (self.status, self.names['report']), words)
            assert not wrong, '\n'.join(['attach is not as planned:'] + wrong)

    def decide(self, word):
        """What the program outside does when it has heard of the others."""
        channel, began = self.channel, time.monotonic()
        while channel.state not in (DONE, FAILED, CANCELLED) and time.monotonic() - began < 60:
            state = channel.state
            if state in (PREPARED, APPLIED) and state not in self.waited:
                self.waited.append(state)
                self.names.get('while_prepared' if state == PREPARED else 'while_applied', int)()
                if word == 'cancel':
                    channel.swap(PREPARED, CANCELLED)
                elif word != 'nobody':
                    channel.swap(PREPARED, RUNNING)
                    channel.swap(APPLIED, KEPT if word == 'keep' else REVOKED)
            time.sleep(0.001)

    def command(self, words):
        command, expected, options = words[0], words[1], words[2:]
        modules = [word[7:] for word in options if word.startswith('module=')]
        paths = [word[5:] for word in options if word.startswith('path=')]
        numbers = {key: int(value) for key, _, value in (word.partition('=') for word in options)
                   if key in ('argument', 'version', 'fail', 'timeout')}
        serve = self.faulty(numbers.pop('fail')) if 'fail' in numbers else self.serve
        state = CANCELLED if 'cancelled' in options else PENDING
        timeout = -1 if 'late' in options else numbers.pop('timeout', 30000) / 1000
        to = [int(word[3:]) for word in options if word.startswith('to=')]
        together = [word[9:] for word in options if word.startswith('together=')]
        flags = ('rerun' in options) + 2 * ('when-idle' in options) + 4 * bool(to) + 8 * bool(together) \
            + 16 * ('on-main-thread' in options)
        if to:
            numbers['argument'] = to[0]
        self.channel = Channel(command, modules, paths, flags, state=state, timeout=timeout, **numbers)
        self.waited = []
        if together:
            _thread.start_new_thread(self.decide, (together[0],))
        thread = ctypes.c_ulong()
        argument = ctypes.c_void_p(self.channel.address)
        assert self.libc.pthread_create(ctypes.byref(thread), None, serve, argument) == 0
        while 'on-main-thread' in options and self.channel.state not in (DONE, FAILED, CANCELLED):
            time.sleep(0.001) # by itself the join would keep this thread, which is the main one
        assert self.libc.pthread_join(thread, None) == 0
        status, report, header = self.channel.reply()
        final = self.channel.state
        self.names.update(report=report, header=header, final=final, waited=self.waited,
                          kinds=collections.Counter((x.kind, x.action) for x in report))
        self.status = status
        if expected is None:
            return
        if expected == 'silent':
            assert final == CANCELLED, final
            return
        problem = '\n'.join(x.text for x in report if x.kind in ('error', 'warning'))
        assert status == expected, 'status %s instead of %s\n%s' % (status, expected, problem)
        assert final == (DONE if status in ('applied', 'nothing', 'broken') else FAILED) or \
            (final == CANCELLED and status == 'cancelled'), final

    def section(self, name, head, text, line):
        words = head.split()
        if words[0] == 'file':
            os.makedirs(os.path.dirname(os.path.abspath(words[1])), exist_ok=True)
            with open(words[1], 'w') as f:
                f.write(text)
        elif words[0] == 'delete':
            os.unlink(words[1])
        elif words[0] == 'run':
            exec(compile('\n' * line + text, name, 'exec'), self.names)
        elif words[0] == 'script':
            script(words[1])
        elif words[0] == 'attach':
            self.attach(words[1:])
        elif words[0] in COMMANDS:
            self.command(words)
        else:
            raise AssertionError('unknown section ' + head)


def script(path):
    """As `python PATH` would, in the namespace of this process's __main__."""
    module = sys.modules['__main__']
    kept = {name: module.__dict__[name] for name in ('__name__', '__builtins__')}
    kept['__loader__'] = importlib.machinery.SourceFileLoader('__main__', path)
    module.__dict__.clear()
    module.__dict__.update(kept, __file__=os.path.abspath(path), __spec__=None, __package__=None)
    with open(path) as f:
        exec(compile(f.read(), os.path.abspath(path), 'exec'), module.__dict__)


def sections(text):
    head, lines, start = None, [], 0
    for number, line in enumerate(text.split('\n'), 1):
        if line.startswith('### '):
            if head:
                yield head, '\n'.join(lines) + '\n', start
            head, lines, start = line[4:], [], number
        elif head:
            lines.append(line)
    yield head, '\n'.join(lines) + '\n', start


def left_as_found():
    """What an attach must not change, whatever its outcome."""
    threading = sys.modules.get('threading')
    return (gc.isenabled(), gc.get_threshold(), sys.getrecursionlimit(), sys.gettrace(),
            sorted(threading._active) if threading else [], len(sys.meta_path), sys.stdout, sys.stderr)


def run(runner, name):
    with open(name) as f:
        text = f.read()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        sys.path.insert(0, folder)
        try:
            for head, body, line in sections(text):
                versions = [word for word in head.split() if word.startswith('since=')]
                if versions and sys.version_info < tuple(map(int, versions[0][6:].split('.'))):
                    continue
                if head.split()[0] not in COMMANDS:
                    runner.section(name, head, body, line)
                    continue
                before, there = left_as_found(), identities()
                runner.section(name, head, body, line)
                after = left_as_found()
                assert after == before or 'threads' in head, (before, after)
                left = FREES_CLASSES and survivors(there, runner.names['report'])
                assert not left, left
        finally:
            os.chdir('/')


def child(payload, name, output):
    os.dup2(output, 1)
    os.dup2(output, 2)
    signal.alarm(TIMEOUT)
    status = 1
    try:
        run(Runner(payload), name)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def main():
    for name in sys.argv[2:]:
        with tempfile.TemporaryFile() as output:
            pid = os.fork()
            if pid == 0:
                child(sys.argv[1], name, output.fileno())
            _, status = os.waitpid(pid, 0)
            output.seek(0)
            print(json.dumps([name, status, output.read().decode('utf-8', 'replace')]))
            sys.stdout.flush()


if __name__ == '__main__':
    import case_runner  # a case may take __main__ for its own
    case_runner.main()
