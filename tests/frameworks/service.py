# SPDX-License-Identifier: MIT
"""A web service or worker started for one test, edited on disk and patched while it runs."""
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PYHOTPATCH = os.environ.get('PYHOTPATCH', 'pyhotpatch')
SECONDS = 30


class Service:
    """`files` are name -> source, `command` the arguments of this interpreter. It is ready once it
    has written "PORT n" (or "READY") as a line of its own."""

    def __init__(self, files, command, pids=None):
        self.folder, self.pids = tempfile.mkdtemp(), pids
        for name, text in files.items():
            path = os.path.join(self.folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self.write(path, text.lstrip('\n'))
        self.log = open(os.path.join(self.folder, 'log'), 'w+')
        environment = dict(os.environ, PYTHONPATH=self.folder)
        environment.pop('PYTHONDONTWRITEBYTECODE', None)    # the old .pyc files are to be found
        self.process = subprocess.Popen(
            [sys.executable, '-u'] + command, cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True,
            env=environment)
        self.port = int(self.wait_for(r'^(?:PORT (\d+)|READY)$').group(1) or 0)

    @staticmethod
    def write(path, text):
        with open(path, 'w') as f:
            f.write(text)

    def said(self):
        with open(self.log.name) as f:
            return f.read()

    def wait_for(self, pattern):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            found = re.search(pattern, self.said(), re.M)
            if found:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(.02)
        raise AssertionError('the service never said %s:\n%s' % (pattern, self.said()))

    def get(self, path, body=None):
        """The text of an answer; an error status is put before it."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=SECONDS)
        with contextlib.closing(connection):
            connection.request('POST' if body is not None else 'GET', path, body)
            answer = connection.getresponse()
            text = answer.read().decode()
        return text if answer.status == 200 else '%d %s' % (answer.status, text)

    def open(self, path):
        """An answer that is still to be read."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=SECONDS)
        connection.request('GET', path)
        return connection.getresponse()

    def edit(self, name, *changes):
        """Each change: old text, which must be there once, and new text."""
        path = os.path.join(self.folder, name)
        with open(path) as f:
            text = f.read()
        for old, new in changes:
            assert text.count(old) == 1, (old, text.count(old))
            text = text.replace(old, new)
        self.write(path, text)

    def attach(self, *options, expected='applied'):
        """The answers of `pyhotpatch attach --json`, one for each process."""
        pids = self.pids(self) if self.pids else [self.process.pid]
        done = subprocess.run(
            [PYHOTPATCH, 'attach', '--json', *options] + [str(pid) for pid in pids],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=60)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == len(pids), (done.stdout, done.stderr)
        for answer in answers:
            assert answer['status'] == expected, (answers, self.said())
        return answers

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder)


@contextlib.contextmanager
def running(files, command, pids=None):
    service = Service(files, command, pids)
    try:
        yield service
    except Exception:
        print('the service said:\n' + service.said())
        raise
    finally:
        service.stop()


def same(seen, expected):
    assert seen == expected, '%r instead of %r' % (seen, expected)
