# SPDX-License-Identifier: MIT
"""A target that waits: idle.py MODE SECONDS. Each wait is reported with how long it took."""
import faulthandler
import gc
import os
import select
import signal
import sys
import threading
import time

import state

mode, seconds = state.arguments()


def wait_sleep():
    time.sleep(seconds)


def wait_select():
    select.select([pipe_read], [], [], seconds)


def wait_poll():
    poller = select.poll()
    poller.register(pipe_read, select.POLLIN)
    poller.poll(seconds * 1000)


def wait_epoll():
    epoll.poll(seconds)


def wait_lock():
    lock.acquire(timeout=seconds)


def wait_input():
    input()


def wait_threads():
    # A target that allocates nothing never collects; what the collector would free is no leak.
    gc.collect()
    time.sleep(seconds)


def wait_collect():
    gc.collect()
    time.sleep(seconds)


def parked(number):
    """Every third waits for ever on a lock, the others sleep."""
    while True:
        if number % 3 == 0:
            never.wait()
        time.sleep(3600)


def run_asyncio():
    import asyncio

    async def main():
        state.report(0.0)
        while True:
            began = time.monotonic()
            await asyncio.sleep(seconds)
            state.report(time.monotonic() - began)

    # asyncio.run() is new in 3.7 and get_event_loop() frowned upon in 3.12.
    asyncio.run(main())


pipe_read, pipe_write = os.pipe()
epoll = select.epoll()
epoll.register(pipe_read, select.EPOLLIN)
lock = threading.Lock()
lock.acquire()
never = threading.Event()
faulthandler.enable()
signal.signal(signal.SIGUSR1, lambda number, frame: None)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])

if mode == "threads":
    for n in range(50):
        threading.Thread(target=parked, args=(n,), daemon=True).start()

if mode == "asyncio":
    run_asyncio()
state.report(0.0)
waits = globals()["wait_" + mode]
while True:
    state.timed(waits)
