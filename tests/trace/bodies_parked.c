/* SPDX-License-Identifier: MIT
 *
 * Victims that wait. See bodies.h.
 */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/trace/bodies.h"

static void park_read(struct victim_shared *shared)
{
	int fds[2];
	char byte;

	if (pipe(fds) != 0)
		return;
	victim_ready(shared);
	for (;;)
		(void)!read(fds[0], &byte, 1);
}

static void park_poll(struct victim_shared *shared)
{
	victim_ready(shared);
	for (;;)
		poll(NULL, 0, 1000000);
}

static void park_select(struct victim_shared *shared)
{
	victim_ready(shared);
	for (;;) {
		struct timeval timeout = {.tv_sec = 1000};

		select(0, NULL, NULL, NULL, &timeout);
	}
}

static void park_pselect(struct victim_shared *shared)
{
	const struct timespec timeout = {.tv_sec = 1000};

	victim_ready(shared);
	for (;;)
		pselect(0, NULL, NULL, NULL, &timeout, NULL);
}

static void park_epoll(struct victim_shared *shared)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;

	victim_ready(shared);
	for (;;)
		epoll_wait(fd, &event, 1, -1);
}

static void park_nanosleep(struct victim_shared *shared)
{
	const struct timespec time = {.tv_sec = 1000};

	victim_ready(shared);
	for (;;)
		nanosleep(&time, NULL);
}

static void park_clock_nanosleep(struct victim_shared *shared)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_sec += 100000;
	victim_ready(shared);
	for (;;)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static void park_sem(struct victim_shared *shared)
{
	sem_t sem;

	sem_init(&sem, 0, 0);
	victim_ready(shared);
	for (;;)
		sem_wait(&sem);
}

static void park_sem_timed(struct victim_shared *shared)
{
	struct timespec time;
	sem_t sem;

	sem_init(&sem, 0, 0);
	clock_gettime(CLOCK_REALTIME, &time);
	time.tv_sec += 100000;
	victim_ready(shared);
	for (;;)
		sem_timedwait(&sem, &time);
}

static void park_cond(struct victim_shared *shared)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

	pthread_mutex_lock(&mutex);
	victim_ready(shared);
	for (;;)
		pthread_cond_wait(&cond, &mutex);
}

static void park_cond_timed(struct victim_shared *shared)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	time.tv_sec += 100000;
	pthread_mutex_lock(&mutex);
	victim_ready(shared);
	for (;;)
		pthread_cond_timedwait(&cond, &mutex, &time);
}

/* Waits for itself: the plain FUTEX_WAIT that malloc's locks use too. */
static void park_mutex(struct victim_shared *shared)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&mutex);
	victim_ready(shared);
	pthread_mutex_lock(&mutex);
}

static void park_accept(struct victim_shared *shared)
{
	const struct sockaddr_un any = {.sun_family = AF_UNIX}; /* bound by the kernel */
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (const struct sockaddr *)&any, sizeof(any.sun_family)) != 0 ||
	    listen(fd, 1) != 0)
		return;
	victim_ready(shared);
	for (;;)
		accept(fd, NULL, NULL);
}

static void park_recv(struct victim_shared *shared)
{
	int fds[2];
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
		return;
	victim_ready(shared);
	for (;;)
		(void)!recv(fds[0], &byte, 1, 0);
}

static void park_waitpid(struct victim_shared *shared)
{
	pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	victim_ready(shared);
	for (;;)
		waitpid(child, NULL, 0);
}

static void park_sigwait(struct victim_shared *shared)
{
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	victim_ready(shared);
	for (;;)
		sigwait(&set, &signal);
}

static void park_pause(struct victim_shared *shared)
{
	victim_ready(shared);
	for (;;)
		pause();
}

static void park_write(struct victim_shared *shared)
{
	static const char zeros[1 << 16];
	int fds[2];

	if (pipe(fds) != 0)
		return;
	victim_ready(shared);
	for (;;)
		(void)!write(fds[1], zeros, sizeof(zeros));
}

#define BOTH(name, fn)                                                                         \
	{name, fn, false},                                                                     \
	{                                                                                      \
		name " (thread)", fn, true                                                     \
	}
const struct body parked_bodies[] = {
	BOTH("read", park_read),
	BOTH("write", park_write),
	BOTH("poll", park_poll),
	BOTH("select", park_select),
	BOTH("pselect", park_pselect),
	BOTH("epoll_wait", park_epoll),
	BOTH("nanosleep", park_nanosleep),
	BOTH("clock_nanosleep", park_clock_nanosleep),
	BOTH("sem_wait", park_sem),
	BOTH("sem_timedwait", park_sem_timed),
	BOTH("pthread_cond_wait", park_cond),
	BOTH("pthread_cond_timedwait", park_cond_timed),
	BOTH("pthread_mutex_lock", park_mutex),
	BOTH("accept", park_accept),
	BOTH("recv", park_recv),
	{"waitpid", park_waitpid, false},
	BOTH("sigwait", park_sigwait),
	BOTH("pause", park_pause),
};
const size_t parked_body_count = sizeof(parked_bodies) / sizeof(parked_bodies[0]);
