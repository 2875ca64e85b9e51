# SPDX-License-Identifier: MIT
"""gunicorn: every worker of a Flask application, patched as one operation while clients ask."""
import concurrent.futures
import os
import subprocess

import flask  # noqa: F401 whether it is there
import gunicorn  # noqa: F401

from service import running, same

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
        counts = dict(service.get('/count').split() for _ in range(40))
        same(sum(int(x) for x in counts.values()), len(before) + len(after))
        assert set(counts) <= {str(pid) for pid in workers(service)}, counts
        assert os.path.isdir('/proc/%d' % service.process.pid)
