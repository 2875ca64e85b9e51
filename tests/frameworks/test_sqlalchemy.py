# SPDX-License-Identifier: MIT
"""SQLAlchemy's declarative classes: methods, hybrid properties, events; rows and sessions stay."""
import sqlalchemy  # noqa: F401 whether it is there

from service import running, same

FILES = {
    'serve.py': '''
from http.server import BaseHTTPRequestHandler, HTTPServer
import views


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        text = views.answer(self.path.strip('/'))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments):
        pass


server = HTTPServer(('127.0.0.1', 0), Handler)
print('PORT %d' % server.server_port)
server.serve_forever()
''',
    'models.py': '''
from sqlalchemy import Column, ForeignKey, Integer, String, create_engine, event
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Session, declarative_base, relationship

Base = declarative_base()
saved = []


class User(Base):
    __tablename__ = 'users'
    id = Column(Integer, primary_key=True)
    name = Column(String)
    age = Column(Integer, default=30)
    notes = relationship('Note', back_populates='user')

    def greet(self):
        return 'old %s %d' % (self.name, len(self.notes))

    @hybrid_property
    def is_old(self):
        return self.age > 60


class Note(Base):
    __tablename__ = 'notes'
    id = Column(Integer, primary_key=True)
    user_id = Column(Integer, ForeignKey('users.id'))
    user = relationship(User, back_populates='notes')


@event.listens_for(User, 'before_insert')
def inserting(mapper, connection, user):
    saved.append('old ' + user.name)


engine = create_engine('sqlite://')
Base.metadata.create_all(engine)
session = Session(engine)
''',
    'views.py': '''
import models
from models import User
seen = {}


def answer(path):
    if path.startswith('add/'):
        user = seen[path[4:]] = User(name=path[4:], notes=[models.Note()])
        models.session.add(user)
        models.session.commit()
        return user.greet()
    if path == 'all':
        return ', '.join(x.greet() for x in models.session.query(User).order_by(User.id))
    if path == 'tables':
        return ' '.join(sorted(models.Base.metadata.tables)) + ' %d' % len(
            list(models.Base.registry.mappers))
    if path == 'old':
        return str(models.session.query(User).filter(User.is_old).count())
    if path == 'saved':
        return str(models.saved)
    return seen[path].greet()
''',
}


def drive(service):
    same(service.get('/add/ann'), 'old ann 1')
    same(service.get('/all'), 'old ann 1')
    same(service.get('/old'), '0')
    same(service.get('/tables'), 'notes users 2')


def test_changed_methods_of_mapped_classes():
    with running(FILES, ['serve.py']) as service:
        drive(service)
        service.edit('models.py', ("'old %s %d'", "'new %s %d'"), ('self.age > 60', 'self.age > 20'),
                     ("append('old '", "append('new '"))
        service.attach()
        same(service.get('/ann'), 'new ann 1')
        same(service.get('/add/bob'), 'new bob 1')
        same(service.get('/all'), 'new ann 1, new bob 1')
        same(service.get('/old'), '2')
        same(service.get('/saved'), "['old ann', 'new bob']")
        same(service.get('/tables'), 'notes users 2')


def test_added_method_and_property():
    """The declarative base would say that the table is defined already."""
    with running(FILES, ['serve.py']) as service:
        drive(service)
        service.edit('models.py', ("        return 'old %s %d' % (self.name, len(self.notes))",
                                   """        return 'new %s' % self.title

    @property
    def title(self):
        return self.name.title() + self.mark()

    def mark(self):
        return '!'"""))
        service.attach()
        same(service.get('/ann'), 'new Ann!')
        same(service.get('/add/bob'), 'new Bob!')
        same(service.get('/all'), 'new Ann!, new Bob!')
        same(service.get('/tables'), 'notes users 2')
