# SPDX-License-Identifier: MIT
"""Celery: tasks of a running worker, which is fed over its own in-memory broker."""
import celery  # noqa: F401 whether it is there

from service import running, same

FILES = {
    'serve.py': '''
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from tasks import app
import tasks


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        words = self.path.strip('/').split('/')
        if words[0] == 'names':
            text = ' '.join(sorted(x for x in app.tasks if not x.startswith('celery.')))
        elif words[0] == 'here':
            text = str(app.tasks['tasks.' + words[1]].apply().get(disable_sync_subtasks=False))
        else:
            task = app.tasks['tasks.' + words[0]]
            text = str(task.delay(*words[1:]).get(timeout=20, disable_sync_subtasks=False))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments):
        pass


def work():
    worker = app.Worker(pool='solo', concurrency=1, loglevel='WARNING', quiet=True,
                        without_gossip=True, without_mingle=True, without_heartbeat=True)
    worker.start()


server = HTTPServer(('127.0.0.1', 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print('PORT %d' % server.server_port)
work()
''',
    'tasks.py': '''
from celery import Celery, shared_task, signals
import helpers

app = Celery('tasks', broker='memory://', backend='cache+memory://')
runs = []


@app.task
def greet(name):
    runs.append(name)
    return 'old %s %d %s' % (helpers.polite(name), len(runs), before)


@app.task(bind=True, max_retries=3)
def stubborn(self, text):
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return 'old %s after %d' % (text, self.request.retries)


@shared_task
def shared(number):
    return int(number) + 1


before = 'nothing'


@signals.task_prerun.connect
def about_to_run(task_id, task, **named):
    global before
    before = 'old signal'
''',
    'helpers.py': '''
def polite(name):
    return 'Mr ' + name
''',
}


def drive(service):
    same(service.get('/greet/pear'), 'old Mr pear 1 old signal')
    same(service.get('/stubborn/x'), 'old x after 2')
    same(service.get('/shared/1'), '2')


def test_changed_tasks_of_a_running_worker():
    with running(FILES, ['serve.py']) as service:
        drive(service)
        names = service.get('/names')
        service.edit('tasks.py', ("'old %s %d %s'", "'new %s %d %s'"), ("'old signal'", "'new signal'"),
                     ("'old %s after", "'new %s after"), ('int(number) + 1', 'int(number) + 10'))
        service.edit('helpers.py', ("'Mr '", "'Ms '"))
        service.attach()
        same(service.get('/greet/fig'), 'new Ms fig 2 new signal')
        same(service.get('/stubborn/x'), 'new x after 2')
        same(service.get('/shared/1'), '11')
        same(service.get('/names'), names)


def test_added_task():
    """It is registered once. A worker that runs already takes no new names from the queue
    (celery 5.2, worker/consumer/consumer.py: update_strategies at its start), whoever adds them."""
    with running(FILES, ['serve.py']) as service:
        drive(service)
        service.edit('tasks.py', ('@shared_task', """@app.task
def count():
    return len(runs)


@shared_task"""))
        service.attach()
        same(service.get('/here/count'), '1')
        same(service.get('/names').count('tasks.count'), 1)
        same(service.get('/greet/fig'), 'old Mr fig 2 old signal')
