/* SPDX-License-Identifier: MIT
 *
 * A payload whose pthread_create() does not return on the main thread, with other values in
 * every vector register, and does its work on any other. Linked with --wrap=pthread_create.
 */
#include <cpuid.h>
#include <sys/syscall.h>

#include "payload/base/sys.h"

struct attr;
int __real_pthread_create(unsigned long *thread, const struct attr *attr,
			  void *(*start)(void *), void *arg);
int __wrap_pthread_create(unsigned long *thread, const struct attr *attr,
			  void *(*start)(void *), void *arg);

static void clobber_vectors(void)
{
	unsigned a, b, c, d;

	__asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n"
			 "movdqa %%xmm0, %%xmm1\n"
			 "movdqa %%xmm0, %%xmm2\n"
			 "movdqa %%xmm0, %%xmm3\n"
			 "movdqa %%xmm0, %%xmm4\n"
			 "movdqa %%xmm0, %%xmm5\n"
			 "movdqa %%xmm0, %%xmm6\n"
			 "movdqa %%xmm0, %%xmm7\n"
			 "movdqa %%xmm0, %%xmm8\n"
			 "movdqa %%xmm0, %%xmm15\n"
			 :
			 :
			 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
			   "xmm8", "xmm15");
	if (__get_cpuid(1, &a, &b, &c, &d) && (c & bit_AVX))
		__asm__ volatile("vzeroall" : : : "memory");
}

int __wrap_pthread_create(unsigned long *thread, const struct attr *attr,
			  void *(*start)(void *), void *arg)
{
	if (sys_gettid() != sys_call3(SYS_getpid, 0, 0, 0))
		return __real_pthread_create(thread, attr, start, arg);
	clobber_vectors();
	for (;;)
		sys_call3(SYS_pause, 0, 0, 0);
}
