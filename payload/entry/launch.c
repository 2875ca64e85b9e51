/* SPDX-License-Identifier: MIT
 *
 * The way in and the way out inside the target. payload_launch() runs on a thread of the
 * program that was hijacked at a safe point: it makes one call that matters, pthread_create,
 * and changes nothing that the program could see (errno is put back). payload_enter() does the
 * same on a thread that called it of its own accord. The worker serves, and its last act is to
 * unmap us. payload_lend() runs on another hijacked thread, or the same, in
 * place of a worker that waits for the GIL in vain.
 *
 * The invariant: no thread executes our text when it is unmapped. Nothing outside of this file
 * knows that we are mapped rather than loaded.
 */
#include "payload/entry/launch.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "payload/base/channel.h"
#include "payload/base/sys.h"
#include "payload/base/thread.h"
#include "payload/entry/holder.h"
#include "payload/entry/serve.h"

#define STACK_SIZE (8ul << 20) /* musl's default of 128 KiB is too small for compiling */

extern int *__errno_location(void);

void *payload_worker(void *channel);

#define LEFT_WAIT_NS 60000000000ll
#define SENT_WAIT_NS 1000000000ll

#define WHOLE_LOOK_NS 10000000ll

/* Whether somebody else's view of the memfd finds it locked for reading, by us: nobody but a
 * hijacked thread takes that lock. Locks of one open file description do not see each other,
 * so it is opened anew. */
static int guest_has_lock(const struct wire_channel *channel)
{
	struct flock lock = {.l_type = F_WRLCK};
	char path[32] = "/proc/self/fd/", *end = path + 14;
	int fd, digits = 1, rest = channel->memfd, found;

	for (int n = rest; n >= 10; n /= 10)
		digits++;
	for (int i = digits; i > 0; rest /= 10)
		end[--i] = (char)('0' + rest % 10);
	end[digits] = '\0';
	fd = (int)sys_open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 0;
	found = sys_fcntl(fd, F_OFD_GETLK, (long)&lock) == 0 && lock.l_type == F_RDLCK;
	sys_close(fd);
	return found;
}

/* A hijacked thread may still be in our text, on its way out. The program outside says when it
 * is not; when that was killed, the lock that it held passes to the thread, which waits for it
 * in libc's text. When neither comes, the image stays mapped: a leak, not a crash. So it does
 * when the program was killed between saying that it sends a thread in and doing so, or without
 * a memfd that could tell. */
static int shut_out_guests(struct wire_channel *channel)
{
	int64_t began = sys_now_ns();

	for (;;) {
		uint32_t guest = WIRE_GUEST_LEFT;

		if (__atomic_compare_exchange_n(&channel->guest, &guest, WIRE_GUEST_SHUT, 0,
						__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return 1;
		int is_orphan = !channel_owner_lives(channel);
		if (is_orphan && guest_has_lock(channel))
			return 1;
		int64_t waited = sys_now_ns() - began;
		if (waited > LEFT_WAIT_NS ||
		    (is_orphan && (guest == WIRE_GUEST_SENT || channel->memfd < 0) &&
		     waited > SENT_WAIT_NS))
			return 0;
		sys_pause(100000);
	}
}

/* The program may have closed what it did not open (a daemon does) and given the number to a
 * file of its own: that is not ours to close. Linux has no close() under a condition; here,
 * nothing but two system calls of one thread lies between the look and the act. */
static void close_memfd(const struct wire_channel *channel, int fd, uint64_t inode)
{
	struct stat st;

	if (inode && sys_fstat(fd, &st) == 0 && st.st_dev == channel->memfd_device &&
	    st.st_ino == inode)
		sys_close(fd);
}

static void close_memfds(const struct wire_channel *channel)
{
	close_memfd(channel, channel->memfd, channel->memfd_inode);
	for (int i = 0; i < WIRE_LEFTOVERS; i++)
		close_memfd(channel, channel->leftover_fd[i], channel->leftover_inode[i]);
}

/* Whether the rest of the image is there: the program outside writes all text but this file's,
 * channel.c's and thread.c's while the hijacked thread is under way and when it is back, and
 * may die over it. */
static int is_whole(const struct wire_channel *channel)
{
	uint32_t state;

	while ((state = __atomic_load_n(&channel->state, __ATOMIC_ACQUIRE)) == WIRE_EMPTY) {
		if (!channel_owner_lives(channel))
			return 0;
		sys_futex_wait(&channel->state, WIRE_EMPTY, WHOLE_LOOK_NS);
	}
	return state != WIRE_CANCELLED;
}

/* Called by payload_worker, below. Returns whether the image may be unmapped. */
__attribute__((used)) static int worker_main(struct wire_channel *channel)
{
	__atomic_store_n(&channel->worker_tid, sys_gettid(), __ATOMIC_RELEASE);
	if (is_whole(channel))
		payload_serve(channel);
	__atomic_store_n(&channel->worker_served, 1, __ATOMIC_RELEASE);
	int is_ours = shut_out_guests(channel);
	close_memfds(channel);
	return is_ours;
}

__attribute__((used)) static int start_worker(struct wire_channel *channel)
{
	/* A child that is forked meanwhile has no thread of ours and must not have our memory.
	 */
	sys_madvise((void *)channel->image_base, channel->image_size, MADV_DONTFORK);
	return thread_start_detached(STACK_SIZE, payload_worker, channel);
}

/* Called by payload_launch and payload_lend, below, and by payload_enter: `act` is what they
 * are for. */
__attribute__((used)) static void guest_main(struct wire_channel *channel,
					     int (*act)(struct wire_channel *))
{
	int *error_number = __errno_location();
	int saved = *error_number;

	__atomic_store_n(&channel->guest, WIRE_GUEST_INSIDE, __ATOMIC_RELEASE);
	int result = act(channel);
	*error_number = saved;
	*(struct flock *)channel->guest_lock = (struct flock){.l_type = F_RDLCK};
	__atomic_store_n(&channel->entry_result, result, __ATOMIC_RELEASE);
	sys_futex_wake((const uint32_t *)&channel->entry_result);
}

/* Who called says in channel->guest that the thread has left, when it has. */
void payload_enter(struct wire_channel *channel)
{
	guest_main(channel, start_worker);
}

/* All other ways out end in a tail jump to libc's "syscall; ret": the last thing that we do is
 * done by the kernel, and the return address on the stack is somebody else's. Neither %rcx nor
 * %r11 holds the address of it: the syscall instruction destroys those.
 *
 * payload_launch(channel) and payload_work(channel) make our data writable first: nothing of it
 * is touched before. When that fails the thread leaves at once, and the program outside hears
 * nothing from it.
 *
 * payload_launch(channel), payload_lend(channel): guest_main(channel, start_worker or
 * holder_serve), then fcntl(memfd, F_OFD_SETLKW, &guest_lock): the thread waits for the lock
 * that the program outside holds. While that lives it stops the thread here and puts it back
 * where it was; when it is killed the kernel gives the lock away, and the thread goes back by
 * itself. Interrupted, the call returns ERESTARTSYS, which leaves the program's own restart
 * data alone, as a wait with a timeout would not.
 *
 * payload_work(channel), payload_worker(channel): worker_main(channel), then munmap(image_base,
 * image_size), whose ret leaves the thread by libc's thread exit. */
__asm__(".text\n"
	"open_data:\n"
	"	pushq %rdi\n"
	"	movq 160(%rdi), %rsi\n" /* data_size */
	"	movq 152(%rdi), %rdi\n" /* data_start */
	"	movl $3, %edx\n"        /* PROT_READ | PROT_WRITE */
	"	movl $10, %eax\n"       /* SYS_mprotect */
	"	syscall\n"
	"	popq %rdi\n"
	"	testq %rax, %rax\n"
	"	ret\n"

	".globl payload_launch\n"
	".type payload_launch, @function\n"
	"payload_launch:\n"
	"	call open_data\n"
	"	jnz leave\n"
	"	leaq start_worker(%rip), %rsi\n"
	"	jmp guest\n"
	"leave:\n" /* with nothing written: guest_lock is all zeros, which is right */
	"	pushq %rbx\n"
	"	movq %rdi, %rbx\n"
	"	jmp wait\n"
	".size payload_launch, . - payload_launch\n"

	".globl payload_lend\n"
	".type payload_lend, @function\n"
	"payload_lend:\n"
	"	leaq holder_serve(%rip), %rsi\n"
	"	jmp guest\n"
	".size payload_lend, . - payload_lend\n"

	"guest:\n"
	"	pushq %rbx\n"
	"	movq %rdi, %rbx\n"
	"	call guest_main\n"
	"wait:\n"
	"	movl 32(%rbx), %edi\n"  /* memfd */
	"	movl $38, %esi\n"       /* F_OFD_SETLKW */
	"	leaq 104(%rbx), %rdx\n" /* guest_lock */
	"	movq 56(%rbx), %r8\n"   /* syscall_ret */
	"	popq %rbx\n"
	"	movl $72, %eax\n" /* SYS_fcntl */
	"	jmp *%r8\n"

	".globl payload_work\n"
	".type payload_work, @function\n"
	"payload_work:\n"
	"	call open_data\n"
	"	jz payload_worker\n"
	"	ret\n"
	".size payload_work, . - payload_work\n"

	".hidden payload_worker\n"
	".globl payload_worker\n"
	".type payload_worker, @function\n"
	"payload_worker:\n"
	"	pushq %rbx\n"
	"	movq %rdi, %rbx\n"
	"	call worker_main\n"
	"	testl %eax, %eax\n"
	"	jz 1f\n"
	"	movq 40(%rbx), %rdi\n" /* image_base */
	"	movq 48(%rbx), %rsi\n" /* image_size */
	"	movq 56(%rbx), %rdx\n" /* syscall_ret */
	"	popq %rbx\n"
	"	movl $11, %eax\n" /* SYS_munmap */
	"	jmp *%rdx\n"
	"1:	popq %rbx\n"
	"	ret\n"
	".size payload_worker, . - payload_worker\n");
_Static_assert(__builtin_offsetof(struct wire_channel, image_base) == 40, "payload_worker");
_Static_assert(__builtin_offsetof(struct wire_channel, image_size) == 48, "payload_worker");
_Static_assert(__builtin_offsetof(struct wire_channel, syscall_ret) == 56, "payload_worker");
_Static_assert(__builtin_offsetof(struct wire_channel, memfd) == 32, "guest");
_Static_assert(__builtin_offsetof(struct wire_channel, data_start) == 152, "payload_launch");
_Static_assert(__builtin_offsetof(struct wire_channel, data_size) == 160, "payload_launch");
_Static_assert(F_RDLCK == 0 && SYS_mprotect == 10, "payload_launch");
_Static_assert(__builtin_offsetof(struct wire_channel, guest_lock) == 104, "guest");
_Static_assert(sizeof(struct flock) == sizeof(((struct wire_channel *)0)->guest_lock),
	       "kernel");
_Static_assert(SYS_munmap == 11 && SYS_fcntl == 72 && F_OFD_SETLKW == 38, "x86-64");
