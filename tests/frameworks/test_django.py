# SPDX-License-Identifier: MIT
"""Django: views, a model with rows and caches in memory, a template filter, a signal, URLs."""
import django  # noqa: F401 whether it is there

from service import running, same

FILES = {
    'serve.py': '''
import os
os.environ['DJANGO_SETTINGS_MODULE'] = 'settings'
from wsgiref.simple_server import WSGIRequestHandler, make_server
from django.core.wsgi import get_wsgi_application
from django.core.management import call_command


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


application = get_wsgi_application()
call_command('migrate', run_syncdb=True, verbosity=0)
server = make_server('127.0.0.1', 0, application, handler_class=Quiet)
print('PORT %d' % server.server_port)
server.serve_forever()
''',
    'settings.py': '''
import os
SECRET_KEY = 'only a test'
DEBUG = False
ALLOWED_HOSTS = ['*']
ROOT_URLCONF = 'urls'
INSTALLED_APPS = ['shop']
MIDDLEWARE = ['shop.middleware.Stamp']
DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'rows.sqlite3'}}
DEFAULT_AUTO_FIELD = 'django.db.models.AutoField'
TEMPLATES = [{'BACKEND': 'django.template.backends.django.DjangoTemplates', 'APP_DIRS': True}]
''',
    'urls.py': '''
from django.urls import path
from shop import views

urlpatterns = [
    path('', views.index),
    path('list/', views.Listing.as_view()),
    path('order/<name>/', views.order),
    path('models/', views.models_known),
]
''',
    'shop/__init__.py': '',
    'shop/templates/page.html': '{% load shop_tags %}{{ order.describe|shout }} {% mark %}',
    'shop/templatetags/__init__.py': '',
    'shop/templatetags/shop_tags.py': '''
from django import template
register = template.Library()


@register.filter
def shout(text):
    return text + '!'


@register.simple_tag
def mark():
    return 'old tag'
''',
    'shop/apps.py': '''
from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = 'shop'

    def ready(self):
        from shop import signals
''',
    'shop/signals.py': '''
from django.db.models.signals import post_save
from django.dispatch import receiver
from shop.models import Order
seen = []


@receiver(post_save, sender=Order)
def saved(sender, instance, **named):
    seen.append('old %s' % instance.name)
''',
    'shop/models.py': '''
from django.db import models


class OrderManager(models.Manager):
    def large(self):
        return self.filter(count__gt=100)


class Order(models.Model):
    name = models.CharField(max_length=50)
    count = models.IntegerField(default=1)
    objects = OrderManager()

    class Meta:
        ordering = ['name']

    def describe(self):
        return 'old %s %d' % (self.name, self.count)


class Note(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name='notes')
    text = models.TextField()
''',
    'shop/middleware.py': '''
class Stamp:
    def __init__(self, get_response):
        self.get_response, self.count = get_response, 0

    def __call__(self, request):
        answer = self.get_response(request)
        self.count += 1
        answer['Stamp'] = self.stamp()
        return answer

    def stamp(self):
        return 'old %d' % self.count
''',
    'shop/views.py': '''
from django.apps import apps
from django.http import HttpResponse
from django.shortcuts import render
from django.views import View
from shop import signals
from shop.models import Order
recent = {}


def index(request):
    return HttpResponse('old %d %s' % (len(recent), signals.seen))


class Listing(View):
    def get(self, request):
        return HttpResponse(' '.join(x.describe() for x in Order.objects.all()))


def order(request, name):
    made = recent.get(name)
    if made is None:
        made = recent[name] = Order(name=name, count=150)
        made.save()
    return render(request, 'page.html', {'order': made})


def models_known(request):
    names = [x.__name__ for x in apps.get_models()]
    return HttpResponse('%s %d' % (names, len(Order._meta.get_fields())))
''',
}


def drive(service):
    same(service.get('/order/pear/'), 'old pear 150! old tag')
    same(service.get('/'), "old 1 ['old pear']")
    same(service.get('/list/'), 'old pear 150')


def test_changed_functions_of_a_running_site():
    with running(FILES, ['serve.py']) as service:
        drive(service)
        known = service.get('/models/')
        service.edit('shop/views.py', ("'old %d", "'new %d"),
                     ("' '.join(x.describe()", "', '.join(x.name + x.describe()"))
        service.edit('shop/models.py', ("'old %s", "'new %s"), ('count__gt=100', 'count__gt=1'))
        service.edit('shop/signals.py', ("'old %s", "'new %s"))
        service.edit('shop/middleware.py', ("'old %d", "'new %d"))
        service.edit('shop/templatetags/shop_tags.py', ("'!'", "'?'"), ("'old tag'", "'new tag'"))
        service.attach()
        same(service.get('/order/pear/'), 'new pear 150? new tag')
        same(service.get('/order/fig/'), 'new fig 150? new tag')
        same(service.get('/'), "new 2 ['old pear', 'new fig']")
        same(service.get('/list/'), 'fignew fig 150, pearnew pear 150')
        same(service.get('/models/'), known)
        same('already registered' in service.said(), False)


def test_model_with_added_method_and_property():
    """The class statement runs again; the model must not be registered again."""
    with running(FILES, ['serve.py']) as service:
        drive(service)
        known = service.get('/models/')
        service.edit('shop/models.py', ("        return 'old %s %d' % (self.name, self.count)", """
        return 'new ' + self.title + self.more()

    @property
    def title(self):
        return self.name.title()

    def more(self):
        return ' and %d notes' % self.notes.count()"""))
        service.attach()
        same(service.get('/order/pear/'), 'new Pear and 0 notes! old tag')
        same(service.get('/order/fig/'), 'new Fig and 0 notes! old tag')
        same(service.get('/list/'), 'new Fig and 0 notes new Pear and 0 notes')
        same(service.get('/models/'), known)
        same('already registered' in service.said(), False)


def test_model_with_other_meta():
    """Django takes Meta out of the class; who holds the model goes by the new one."""
    with running(FILES, ['serve.py']) as service:
        drive(service)
        known = service.get('/models/')
        same(service.get('/order/fig/'), 'old fig 150! old tag')
        same(service.get('/list/'), 'old fig 150 old pear 150')
        service.edit('shop/models.py', ("['name']", "['-name']"))
        service.attach()
        same(service.get('/list/'), 'old pear 150 old fig 150')
        same(service.get('/order/plum/'), 'old plum 150! old tag')
        same(service.get('/list/'), 'old plum 150 old pear 150 old fig 150')
        same(service.get('/models/'), known)


def test_added_url():
    """The resolver holds the list itself, so what is appended to it is met; a new list is not."""
    with running(FILES, ['serve.py']) as service:
        drive(service)
        service.edit('urls.py', ("views.models_known),\n]\n", """views.models_known),
]
urlpatterns += [path('new/', views.new)]
"""))
        service.edit('shop/views.py', ('class Listing', """def new(request):
    return HttpResponse('a new view of %d' % len(recent))


class Listing"""))
        service.attach()
        same(service.get('/new/'), 'a new view of 1')
        drive(service)
