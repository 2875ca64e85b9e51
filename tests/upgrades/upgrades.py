# SPDX-License-Identifier: MIT
"""Upgrades real libraries in a running process: see scripts/upgrades."""
import argparse
import concurrent.futures
import json
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, 'program.py')
CACHE = os.path.expanduser('~/.cache/pyhotpatch-upgrades')
MIRROR = 'http://deb.debian.org/debian/'
SITE = 'usr/lib/python3/dist-packages'
PACKAGES = '''aiosmtpd alembic amqp aniso8601 anyio apscheduler arrow asgiref astroid attr automat babel beaker billiard
    blinker bottle bs4 cachetools chardet cheroot cherrypy3 click cloudpickle colorama cssselect dateutil decorator
    distlib dns docutils executing feedparser filelock flake8 flask flask-login geopy gunicorn h11 h2 html5lib httpcore
    httpx humanize hyperlink idna importlib-metadata incremental iniconfig isort itemadapter itsdangerous jaraco.functools
    jedi jinja2 jmespath joblib jwt loguru mako markdown marshmallow mistune more-itertools mpmath networkx nose2 oauthlib
    outcome packaging parso paste pexpect platformdirs pluggy ply prometheus-client prompt-toolkit ptyprocess pycodestyle
    pycparser pyflakes pygments pypdf redis rich rq semver sniffio sortedcontainers soupsieve sqlparse starlette
    structlog tabulate termcolor tomlkit tornado tqdm traitlets twisted urllib3 uvicorn waitress webob websockets werkzeug
    wtforms'''.split()
# What those import; of the old suite, in both processes.
NEEDED = 'certifi exceptiongroup roman typing-extensions wcwidth zipp'.split()
ATTACH_S = 60
START_S = 100


# --- packages of two suites, each in a folder of its own --------------------------------------


def index(suite):
    """Package name -> path in the archive, of what depends on no machine."""
    path = os.path.join(CACHE, suite + '.xz')
    if not os.path.exists(path):
        os.makedirs(CACHE, exist_ok=True)
        urllib.request.urlretrieve('%sdists/%s/main/binary-all/Packages.xz' % (MIRROR, suite), path + '.new')
        os.rename(path + '.new', path)
    found = {}
    with lzma.open(path, 'rt', encoding='utf-8') as file:
        for paragraph in file.read().split('\n\n'):
            fields = dict(line.split(': ', 1) for line in paragraph.splitlines() if ': ' in line[1:])
            if 'Filename' in fields:
                found[fields['Package']] = fields['Filename']
    return found


def fetch(suite, name, paths):
    """The folder with the package's modules, or None when the suite has it not."""
    folder = os.path.join(CACHE, suite, name)
    if 'python3-' + name not in paths:
        return None
    if not os.path.isdir(folder):
        with tempfile.TemporaryDirectory(dir=CACHE) as work:
            package, tree = os.path.join(work, 'package.deb'), os.path.join(work, 'tree')
            urllib.request.urlretrieve(MIRROR + paths['python3-' + name], package)
            subprocess.check_call(['dpkg-deb', '-x', package, tree])
            if not os.path.isdir(os.path.join(tree, SITE)):
                return None
            os.makedirs(os.path.dirname(folder), exist_ok=True)
            os.rename(os.path.join(tree, SITE), folder)
    return folder


def fetch_all(suite, names):
    paths = index(suite)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return dict(zip(names, pool.map(lambda name: fetch(suite, name, paths), names)))


# --- one upgrade ------------------------------------------------------------------------------


class Upgrade:
    def __init__(self, options, old, new, others):
        self.options, self.old, self.new = options, old, new
        self.work = tempfile.mkdtemp(prefix='upgrade-')
        self.live = os.path.join(self.work, 'live')
        self.environment = dict(os.environ, PYTHONPATH=os.pathsep.join(others), PYTHONHASHSEED='0')
        self.environment.pop('PYTHONDONTWRITEBYTECODE', None)
        if options.no_pyc:
            self.environment['PYTHONDONTWRITEBYTECODE'] = '1'

    def start(self, names, out):
        os.mkdir(os.path.join(self.work, out))
        return subprocess.Popen([self.options.python, PROGRAM, self.live, names, os.path.join(self.work, out)],
                                env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def wait_for(self, process, path):
        """What the program writes; None when it ended without."""
        end = time.monotonic() + START_S
        path = os.path.join(self.work, path)
        while not os.path.exists(path):
            if process.poll() is not None and not os.path.exists(path) or time.monotonic() > end:
                return None
            time.sleep(0.02)
        with open(path) as file:
            return json.load(file)

    def replace(self):
        for folder, folders, files in os.walk(self.live):
            for file in files:
                if file.endswith('.py'):
                    os.unlink(os.path.join(folder, file))
        shutil.copytree(self.new, self.live, dirs_exist_ok=True, ignore_dangling_symlinks=True,
                        copy_function=shutil.copy)

    def attach(self, pid):
        done = subprocess.run([self.options.program, 'attach', '--json', '--timeout=%d' % ATTACH_S, str(pid)],
                              stdout=subprocess.PIPE, universal_newlines=True)
        report = json.loads(done.stdout)
        return done.returncode, report['error'] and report['error']['message'].splitlines()[0]

    def describe(self, process, out):
        with open(os.path.join(self.work, out, 'describe'), 'w'):
            return self.wait_for(process, out + '/description')

    def patched(self):
        """(what was imported, how the attach ended, the description)"""
        shutil.copytree(self.old, self.live, ignore_dangling_symlinks=True)
        process = self.start('-', 'patched')
        try:
            imported = self.wait_for(process, 'patched/imported')
            if not imported:
                return imported, 'nothing of it can be imported', None
            self.replace()
            status, message = self.attach(process.pid)
            if process.poll() is not None:
                return imported, 'THE PROCESS DIED, %d' % process.returncode, None
            return imported, status and 'exit status %d: %s' % (status, message), self.describe(process, 'patched')
        finally:
            process.kill()
            process.wait()

    def fresh(self, imported):
        names = os.path.join(self.work, 'names')
        with open(names, 'w') as file:
            json.dump(imported, file)
        process = self.start(names, 'fresh')
        try:
            return self.describe(process, 'fresh')
        finally:
            process.kill()
            process.wait()

    def run(self):
        """(text, list of differences)"""
        try:
            imported, problem, patched = self.patched()
            if problem:
                return problem, []
            fresh = self.fresh(imported)
        finally:
            shutil.rmtree(self.work)
        if not patched or not fresh:
            return 'it ended without a description', []
        # A module or class that only one of them has is a matter of what was imported.
        found = [each for kind in patched for name in patched[kind] if name in fresh[kind]
                 for each in differences(name, patched[kind][name], fresh[kind][name])]
        return '%d modules, %d differences' % (len(patched['modules']), len(found)), found


def differences(path, patched, fresh):
    if patched == fresh:
        return
    if not isinstance(patched, dict) or not isinstance(fresh, dict):
        yield path, patched, fresh
        return
    for key in list(patched) + [key for key in fresh if key not in patched]:
        if key in patched and key in fresh:
            yield from differences('%s %s' % (path, key), patched[key], fresh[key])
        else:
            yield '%s %s' % (path, key), patched.get(key, 'nothing'), fresh.get(key, 'nothing')


# ------------------------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('build')
    parser.add_argument('packages', nargs='*', default=PACKAGES)
    parser.add_argument('--python', default=sys.executable)
    parser.add_argument('--old', default='bookworm', help='the suite of the old versions')
    parser.add_argument('--new', default='trixie')
    parser.add_argument('--no-pyc', action='store_true')
    parser.add_argument('--verbose', action='store_true', help='print each difference')
    options = parser.parse_intermixed_args()
    options.program = os.path.join(os.path.abspath(options.build), 'src', 'pyhotpatch')

    olds = fetch_all(options.old, sorted(set(options.packages + PACKAGES + NEEDED)))
    news = fetch_all(options.new, options.packages)
    others = [folder for folder in olds.values() if folder]
    for name in options.packages:
        if not olds[name] or not news[name]:
            print('%s: not in both suites' % name)
            continue
        text, found = Upgrade(options, olds[name], news[name], others).run()
        print('%s: %s' % (name, text), flush=True)
        for path, patched, fresh in found if options.verbose else ():
            print('    %s | %.100s | %.100s' % (path, json.dumps(patched), json.dumps(fresh)))


main()
