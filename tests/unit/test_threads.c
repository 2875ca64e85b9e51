/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <sys/syscall.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/session/threads.h"

static enum thread_rank rank_in(long nr)
{
	char line[64];

	snprintf(line, sizeof(line), "%ld 0x1 0x2 0x3 0x4 0x5 0x6 0x7ffe 0x7f01\n", nr);
	return thread_rank_of(line);
}

Test(threads, parked_before_running_before_interrupted)
{
	cr_assert(eq(int, rank_in(SYS_futex), RANK_PARKED));
	cr_assert(eq(int, rank_in(SYS_clock_nanosleep), RANK_PARKED));
	cr_assert(eq(int, rank_in(SYS_epoll_wait), RANK_INTERRUPTED));
	cr_assert(eq(int, rank_in(SYS_brk), RANK_OTHER));
	cr_assert(eq(int, thread_rank_of("running\n"), RANK_RUNNING));
	cr_assert(eq(int, thread_rank_of("-1 0x7ffe 0x7f01\n"), RANK_OTHER));
	cr_assert(lt(int, RANK_PARKED, RANK_RUNNING));
	cr_assert(lt(int, RANK_RUNNING, RANK_INTERRUPTED));
}

Test(threads, garbage_is_no_reason_to_prefer_a_thread)
{
	cr_assert(eq(int, thread_rank_of(""), RANK_OTHER));
	cr_assert(eq(int, thread_rank_of("x"), RANK_OTHER));
	cr_assert(eq(int, thread_rank_of("99999999999999999999 0x1"), RANK_OTHER));
}

Test(threads, the_place_is_what_the_line_says)
{
	struct safepoint_stop place = {0};

	thread_place_of(&place, "running\n");
	thread_place_of(&place, "");
	thread_place_of(&place, "12 0x7ffe\n");
	thread_place_of(&place, "12 0x1 0x2 0x7ffe 0x7f01\n");
	cr_assert(eq(u64, place.sp.v, 0));
	thread_place_of(&place, "202 0x1 0x2 0x3 0x4 0x5 0x6 0x7ffe 0x7f01\n");
	cr_assert(eq(u64, place.sp.v, 0x7ffe));
	cr_assert(eq(u64, place.pc.v, 0x7f01));
	cr_assert(eq(long, place.syscall_nr, 202));
	cr_assert(eq(u64, place.syscall_args[0], 1));
	cr_assert(eq(u64, place.syscall_args[5], 6));
	thread_place_of(&place, "-1 0x10 0x20\n");
	cr_assert(eq(u64, place.sp.v, 0x10));
	cr_assert(eq(u64, place.pc.v, 0x20));
	cr_assert(eq(long, place.syscall_nr, -1));
}
