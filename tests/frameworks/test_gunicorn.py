# SPDX-License-Identifier: MIT
"""gunicorn: every worker of a Flask application, patched as one operation while clients ask."""
import concurrent.futures
import ctypes
import json
import os
import signal
import subprocess
import time

import flask  # noqa: F401 whether it is there
import gunicorn  # noqa: F401

from service import PYHOTPATCH, running, same

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17

FILES = {
    'app.py': '''
import os
import flask

app = flask.Flask(__name__)
sessions = {}


@app.route('/')
def index():
    sessions[os.getpid()] = sessions.get(os.getpid(), 0) + 1
    return 'old %d' % os.getpid()


@app.route('/count')
def count():
    return '%d %d' % (os.getpid(), sessions.get(os.getpid(), 0))
''',
    'gunicorn.conf.py': '''
bind = '127.0.0.1:0'
workers = 2
threads = 2


def when_ready(server):
    print('PORT %d' % server.LISTENERS[0].getsockname()[1])
''',
}


def workers(service):
    found = subprocess.run(['ps', '--ppid', str(service.process.pid), '-o', 'pid='],
                           stdout=subprocess.PIPE, universal_newlines=True).stdout
    return [int(pid) for pid in found.split()]


def asked(service, times=60):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda _: service.get('/'), range(times)))


def test_all_workers():
    with running(FILES, ['-m', 'gunicorn', 'app:app'], pids=workers) as service:
        service.wait_for(r'(?s)Booting worker.*Booting worker')
        before = asked(service)
        assert all(text.startswith('old ') for text in before), before
        service.edit('app.py', ("'old %d'", "'new %d'"))
        answers = service.attach()
        same(len(answers), 2)
        after = asked(service)
        assert all(text.startswith('new ') for text in after), after
        same(len(set(after)) <= 2, True)
        counts = {}
        for _ in range(1000):    # the kernel may give one worker many in a row
            counts.update([service.get('/count').split()])
            if sum(int(x) for x in counts.values()) == len(before) + len(after):
                break
        same(sum(int(x) for x in counts.values()), len(before) + len(after))
        assert set(counts) <= {str(pid) for pid in workers(service)}, counts
        assert os.path.isdir('/proc/%d' % service.process.pid)


# One request makes one worker differ: it has an instance that cannot have the new slot.
EIGHT = {
    'app.py': '''
import os
import time
import flask

app = flask.Flask(__name__)
baskets = []


class Basket:
    __slots__ = ('items',)


@app.route('/')
def index():
    return 'old %d' % os.getpid()


@app.route('/fill')
def fill():
    baskets.append(Basket())
    return '%d' % os.getpid()
''',
    'gunicorn.conf.py': FILES['gunicorn.conf.py'].replace('workers = 2', 'workers = 8'),
}
GROWN = ("'old %d'", "'new %d'"), ("('items',)", "('items', 'sum')")


def operate(*arguments):
    """The exit status, and the answer of each process by its pid."""
    done = subprocess.run([PYHOTPATCH, *arguments, '--json'], stdout=subprocess.PIPE, timeout=60,
                          universal_newlines=True)
    return done.returncode, {answer['pid']: answer for answer in map(json.loads, done.stdout.splitlines())}


def who(answers, status):
    return {pid for pid, answer in answers.items() if answer['status'] == status}


def versions(service):
    """Worker -> what it answers, until each has answered."""
    found = {}
    for _ in range(20):
        for text in asked(service):
            version, pid = text.split()
            same(found.setdefault(int(pid), version), version)
        if set(found) >= set(workers(service)):
            return found
    raise AssertionError('not all workers answer: %r' % found)


def ptrace(request, pid):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long] * 4
    assert libc.ptrace(request, pid, 0, 0) == 0, os.strerror(ctypes.get_errno())


def test_one_of_eight_cannot_be_changed():
    with running(EIGHT, ['-m', 'gunicorn', 'app:app']) as service:
        service.wait_for(r'(?s)' + '.*'.join(['Booting worker'] * 8))
        same(set(versions(service).values()), {'old'})
        odd = int(service.get('/fill'))
        tree = ['--tree', str(service.process.pid)]
        service.edit('app.py', *GROWN)

        status, answers = operate('attach', *tree)
        same(status, 10)
        same(set(answers) >= set(workers(service)), True)
        same(answers[odd]['error']['kind'], 'REFUSED')
        same({answer['error']['kind'] for pid, answer in answers.items() if pid != odd and answer['error']},
             {'HELD_BACK'})
        same(who(answers, 'applied'), set())
        same(set(versions(service).values()), {'old'})

        status, answers = operate('attach', '--keep-going', *tree)
        same(status, 10)
        same(who(answers, 'applied'), set(workers(service)) - {odd})
        same(versions(service), {pid: 'old' if pid == odd else 'new' for pid in workers(service)})
        same(operate('rollback', '--keep-going', *tree)[0], 0)
        same(set(versions(service).values()), {'old'})


def test_one_of_eight_is_traced():
    name = 'shop%d' % os.getpid()
    with running(EIGHT, ['-m', 'gunicorn', 'app:app', '--name', name]) as service:
        service.wait_for(r'(?s)' + '.*'.join(['Booting worker'] * 8))
        same(set(versions(service).values()), {'old'})    # they say that they boot before they have imported
        odd = sorted(workers(service))[3]
        service.edit('app.py', GROWN[0])
        ptrace(PTRACE_SEIZE, odd)
        try:
            status, answers = operate('attach', '--match', name)
            same(status, 14)
            same((answers[odd]['error']['kind'], who(answers, 'applied')), ('TRACED', set()))
            same(set(versions(service).values()), {'old'})
            status, answers = operate('attach', '--keep-going', *map(str, workers(service)))
            same((status, who(answers, 'applied')), (14, set(workers(service)) - {odd}))
        finally:
            ptrace(PTRACE_INTERRUPT, odd)
            os.waitpid(odd, 0x40000000)  # __WALL
            ptrace(PTRACE_DETACH, odd)
        status, answers = operate('attach', '--tree', str(service.process.pid))
        same((status, who(answers, 'applied')), (0, {odd}))
        same(set(versions(service).values()), {'new'})


def attach_while_one_is_forked(service, processes):
    """The answers by pid, and the new worker."""
    before = set(workers(service))
    attach = subprocess.Popen([PYHOTPATCH, 'attach', '--json', *processes],
                              stdout=subprocess.PIPE, universal_newlines=True)
    time.sleep(.5)
    os.kill(service.process.pid, signal.SIGTTIN)
    output = attach.communicate(timeout=60)[0]
    same(attach.returncode, 0)
    new, = set(workers(service)) - before
    return {answer['pid']: answer for answer in map(json.loads, output.splitlines())}, new


def test_a_worker_that_is_forked_meanwhile():
    """From a master that has the application: it has the old code, and is changed with the rest,
    or at least told of."""
    files = dict(EIGHT, **{'gunicorn.conf.py': FILES['gunicorn.conf.py'] + 'preload_app = True\n'})
    with running(files, ['-m', 'gunicorn', 'app:app']) as service:
        master = service.process.pid
        service.wait_for(r'(?s)Booting worker.*Booting worker')
        service.edit('app.py', GROWN[0], ('baskets = []', 'baskets = []\nslept = time.sleep(1.5)'))
        answers, _ = attach_while_one_is_forked(service, ['--tree', str(master)])
        same(who(answers, 'applied'), set(workers(service)) | {master})
        same(set(versions(service).values()), {'new'})

        service.edit('app.py', ("'new %d'", "'newer %d'"), ('slept =', 'slept2 ='))
        named = {master, *workers(service)}
        answers, new = attach_while_one_is_forked(service, map(str, named))
        same(who(answers, 'applied'), named)
        warnings = [warning['text'] for warning in answers[master]['warnings']]
        assert any('process %d was forked' % new in text for text in warnings), warnings
        same(versions(service), {pid: 'new' if pid == new else 'newer' for pid in workers(service)})
