# SPDX-License-Identifier: MIT
"""gevent: greenlets, whose stacks no thread shows while they wait."""
import gevent  # noqa: F401 whether it is there

import concurrent.futures
import contextlib
import subprocess
import time

from service import PYHOTPATCH, running, same

FILES = {
    'serve.py': '''
from gevent import monkey
monkey.patch_all()
import gevent
from gevent.pywsgi import WSGIServer
from app import application, loop

gevent.spawn(loop)
server = WSGIServer(('127.0.0.1', 0), application, log=None)
server.start()
print('PORT %d' % server.server_port)
server.serve_forever()
''',
    'app.py': '''
import threading
import time
import gevent

beats = []
waiting = []
go = threading.Event()


def beat():
    beats.append('old')


def loop():
    while True:
        beat()
        time.sleep(.01)


def wait():
    waiting.append(1)
    go.wait(30)
    return 'old'


def application(environ, start_response):
    path = environ['PATH_INFO']
    start_response('200 OK', [('Content-Type', 'text/plain')])
    if path == '/wait':
        answer = wait() + ' caller'
    elif path == '/go':
        go.set()
        answer = 'gone'
    else:
        answer = ' '.join(beats[-2:]) if path == '/' else str(len(waiting))
    return [answer.encode()]
''',
}


@contextlib.contextmanager
def waiting(service):
    """What a request is answered that waits meanwhile."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        reply = pool.submit(service.get, '/wait')
        while service.get('/waiting') == '0':
            time.sleep(.01)
        try:
            yield reply
        finally:
            same(service.get('/go'), 'gone')


def test_greenlets_that_wait_are_told_of():
    with running(FILES, ['serve.py']) as service:
        with waiting(service) as reply:
            service.edit('app.py', ("append('old')", "append('new')"), ("return 'old'", "return 'new'"),
                         ("' caller'", "' new caller'"))
            answer, = service.attach()
            same({frame['function'] for frame in answer['frames']}, {'wait', 'application'})
            status = subprocess.run([PYHOTPATCH, 'status', str(service.process.pid)], stdout=subprocess.PIPE,
                                    timeout=30, universal_newlines=True)
            assert 'waits in old code' in status.stdout, status.stdout
        same(reply.result(), 'old caller')
        same(service.get('/wait'), 'new new caller')
        time.sleep(.1)
        same(service.get('/'), 'new new')


def test_when_idle_waits_for_greenlets():
    with running(FILES, ['serve.py']) as service:
        with waiting(service) as reply:
            service.edit('app.py', ("return 'old'", "return 'new'"))
            service.attach('--when-idle=0.5', expected='error')
        same(reply.result(), 'old caller')
        service.attach('--when-idle=5')
        same(service.get('/wait'), 'new caller')


def test_greenlets_that_new_code_starts_have_the_live_names():
    """On the main thread, where they go on; new code waits once, so that they have begun."""
    with running(FILES, ['serve.py']) as service:
        service.edit('app.py', ('go = threading.Event()', '''go = threading.Event()
limit = 'first'


def more():
    while True:
        beats.append(limit)
        time.sleep(.01)


gevent.spawn(more)
time.sleep(.05)'''))
        service.attach('--on-main-thread')
        time.sleep(.1)
        assert 'first' in service.get('/')
        service.edit('app.py', ("limit = 'first'", "limit = 'second'"))
        service.attach()
        time.sleep(.1)
        assert 'second' in service.get('/')


def test_new_code_on_a_thread_of_ours_may_wait():
    """Greenlets that it starts there do not outlive it (LIMITS), and do no harm."""
    with running(FILES, ['serve.py']) as service:
        service.edit('app.py', ('go = threading.Event()', '''go = threading.Event()
done = []


def first():
    time.sleep(.01)
    done.append(1)


def more():
    while True:
        time.sleep(.01)


started = gevent.spawn(first)
gevent.spawn(more)
time.sleep(.05)'''), ("str(len(waiting))", "'%d %r' % ((gc.collect(), len(done))[1], started.dead)"),
                     ('import threading', 'import gc\nimport threading'))
        service.attach()
        for _ in range(3):
            same(service.get('/done'), '1 True')
