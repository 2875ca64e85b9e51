# SPDX-License-Identifier: MIT
"""FastAPI served by uvicorn: path functions, dependencies, models, middleware, a route added."""
import fastapi  # noqa: F401 whether it is there
import uvicorn  # noqa: F401

from service import running, same

FILES = {
    'serve.py': '''
import socket
import uvicorn
from app import app

listening = socket.socket()
listening.bind(('127.0.0.1', 0))
listening.listen(20)


class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print('PORT %d' % listening.getsockname()[1])


Server(uvicorn.Config(app, log_level='warning')).run([listening])
''',
    'models.py': '''
from pydantic import BaseModel, validator


class Item(BaseModel):
    name: str
    count: int = 1

    @validator('name')
    def tidy(cls, value):
        return value.lower()

    def describe(self):
        return 'old %s %d' % (self.name, self.count)
''',
    'app.py': '''
import asyncio
from fastapi import Depends, FastAPI, Request
from models import Item

app = FastAPI()
items = {}
connections = set()


async def user(token: str = 'nobody'):
    return 'old ' + token


@app.middleware('http')
async def stamp(request: Request, call_next):
    answer = await call_next(request)
    answer.headers['stamp'] = 'old'
    app.state.count = getattr(app.state, 'count', 0) + 1
    return answer


@app.get('/')
async def index(who: str = Depends(user)):
    await asyncio.sleep(0)
    return 'old index for %s' % who


@app.post('/items')
async def add(item: Item):
    items[item.name] = item
    return item.describe()


@app.get('/items/{name}')
def show(name: str):
    return items[name].describe()


@app.get('/count')
async def count():
    return '%d %d' % (app.state.count, len([x for x in app.routes if x.path == '/count']))
''',
}


def drive(service):
    same(service.get('/?token=ann'), '"old index for old ann"')
    same(service.get('/items', '{"name": "PEAR"}'), '"old pear 1"')
    same(service.get('/items/pear'), '"old pear 1"')


def test_changed_functions_of_a_running_app():
    with running(FILES, ['serve.py']) as service:
        drive(service)
        service.edit('app.py', ("'old index", "'new index"), ("'old ' + token", "'new ' + token"))
        service.edit('models.py', ("'old %s", "'new %s"), ('value.lower()', 'value.upper()'))
        service.attach()
        same(service.get('/?token=ann'), '"new index for new ann"')
        same(service.get('/items/pear'), '"new pear 1"')
        same(service.get('/items', '{"name": "fig"}'), '"new FIG 1"')
        same(service.get('/count'), '"6 1"')


def test_added_route_and_method():
    with running(FILES, ['serve.py']) as service:
        drive(service)
        service.edit('app.py', ("@app.get('/count')", """@app.get('/names')
async def names():
    return [items[name].title() for name in sorted(items)]


@app.get('/count')"""))
        service.edit('models.py', ('    def describe', """    def title(self):
        return self.name.title()

    def describe"""))
        service.attach()
        same(service.get('/names'), '["Pear"]')
        same(service.get('/items/pear'), '"old pear 1"')
        same(service.get('/items', '{"name": "FIG"}'), '"old fig 1"')
        same(service.get('/names'), '["Fig","Pear"]')


def test_changed_parameters():
    """The route was analysed when it was registered: the decorator has to see the new function."""
    with running(FILES, ['serve.py']) as service:
        drive(service)
        service.edit('app.py', ("def show(name: str):\n    return items[name].describe()",
                                "def show(name: str, loud: bool = False):\n"
                                "    text = items[name].describe()\n"
                                "    return text.upper() if loud else text"))
        service.attach()
        same(service.get('/items/pear'), '"old pear 1"')
