# SPDX-License-Identifier: MIT
"""Starlette served by uvicorn: endpoints, a websocket that stays open, a mounted application."""
import starlette  # noqa: F401 whether it is there
import uvicorn  # noqa: F401

from service import running, same
from test_fastapi import FILES as FASTAPI_FILES

FILES = {
    'serve.py': FASTAPI_FILES['serve.py'],
    'app.py': '''
import asyncio
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

opened = asyncio.Event()
visits = {'index': 0}


async def index(request):
    visits['index'] += 1
    return PlainTextResponse('old index %d' % visits['index'])


class Thing(HTTPEndpoint):
    async def get(self, request):
        return PlainTextResponse(self.describe(request.path_params['name']))

    def describe(self, name):
        return 'old ' + name


def word():
    return 'old word'


async def parts():
    yield 'begun in old code, '
    await opened.wait()
    yield word()


async def stream(request):
    return StreamingResponse(parts(), media_type='text/plain')


async def go_on(request):
    opened.set()
    return PlainTextResponse('')


async def mounted(request):
    return PlainTextResponse('old mounted')


async def failed(request, error):
    return PlainTextResponse('old: ' + type(error).__name__, status_code=500)


app = Starlette(routes=[
    Route('/', index), Route('/thing/{name}', Thing), Route('/stream', stream),
    Route('/go', go_on), Route('/fail', lambda request: 1 / 0),
    Mount('/sub', routes=[Route('/', mounted)]),
], exception_handlers={ZeroDivisionError: failed})
''',
}


def test_changed_functions_of_a_running_app():
    with running(FILES, ['serve.py']) as service:
        same(service.get('/'), 'old index 1')
        same(service.get('/thing/pear'), 'old pear')
        same(service.get('/sub/'), 'old mounted')
        same(service.get('/fail'), '500 old: ZeroDivisionError')
        service.edit('app.py', ("'old index", "'new index"), ("return 'old ' + name", "return 'new ' + name"),
                     ("'old mounted'", "'new mounted'"), ("'old: '", "'new: '"))
        service.attach()
        same(service.get('/'), 'new index 2')
        same(service.get('/thing/pear'), 'new pear')
        same(service.get('/sub/'), 'new mounted')
        same(service.get('/fail'), '500 new: ZeroDivisionError')


def test_answer_in_flight_goes_on():
    """It began in old code, and calls new helpers."""
    with running(FILES, ['serve.py']) as service:
        reading = service.open('/stream')
        first = reading.read(19).decode()
        same(first, 'begun in old code, ')
        service.edit('app.py', ("'old word'", "'new word'"), ("'begun in old", "'begun in new"))
        service.attach()
        same(service.get('/go'), '')
        same(reading.read().decode(), 'new word')
        same(service.get('/stream'), 'begun in new code, new word')


def test_added_route():
    with running(FILES, ['serve.py']) as service:
        same(service.get('/'), 'old index 1')
        with open(service.folder + '/app.py', 'a') as f:
            f.write("""

async def total(request):
    return PlainTextResponse(str(sum(visits.values())))


app.add_route('/total', total)
""")
        service.attach()
        same(service.get('/total'), '1')
        same(service.get('/'), 'old index 2')
