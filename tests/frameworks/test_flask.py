# SPDX-License-Identifier: MIT
"""Flask: views, a blueprint, filters, hooks, signals and error handlers."""
import flask  # noqa: F401 whether it is there

from service import running, same

APP = '''
import threading
import flask
import models
from views import shop

app = flask.Flask(__name__)
app.register_blueprint(shop, url_prefix='/shop')
visits = []
carts = {}
lock = threading.Lock()


@app.template_filter('price')
def price(cents):
    return '%d cents' % cents


@app.before_request
def count():
    visits.append('old')


def started(sender, **named):
    flask.g.note = 'old signal'


flask.request_started.connect(started, app)


@app.errorhandler(KeyError)
def missing(error):
    return 'old: no such thing', 404


@app.route('/')
def index():
    return flask.render_template_string('old {{ 1999|price }} {{ g.note }}')


@app.route('/add/<user>/<thing>')
def add(user, thing):
    with lock:
        cart = carts.setdefault(user, models.Cart(user))
    cart.add(thing)
    return cart.describe()


@app.route('/cart/<user>')
def show(user):
    return carts[user].describe()


@app.route('/visits')
def how_many():
    return '%d %s' % (len(visits), sorted(set(visits)))


@app.route('/rules')
def rules():
    return ' '.join(sorted(rule.endpoint for rule in app.url_map.iter_rules()))
'''

SERVE = '''
from wsgiref.simple_server import WSGIRequestHandler, make_server
from app import app


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


server = make_server('127.0.0.1', 0, app, handler_class=Quiet)
print('PORT %d' % server.server_port)
server.serve_forever()
'''

MODELS = '''
class Cart:
    def __init__(self, user):
        self.user = user
        self.things = []

    def add(self, thing):
        self.things.append(thing)

    def describe(self):
        return 'old %s: %s' % (self.user, ' '.join(self.things))
'''

VIEWS = '''
import functools
import flask

shop = flask.Blueprint('shop', __name__)


def signed(view):
    @functools.wraps(view)
    def wrapper(*arguments, **named):
        return view(*arguments, **named) + ' signed'
    return wrapper


@shop.route('/')
@signed
def front():
    return 'old front'
'''
FILES = {'serve.py': SERVE, 'app.py': APP, 'models.py': MODELS, 'views.py': VIEWS}


def drive(service):
    same(service.get('/'), 'old 1999 cents old signal')
    same(service.get('/add/ann/pear'), 'old ann: pear')
    same(service.get('/cart/bob'), '404 old: no such thing')
    same(service.get('/shop/'), 'old front signed')


def test_changed_functions_of_a_running_app():
    with running(FILES, ['serve.py']) as service:
        drive(service)
        rules = service.get('/rules')
        service.edit('app.py', ("'%d cents' % cents", "'%.2f' % (cents / 100)"),
                     ("'old signal'", "'new signal'"), ("'old: no", "'new: no"),
                     ("string('old", "string('new"), ("append('old')", "append('new')"))
        service.edit('models.py', ("'old %s", "'new %s"))
        service.edit('views.py', ("'old front'", "'new front'"))
        answer, = service.attach()
        same(sorted(module['name'] for module in answer['modules']),
             ['app', 'models', 'views'])
        same(service.get('/'), 'new 19.99 new signal')
        same(service.get('/cart/ann'), 'new ann: pear')
        same(service.get('/cart/bob'), '404 new: no such thing')
        same(service.get('/shop/'), 'new front signed')
        same(service.get('/visits'), "10 ['new', 'old']")
        same(service.get('/rules'), rules)


def test_added_method_and_changed_decorator():
    with running(FILES, ['serve.py']) as service:
        drive(service)
        service.edit('models.py', ('    def describe', '''    def total(self):
        return len(self.things)

    def describe'''))
        service.edit('app.py', ("return carts[user].describe()", "return str(carts[user].total())"))
        service.edit('views.py', ("' signed'", "' signed again'"))
        service.attach()
        same(service.get('/cart/ann'), '1')
        same(service.get('/shop/'), 'old front signed again')


NEW_VIEW = '''
def total(user):
    return str(len(carts[user].things))


'''


def test_added_route():
    """Flask itself takes no @app.route once it has answered a request; the map of URLs does."""
    with running(FILES, ['serve.py']) as service:
        drive(service)
        rules = service.get('/rules')
        service.edit('models.py', ("'old %s", "'new %s"))
        service.edit('app.py', ("@app.route('/rules')", "@app.route('/total/<user>')" +
                                NEW_VIEW + "@app.route('/rules')"))
        answer, = service.attach(expected='error')
        assert 'can no longer be called' in answer['error']['message'], answer
        same(service.get('/rules'), rules)
        same(service.get('/cart/ann'), 'old ann: pear')
        service.edit('app.py', ("@app.route('/total/<user>')", ''),
                     ("@app.route('/rules')", '''app.view_functions['total'] = total
app.url_map.add(app.url_rule_class('/total/<user>', endpoint='total'))


@app.route('/rules')'''))
        service.attach()
        same(service.get('/total/ann'), '1')
        same(service.get('/rules').split().count('total'), 1)
        same(service.get('/cart/ann'), 'new ann: pear')


def test_ten_edits_in_a_row():
    with running(FILES, ['serve.py']) as service:
        drive(service)
        for number in range(10):
            service.edit('app.py', ("string('old" if number == 0 else "string('v%d" % (number - 1),
                                    "string('v%d" % number))
            service.attach()
            same(service.get('/'), 'v%d 1999 cents old signal' % number)
        same(service.get('/cart/ann'), 'old ann: pear')
