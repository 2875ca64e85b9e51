/* SPDX-License-Identifier: MIT
 *
 * A worker that was forked from a server runs what the server imported, maybe days before: what
 * counts is the start of the first process that shares the execve. Whether a parent does, the
 * address of its stack tells, which execve places at random and fork copies (field 28 of
 * /proc/PID/stat). For processes of other users the kernel shows 0 there (fs/proc/array.c);
 * then one of the same session is taken for one, which at worst makes more files looked into.
 */
#include "payload/source/start.h"

#include <fcntl.h>

#include "payload/base/freestanding.h"
#include "payload/base/sys.h"

#define NS_PER_S      1000000000LL
#define NS_PER_TICK   (NS_PER_S / 100) /* USER_HZ is 100 on every Linux that we serve */
#define MARGIN_NS     (2 * NS_PER_S)   /* clocks are adjusted, ticks are coarse */
#define ANCESTORS_MAX 64

/* The fields that matter, by their numbers in proc(5). */
struct process {
	uint64_t parent, session, start_ticks, stack;
};

static void take_field(struct process *process, int field, uint64_t value)
{
	switch (field) {
	case 4:
		process->parent = value;
		break;
	case 6:
		process->session = value;
		break;
	case 22:
		process->start_ticks = value;
		break;
	case 28:
		process->stack = value;
		break;
	default:
		break;
	}
}

/* Field 2 may hold blanks and brackets; after its last bracket all is numbers but field 3. */
static void parse(struct process *out, const char *text, long size)
{
	int field = 2;
	long at = size;

	*out = (struct process){0};
	while (at > 0 && text[at - 1] != ')')
		at--;
	while (at < size) {
		uint64_t value = 0;
		for (; at < size && text[at] != ' '; at++)
			if (text[at] >= '0' && text[at] <= '9')
				value = value * 10 + (uint64_t)(text[at] - '0');
		take_field(out, field, value);
		field++;
		at++;
	}
}

/* "/proc/<pid>/stat"; pid 0 is this process. */
static void stat_path(char *out, uint64_t pid)
{
	char digits[24];
	int count = 0;

	memcpy(out, "/proc/", 6);
	out += 6;
	for (; pid; pid /= 10)
		digits[count++] = (char)('0' + pid % 10);
	if (!count) {
		memcpy(out, "self", 4);
		out += 4;
	}
	while (count)
		*out++ = digits[--count];
	memcpy(out, "/stat", 6);
}

static int process_read(struct process *out, uint64_t pid)
{
	char path[48], text[1024];

	stat_path(path, pid);
	long fd = sys_open(path, O_RDONLY | O_CLOEXEC);
	long size = fd < 0 ? fd : sys_read((int)fd, text, sizeof(text));

	if (fd >= 0)
		sys_close((int)fd);
	if (size <= 0)
		return -1;
	parse(out, text, size);
	return out->start_ticks ? 0 : -1;
}

static int is_same_program(const struct process *child, const struct process *parent)
{
	if (parent->stack)
		return parent->stack == child->stack;
	return parent->session == child->session;
}

int64_t start_of_program_ns(void)
{
	struct process process, parent;

	if (process_read(&process, 0))
		return 0;
	for (int i = 0; i < ANCESTORS_MAX && process.parent; i++) {
		if (process_read(&parent, process.parent) ||
		    !is_same_program(&process, &parent))
			break;
		/* Once hidden, the next one is compared with what we know for sure. */
		parent.stack = process.stack;
		process = parent;
	}
	int64_t age = sys_clock_ns(CLOCK_BOOTTIME) - (int64_t)process.start_ticks * NS_PER_TICK;
	return sys_clock_ns(CLOCK_REALTIME) - age - MARGIN_NS;
}
