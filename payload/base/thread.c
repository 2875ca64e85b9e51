/* SPDX-License-Identifier: MIT */
#include "payload/base/thread.h"

#include <stddef.h>

#include "payload/base/sys.h"

/* glibc's and musl's pthread_attr_t are 56 bytes on 64-bit machines; both keep it opaque. */
struct attr {
	unsigned long words[16];
};
#define DETACHED   1 /* PTHREAD_CREATE_DETACHED: 1 in glibc and musl */
#define STACK_SIZE (512ul << 10)

extern int pthread_attr_init(struct attr *attr);
extern int pthread_attr_setdetachstate(struct attr *attr, int state);
extern int pthread_attr_setstacksize(struct attr *attr, unsigned long size);
extern int pthread_attr_setstack(struct attr *attr, void *stack, unsigned long size);
extern int pthread_attr_destroy(struct attr *attr);
extern int pthread_create(unsigned long *thread, const struct attr *attr,
			  void *(*start)(void *), void *arg);
extern int pthread_join(unsigned long thread, void **result);

int thread_start_detached(unsigned long stack_size, void *(*start)(void *), void *argument)
{
	unsigned long thread;
	struct attr attr;
	int error = pthread_attr_init(&attr);

	if (error)
		return error;
	pthread_attr_setdetachstate(&attr, DETACHED);
	pthread_attr_setstacksize(&attr, stack_size);
	error = pthread_create(&thread, &attr, start, argument);
	pthread_attr_destroy(&attr);
	return error;
}

static int start_on(struct thread *thread, void *(*start)(void *), void *argument)
{
	struct attr attr;

	if (pthread_attr_init(&attr))
		return -1;
	int error = pthread_attr_setstack(&attr, thread->stack, STACK_SIZE) ||
		    pthread_create(&thread->id, &attr, start, argument);
	pthread_attr_destroy(&attr);
	return error;
}

/* libc would keep a stack that it made. A child that is forked meanwhile must have ours: libc
 * walks its list of stacks there, and what it lists lies in them (nptl's reclaim_stacks(),
 * glibc 2.36). */
void thread_begin(struct thread *out, void *(*start)(void *), void *argument)
{
	out->stack = sys_mmap_anonymous(STACK_SIZE);
	if (out->stack && start_on(out, start, argument)) {
		sys_munmap(out->stack, STACK_SIZE);
		out->stack = NULL;
	}
}

void thread_end(struct thread *thread)
{
	if (!thread->stack)
		return;
	pthread_join(thread->id, NULL);
	sys_munmap(thread->stack, STACK_SIZE);
	thread->stack = NULL;
}
