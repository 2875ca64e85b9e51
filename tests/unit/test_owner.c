/* SPDX-License-Identifier: MIT
 *
 * The words in which the kernel marks our death: several at once, of which some are withdrawn.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/session/owner.h"
#include "payload/wire.h"

#define COUNT 5

static uint8_t *regions[COUNT];
static struct wire_channel *channels[COUNT];

static void make(void)
{
	const size_t size = 4096;

	for (int i = 0; i < COUNT; i++) {
		regions[i] = mmap(NULL, OWNER_REGION + size, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		cr_assert(ne(ptr, regions[i], MAP_FAILED));
		channels[i] = mmap(regions[i] + OWNER_REGION, size, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		cr_assert(ne(ptr, channels[i], MAP_FAILED));
	}
}

/* Somebody writes over the word, and it is put back. */
static void spoil(struct wire_channel *channel, const struct owner *owner)
{
	channel->owner = 0;
	channel->owner = owner_word(owner);
}

/* In a child: announce all of them, withdraw those that are named, in this order (a letter:
 * spoil it), and die in the middle of it. What the owner words say then. */
static void die_after(const char *order, uint32_t words[COUNT])
{
	pid_t child;
	int status;

	make();
	child = fork();
	if (child == 0) {
		struct owner owners[COUNT] = {0};

		for (int i = 0; i < COUNT; i++)
			owner_announce(&owners[i], regions[i]);
		for (const char *at = order; *at; at++) {
			if (*at < 'a')
				owner_withdraw(&owners[*at - '0']);
			else
				spoil(channels[*at - 'a'], &owners[*at - 'a']);
		}
		kill(getpid(), SIGKILL);
	}
	cr_assert(eq(int, waitpid(child, &status, 0), child));
	for (int i = 0; i < COUNT; i++)
		words[i] = __atomic_load_n(&channels[i]->owner, __ATOMIC_ACQUIRE);
}

static void expect_marked(const char *withdrawn, const char *marked)
{
	uint32_t words[COUNT];
	char found[COUNT + 1] = "";

	die_after(withdrawn, words);
	for (int i = 0; i < COUNT; i++)
		found[i] = words[i] & FUTEX_OWNER_DIED ? 'x' : '.';
	cr_assert(eq(str, found, marked), "withdrawn: %s", withdrawn);
}

Test(owner, all_are_marked)
{
	expect_marked("", "xxxxx");
}

Test(owner, what_was_written_over_is_marked)
{
	expect_marked("a0c", ".xxxx");
}

Test(owner, what_is_withdrawn_is_not)
{
	expect_marked("2", "xx.xx");
	expect_marked("0", ".xxxx");
	expect_marked("4", "xxxx.");
	expect_marked("031", "..x.x");
	expect_marked("43210", ".....");
	expect_marked("01234", ".....");
}

/* The C library's own list is there again: a robust mutex whose owner died is told of. */
static void *die_with_mutex(void *argument)
{
	struct owner owner = {0};

	owner_announce(&owner, regions[0]);
	owner_withdraw(&owner);
	pthread_mutex_lock(argument);
	return NULL;
}

Test(owner, the_list_of_the_c_library_is_put_back)
{
	pthread_mutexattr_t attributes;
	pthread_mutex_t mutex;
	pthread_t thread;

	make();
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&mutex, &attributes);
	cr_assert(eq(int, pthread_create(&thread, NULL, die_with_mutex, &mutex), 0));
	pthread_join(thread, NULL);
	cr_assert(eq(int, pthread_mutex_lock(&mutex), EOWNERDEAD));
}
