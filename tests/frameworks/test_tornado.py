# SPDX-License-Identifier: MIT
"""Tornado: request handlers, a periodic callback, a handler added to the running application."""
import tornado  # noqa: F401 whether it is there

import time

from service import running, same

FILES = {
    'serve.py': '''
import asyncio
import tornado.httpserver
import tornado.netutil
from app import application, start


async def main():
    sockets = tornado.netutil.bind_sockets(0, '127.0.0.1')
    server = tornado.httpserver.HTTPServer(application)
    server.add_sockets(sockets)
    start()
    print('PORT %d' % sockets[0].getsockname()[1])
    await asyncio.Event().wait()


asyncio.run(main())
''',
    'app.py': '''
import tornado.ioloop
import tornado.web

visits = {}
beats = []


class Base(tornado.web.RequestHandler):
    def prepare(self):
        visits[self.request.path] = visits.get(self.request.path, 0) + 1


class Index(Base):
    def initialize(self, word):
        self.word = word

    async def get(self):
        self.write('old %s %d' % (self.word, visits[self.request.path]))


class Beats(Base):
    def get(self):
        self.write(' '.join(sorted(set(beats))))


def beat():
    beats.append('old')


def start():
    tornado.ioloop.PeriodicCallback(beat, 10).start()


application = tornado.web.Application([
    (r'/', Index, {'word': 'index'}),
    (r'/beats', Beats),
])
''',
}


def test_changed_handlers_of_a_running_app():
    with running(FILES, ['serve.py']) as service:
        same(service.get('/'), 'old index 1')
        same(service.get('/'), 'old index 2')
        while service.get('/beats') != 'old':
            time.sleep(.01)
        service.edit('app.py', ("'old %s", "'new %s"), ("append('old')", "append('new')"),
                     ("        visits[", "        self.set_header('Stamp', 'new')\n        visits["))
        service.attach()
        same(service.get('/'), 'new index 3')
        time.sleep(.1)
        same(service.get('/beats'), 'new old')


def test_added_handler():
    with running(FILES, ['serve.py']) as service:
        same(service.get('/'), 'old index 1')
        service.edit('app.py', ("def beat():", """class Total(Base):
    def get(self):
        self.write(str(sum(visits.values())))


def beat():"""))
        with open(service.folder + '/app.py', 'a') as f:
            f.write("application.add_handlers('.*', [(r'/total', Total)])\n")
        service.attach()
        same(service.get('/total'), '2')
        same(service.get('/'), 'old index 2')
