/* SPDX-License-Identifier: MIT */
#include "payload/base/thread.h"

#include <stddef.h>

/* glibc's and musl's pthread_attr_t are 56 bytes on 64-bit machines; both keep it opaque. */
struct attr {
	unsigned long words[16];
};
#define DETACHED 1 /* PTHREAD_CREATE_DETACHED: 1 in glibc and musl */

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

int thread_start(unsigned long *out, void *stack, unsigned long size, void *(*start)(void *),
		 void *argument)
{
	struct attr attr;
	int error = pthread_attr_init(&attr);

	if (error)
		return error;
	error = pthread_attr_setstack(&attr, stack, size);
	if (!error)
		error = pthread_create(out, &attr, start, argument);
	pthread_attr_destroy(&attr);
	return error;
}

void thread_join(unsigned long thread)
{
	pthread_join(thread, NULL);
}
