/* SPDX-License-Identifier: MIT
 *
 * The way in and the way out inside the target. payload_launch() runs on a thread of the
 * program that was hijacked at a safe point: it makes one call that matters, pthread_create,
 * and changes nothing that the program could see (errno is put back). The worker serves, and
 * its last act is a tail jump into libc's "syscall; ret" with munmap of its own image: the
 * return address on its stack then is libc's thread exit, so no instruction of ours runs on
 * unmapped memory.
 *
 * The invariant: nothing outside of this file knows that we are mapped rather than loaded.
 */
#include "payload/launch.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "payload/serve.h"
#include "payload/sys.h"

/* glibc's and musl's pthread_attr_t are 56 bytes on 64-bit machines; both keep it opaque. */
struct attr {
	unsigned long words[16];
};
#define DETACHED   1           /* PTHREAD_CREATE_DETACHED: 1 in glibc and musl */
#define STACK_SIZE (8ul << 20) /* musl's default of 128 KiB is too small for compiling */

extern int pthread_attr_init(struct attr *attr);
extern int pthread_attr_setdetachstate(struct attr *attr, int state);
extern int pthread_attr_setstacksize(struct attr *attr, unsigned long size);
extern int pthread_attr_destroy(struct attr *attr);
extern int pthread_create(unsigned long *thread, const struct attr *attr,
			  void *(*start)(void *), void *arg);
extern int *__errno_location(void);

int channel_owner_lives(const struct wire_channel *channel)
{
	struct flock lock = {.l_type = F_WRLCK}; /* l_whence 0: from the start */

	/* Fails when the program closed all its descriptors meanwhile (a daemon does): then
	 * nothing is known, and the deadline alone bounds us. */
	if (sys_fcntl(channel->memfd, F_OFD_GETLK, (long)&lock) < 0)
		return 1;
	return lock.l_type != F_UNLCK;
}

/* Called by payload_worker, below. */
__attribute__((used)) static void worker_main(struct wire_channel *channel)
{
	__atomic_store_n(&channel->worker_tid, (int32_t)sys_gettid(), __ATOMIC_RELEASE);
	/* A child that is forked meanwhile has no thread of ours and must not have our memory.
	 */
	sys_madvise((void *)channel->image_base, channel->image_size, MADV_DONTFORK);
	payload_serve(channel);
	if (channel->memfd >= 0)
		sys_close(channel->memfd);
}

/* void *payload_worker(void *channel): worker_main(channel), then
 * munmap(image_base, image_size) by way of libc, whose ret leaves this thread. %rdx, not %rcx
 * or %r11, holds the address: the syscall instruction destroys those. */
void *payload_worker(void *channel);
__asm__(".text\n"
	".hidden payload_worker\n"
	".globl payload_worker\n"
	".type payload_worker, @function\n"
	"payload_worker:\n"
	"	pushq %rbx\n"
	"	movq %rdi, %rbx\n"
	"	call worker_main\n"
	"	movq 40(%rbx), %rdi\n" /* image_base */
	"	movq 48(%rbx), %rsi\n" /* image_size */
	"	movq 56(%rbx), %rdx\n" /* syscall_ret */
	"	popq %rbx\n"
	"	movl $11, %eax\n" /* SYS_munmap */
	"	jmp *%rdx\n"
	".size payload_worker, . - payload_worker\n");
_Static_assert(__builtin_offsetof(struct wire_channel, image_base) == 40, "payload_worker");
_Static_assert(__builtin_offsetof(struct wire_channel, image_size) == 48, "payload_worker");
_Static_assert(__builtin_offsetof(struct wire_channel, syscall_ret) == 56, "payload_worker");

void payload_launch(struct wire_channel *channel)
{
	int *error_number = __errno_location();
	int saved = *error_number;
	unsigned long thread;
	struct attr attr;
	int error;

	error = pthread_attr_init(&attr);
	if (error == 0) {
		pthread_attr_setdetachstate(&attr, DETACHED);
		pthread_attr_setstacksize(&attr, STACK_SIZE);
		error = pthread_create(&thread, &attr, payload_worker, channel);
		pthread_attr_destroy(&attr);
	}
	*error_number = saved;
	__atomic_store_n(&channel->launch_error, error, __ATOMIC_RELEASE);
}
