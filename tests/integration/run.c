/* SPDX-License-Identifier: MIT */
#include "tests/integration/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inject/base/deadline.h"

void sleep_ms(int ms)
{
	struct timespec left = {ms / 1000, (long)(ms % 1000) * 1000000};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

void run_start(struct running *out, const char *const *argv)
{
	int out_pipe[2], err_pipe[2];
	pid_t parent = getpid();

	if (pipe2(out_pipe, O_CLOEXEC) < 0 || pipe2(err_pipe, O_CLOEXEC) < 0)
		abort();
	out->began_ns = clock_now_ns();
	out->pid = fork();
	if (out->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0); /* so that its children can be ended with it */
		if (getppid() != parent)
			_exit(126);
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(out_pipe[1], 1);
		dup2(err_pipe[1], 2);
		execvp(argv[0], (char **)(uintptr_t)argv);
		fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	close(out_pipe[1]);
	close(err_pipe[1]);
	out->out = out_pipe[0];
	out->err = err_pipe[0];
}

/* Append what can be read from *fd to text; close it at its end. */
static void collect(int *fd, char *text, size_t size, size_t *used)
{
	char buffer[4096];
	ssize_t got = read(*fd, buffer, sizeof(buffer));
	size_t fits = size - 1 - *used;

	if (got <= 0) {
		close(*fd);
		*fd = -1;
		return;
	}
	if ((size_t)got < fits)
		fits = (size_t)got;
	memcpy(text + *used, buffer, fits);
	*used += fits;
	text[*used] = '\0';
}

void run_finish(struct run *out, struct running *running, int timeout_ms)
{
	struct deadline deadline = {running->began_ns + (int64_t)timeout_ms * 1000000};
	size_t out_used = 0, err_used = 0;
	int wait_status;

	out->timed_out = false;
	out->out[0] = out->err[0] = '\0';
	while (running->out >= 0 || running->err >= 0) {
		struct pollfd fds[] = {{running->out, POLLIN, 0}, {running->err, POLLIN, 0}};
		int64_t left = deadline_left_ns(deadline);

		if (left <= 0 && !out->timed_out) {
			out->timed_out = true;
			kill(-running->pid, SIGKILL);
		}
		poll(fds, 2, left > 0 ? (int)(left / 1000000) + 1 : 100);
		if (fds[0].revents)
			collect(&running->out, out->out, sizeof(out->out), &out_used);
		if (fds[1].revents)
			collect(&running->err, out->err, sizeof(out->err), &err_used);
	}
	while (waitpid(running->pid, &wait_status, 0) < 0 && errno == EINTR)
		;
	out->elapsed_ns = clock_now_ns() - running->began_ns;
	out->status =
		WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -WTERMSIG(wait_status);
}

void run_command(struct run *out, const char *const *argv, int timeout_ms)
{
	struct running running;

	run_start(&running, argv);
	run_finish(out, &running, timeout_ms);
}

const char *pyhotpatch_path(void)
{
	const char *path = getenv("PYHOTPATCH");

	return path ? path : "pyhotpatch";
}

void run_pyhotpatch(struct run *out, const char *const *arguments)
{
	const char *argv[24] = {pyhotpatch_path()};

	for (size_t i = 0; arguments[i] && i < 22; i++)
		argv[i + 1] = arguments[i];
	run_command(out, argv, 60000);
}

void run_attach(struct run *out, pid_t pid)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", pid);
	run_pyhotpatch(out, (const char *const[]){"attach", number, NULL});
}
