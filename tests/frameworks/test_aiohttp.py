# SPDX-License-Identifier: MIT
"""aiohttp: handlers, a class-based view, middleware, a background task."""
import aiohttp  # noqa: F401 whether it is there

from service import running, same

FILES = {
    'serve.py': '''
import asyncio
from aiohttp import web
from app import make_app


async def main():
    runner = web.AppRunner(make_app())
    await runner.setup()
    site = web.TCPSite(runner, '127.0.0.1', 0)
    await site.start()
    print('PORT %d' % runner.addresses[0][1])
    await asyncio.Event().wait()


asyncio.run(main())
''',
    'app.py': '''
import asyncio
from aiohttp import web

routes = web.RouteTableDef()


def step(state):
    state['ticks'].append('old')


async def tick(app):
    while True:
        step(app['state'])
        await asyncio.sleep(.01)


@web.middleware
async def stamp(request, handler):
    answer = await handler(request)
    return web.Response(text=answer.text + ' old stamp')


@routes.get('/')
async def index(request):
    request.app['state']['visits'] += 1
    return web.Response(text='old index %d' % request.app['state']['visits'])


@routes.view('/thing/{name}')
class Thing(web.View):
    async def get(self):
        return web.Response(text=self.describe())

    def describe(self):
        return 'old ' + self.request.match_info['name']


@routes.get('/ticks')
async def ticks(request):
    await asyncio.sleep(.1)  # some more of them
    return web.Response(text=' '.join(sorted(set(request.app['state']['ticks']))))


async def started(app):
    app['task'] = asyncio.ensure_future(tick(app))


def make_app():
    app = web.Application(middlewares=[stamp])
    app['state'] = {'visits': 0, 'ticks': []}
    app.on_startup.append(started)
    app.add_routes(routes)
    return app
''',
}


def test_changed_functions_of_a_running_app():
    with running(FILES, ['serve.py']) as service:
        same(service.get('/'), 'old index 1 old stamp')
        same(service.get('/thing/pear'), 'old pear old stamp')
        service.edit('app.py', ("'old index", "'new index"), ("' old stamp'", "' new stamp'"),
                     ("append('old')", "append('new')"),
                     ("return 'old ' + self.request.match_info['name']", """return self.more()

    def more(self):
        return 'new ' + self.request.match_info['name']"""))
        service.attach()
        same(service.get('/'), 'new index 2 new stamp')
        same(service.get('/thing/pear'), 'new pear new stamp')
        same(service.get('/ticks'), 'new old new stamp')
