# SPDX-License-Identifier: MIT
"""A loaded service: what an attach and a graceful restart cost its clients.

gunicorn with sync workers (Flask) and with asyncio workers (aiohttp), asked at a steady rate. A
latency counts from the instant that the request was due, so that a stall is seen by all requests
that it delays.
"""
import http.client
import json
import os
import queue
import signal
import socket
import subprocess
import threading
import time

from measure import Row
from target import write

WORKERS, CLIENTS = 2, 8
FLASK = '''import os, time
from flask import Flask, jsonify
app = Flask(__name__)
served = []


@app.route("/")
def index():
    served.append(1)
    time.sleep(0.002)
    return jsonify(version=version(), worker=os.getpid(), served=len(served))


def version():
    return %r
'''
AIOHTTP = '''import asyncio, os
from aiohttp import web
served = []


async def index(request):
    served.append(1)
    await asyncio.sleep(0.002)
    return web.json_response({"version": version(), "worker": os.getpid(), "served": len(served)})


def version():
    return %r


app = web.Application()
app.add_routes([web.get("/", index)])
'''


class Load:
    """Requests at a steady rate by a few clients."""

    def __init__(self, port, rate, seconds):
        self.port, self.latencies, self.failed, self.answers = port, [], 0, []
        self.due = queue.Queue()
        begin = time.monotonic() + 0.05
        for number in range(int(rate * seconds)):
            self.due.put(begin + number / rate)
        self.threads = [threading.Thread(target=self.work) for _ in range(CLIENTS)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def finish(self):
        for thread in self.threads:
            thread.join()
        return self

    def work(self):
        while True:
            try:
                due = self.due.get_nowait()
            except queue.Empty:
                return
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                answer = ask(self.port)
            except (OSError, ValueError, http.client.HTTPException):
                self.failed += 1
                continue
            ended = time.monotonic()
            self.latencies.append((ended - due) * 1e3)
            self.answers.append((ended, answer))

    def switched_to(self, version):
        """From when on there were answers of this version and of no other."""
        old = [at for at, answer in self.answers if answer["version"] != version]
        new = [at for at, answer in self.answers if answer["version"] == version]
        return max(old[-1:] + new[:1])


def ask(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise ValueError("status %d" % response.status)
    return json.loads(body)


class Service:
    def __init__(self, folder, source, worker_class):
        self.path, self.source = os.path.join(folder, "app.py"), source
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.write("v0")
        self.log = open(os.path.join(folder, "log"), "w")
        self.master = subprocess.Popen(
            ["/usr/bin/python3", "-m", "gunicorn", "--workers", str(WORKERS), "-k", worker_class,
             "--bind", "127.0.0.1:%d" % self.port, "--worker-tmp-dir", folder, "app:app"],
            cwd=folder, stdout=self.log, stderr=self.log)
        self.wait_until_served()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.master.terminate()
        self.master.wait(timeout=60)
        self.log.close()

    def wait_until_served(self):
        for _ in range(200):
            try:
                return ask(self.port)
            except (OSError, ValueError, http.client.HTTPException):
                if self.master.poll() is not None:
                    break
                time.sleep(0.1)
        raise RuntimeError("the service did not start; see %s" % self.log.name)

    def write(self, version):
        write(self.path, self.source % version)

    def workers(self):
        with open("/proc/%d/task/%d/children" % (self.master.pid, self.master.pid)) as f:
            return f.read().split()


def workers_of(answers):
    """What a worker keeps in memory is there as long as the worker."""
    return {answer["worker"] for _, answer in answers}


def measure(service, rate, seconds, version, act):
    """One run under load; `act` is done in its middle, once the source is `version`."""
    load = Load(service.port, rate, seconds).start()
    time.sleep(seconds / 2)
    service.write(version)
    began = time.monotonic()
    if act:
        act()
    load.finish()
    load.answers.sort(key=lambda answer: answer[0])
    return {"largest": max(load.latencies), "failed": load.failed,
            "until_new": (load.switched_to(version) - began) * 1e3 if act else None,
            "kept": workers_of(load.answers[-20:]) <= workers_of(load.answers[:100])}


def versions():
    number = 0
    while True:
        number += 1
        yield "v%d" % number


def compare(bench, source, worker_class, name):
    rate, seconds = 150, 2 if bench.is_quick else 4
    results = {"quiet": [], "attach": [], "start": [], "restart": []}
    new = versions()
    with bench.folder() as folder, Service(folder, source, worker_class) as service:
        def attach():
            subprocess.run([bench.tools.program, "attach", "-q"] + service.workers(), check=True)

        def start():
            subprocess.run(["/usr/bin/python3", "-c", "pass"], check=True)

        def restart():
            service.master.send_signal(signal.SIGHUP)

        for _ in range(3 if bench.is_quick else 5):
            for kind, act in (("quiet", None), ("attach", attach), ("start", start),
                              ("restart", restart)):
                results[kind].append(measure(service, rate, seconds, next(new), act))
            time.sleep(1)
    return results


def rows_of(name, results):
    def all_of(kind, key):
        return [result[key] for result in results[kind]]

    kept = sum(all_of("attach", "kept"))
    lost = len(results["restart"]) - sum(all_of("restart", "kept"))
    failed = sum(all_of("attach", "failed"))
    note = "failed requests: %d by attach, %d by restart; state kept in %d of %d attaches, lost in " \
           "%d of %d restarts" % (failed, sum(all_of("restart", "failed")), kept,
                                  len(results["attach"]), lost, len(results["restart"]))
    yield Row("service", "%s: largest latency with an attach" % name, "ms",
              all_of("attach", "largest"), all_of("quiet", "largest"), "undisturbed", ("<=", 2), note)
    yield Row("service", "%s: largest latency with an attach" % name, "ms",
              all_of("attach", "largest"), all_of("start", "largest"), "a Python that starts beside it")
    yield Row("service", "%s: largest latency with an attach" % name, "ms",
              all_of("attach", "largest"), all_of("restart", "largest"), "graceful restart")
    yield Row("service", "%s: until every worker serves the new code" % name, "ms",
              all_of("attach", "until_new"), all_of("restart", "until_new"), "graceful restart")
    yield Row("service", "%s: requests failed by attaches" % name, "", [failed + 1],
              [1], "none (1 added on both sides)", ("<=", 1))


def service(bench):
    for name, source, worker_class in (("gunicorn, Flask", FLASK, "sync"),
                                       ("gunicorn, aiohttp", AIOHTTP,
                                        "aiohttp.GunicornWebWorker")):
        yield from rows_of(name, compare(bench, source, worker_class, name))


ROWS = {"service": service}
