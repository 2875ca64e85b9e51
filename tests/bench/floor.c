/* SPDX-License-Identifier: MIT
 *
 * The least that any tool based on ptrace can do: SEIZE one thread, INTERRUPT it, wait for the
 * stop, DETACH. Prints for how many nanoseconds the thread was held; what pyhotpatch is
 * measured against.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int main(int argc, char **argv)
{
	const pid_t tid = argc == 2 ? (pid_t)strtol(argv[1], NULL, 10) : 0;
	int64_t held;
	int status;

	if (tid <= 0) {
		fprintf(stderr, "usage: floor TID\n");
		return 2;
	}
	if (ptrace(PTRACE_SEIZE, tid, 0, 0) < 0) {
		fprintf(stderr, "floor: seize %d: %s\n", (int)tid, strerror(errno));
		return 1;
	}
	held = now_ns();
	ptrace(PTRACE_INTERRUPT, tid, 0, 0);
	if (waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status)) {
		fprintf(stderr, "floor: thread %d did not stop\n", (int)tid);
		return 1;
	}
	ptrace(PTRACE_DETACH, tid, 0, 0);
	printf("%" PRId64 "\n", now_ns() - held);
	return 0;
}
