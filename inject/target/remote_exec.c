/* SPDX-License-Identifier: MIT
 *
 * See remote_exec.h. What is read of the interpreter is foreign: an offset is believed only
 * when it stays inside of the structure that it is an offset in.
 */
#include "inject/target/remote_exec.h"

#include <string.h>

#include "inject/base/cleanup.h"
#include "inject/proc/procfs.h"

/* ---- where things are ---- */

/* _Py_DebugOffsets, the head of _PyRuntime (Include/internal/pycore_debug_offsets.h), in words
 * of eight bytes. This much of it is the same in 3.14 and 3.15; what follows has grown. */
enum word {
	WORD_COOKIE = 0,
	WORD_RUNTIME_SIZE = 3,
	WORD_INTERPRETERS_HEAD = 5,
	WORD_INTERPRETER_SIZE = 6,
	WORD_INTERPRETER_ID = 7,
	WORD_INTERPRETER_NEXT = 8,
	WORD_MAIN_THREAD = 10,
	WORD_SUPPORT_MIN = 32, /* where debugger_support may be, at the earliest */
};

#define HEAD_SIZE        1280u
#define WORDS_OF_SUPPORT 6u

/* Of debugger_support, the last member, three words are known beforehand: the structure of a
 * thread's state that it is about is {int32_t pending; char path[512]} (Include/cpython/
 * pystate.h). That finds it in every version, debug and free-threaded builds included. */
#define PENDING_OFFSET 0u
#define PATH_OFFSET    4u

#define INTERPRETER_MAX (16u << 20)
#define THREAD_MAX      (1u << 20)

/* Whether len bytes at that offset lie within the first `size`. */
static bool fits(uint64_t offset, uint64_t len, uint64_t size)
{
	return offset <= size && size - offset >= len;
}

static bool take_support(struct remote_exec_offsets *out, const uint64_t *words)
{
	const uint64_t support = words[1];

	if (words[3] != PENDING_OFFSET || words[4] != PATH_OFFSET ||
	    words[5] != REMOTE_EXEC_PATH || !fits(words[0], 8, THREAD_MAX) ||
	    !fits(support, PATH_OFFSET + REMOTE_EXEC_PATH, THREAD_MAX) ||
	    !fits(words[2], 4, out->interpreter_size))
		return false;
	out->eval_breaker = words[0];
	out->enabled = words[2];
	out->pending = support + PENDING_OFFSET;
	out->path = support + PATH_OFFSET;
	return true;
}

bool remote_exec_offsets_of(struct remote_exec_offsets *out, struct span head)
{
	uint64_t words[HEAD_SIZE / 8] = {0};
	size_t count = head.len / 8;

	if (count > HEAD_SIZE / 8)
		count = HEAD_SIZE / 8;
	memcpy(words, head.data, count * 8);
	if (count < WORD_SUPPORT_MIN || memcmp(words, "xdebugpy", 8) != 0)
		return false;
	struct remote_exec_offsets offsets = {
		.interpreters_head = words[WORD_INTERPRETERS_HEAD],
		.interpreter_size = words[WORD_INTERPRETER_SIZE],
		.interpreter_id = words[WORD_INTERPRETER_ID],
		.interpreter_next = words[WORD_INTERPRETER_NEXT],
		.main_thread = words[WORD_MAIN_THREAD],
	};
	if (offsets.interpreter_size > INTERPRETER_MAX ||
	    !fits(offsets.interpreters_head, 8, words[WORD_RUNTIME_SIZE]) ||
	    !fits(offsets.interpreter_id, 8, offsets.interpreter_size) ||
	    !fits(offsets.interpreter_next, 8, offsets.interpreter_size) ||
	    !fits(offsets.main_thread, 8, offsets.interpreter_size))
		return false;
	for (size_t i = WORD_SUPPORT_MIN; i + WORDS_OF_SUPPORT <= count; i++) {
		if (take_support(&offsets, words + i)) {
			*out = offsets;
			return true;
		}
	}
	return false;
}

/* ---- what is there ---- */

#define INTERPRETERS_MAX 1000

static bool read_word(uint64_t *out, const struct target *target, remote_addr at)
{
	struct hp_err ignored;

	return target_read(target, at, out, sizeof(*out), &ignored) == 0;
}

/* The interpreter with the id 0. New ones stand before it. */
static bool find_main(remote_addr *out, const struct target *target, remote_addr runtime,
		      const struct remote_exec_offsets *offsets)
{
	uint64_t at, id;

	if (!read_word(&at, target, addr_add(runtime, offsets->interpreters_head)))
		return false;
	for (int i = 0; at && i < INTERPRETERS_MAX; i++) {
		*out = addr_of(at);
		if (!read_word(&id, target, addr_add(*out, offsets->interpreter_id)))
			return false;
		if (id == 0)
			return true;
		if (!read_word(&at, target, addr_add(*out, offsets->interpreter_next)))
			return false;
	}
	return false;
}

void remote_exec_find(struct target *target)
{
	const struct python_info *python = &target->python;
	struct elf_symbol symbol;
	struct remote_exec *out = &target->remote_exec;
	struct remote_exec_offsets offsets;
	uint8_t head[HEAD_SIZE];
	struct hp_err ignored;
	remote_addr interpreter;
	uint64_t thread;
	int32_t enabled;

	if (python->kind != PYTHON_CPYTHON || python->minor < 14 ||
	    !elf_image_find(&symbol, &python->module->image, "_PyRuntime"))
		return;
	remote_addr runtime = addr_of(python->module->bias + symbol.value);
	if (target_read(target, runtime, head, sizeof(head), &ignored) < 0 ||
	    !remote_exec_offsets_of(&offsets, (struct span){head, sizeof(head)}) ||
	    !find_main(&interpreter, target, runtime, &offsets) ||
	    target_read(target, addr_add(interpreter, offsets.enabled), &enabled,
			sizeof(enabled), &ignored) < 0)
		return;
	out->is_known = true;
	out->is_enabled = enabled == 1;
	/* The main thread's state is a part of the interpreter's, and so never freed; one that
	 * was allocated may be gone when it is written to. */
	if (!read_word(&thread, target, addr_add(interpreter, offsets.main_thread)) ||
	    thread < interpreter.v ||
	    !fits(thread - interpreter.v, offsets.path + REMOTE_EXEC_PATH,
		  offsets.interpreter_size))
		return;
	out->pending = addr_of(thread + offsets.pending);
	out->path = addr_of(thread + offsets.path);
	out->eval_breaker = addr_of(thread + offsets.eval_breaker);
}

/* Seccomp filters can be read by ptrace alone, and cannot be judged without. */
bool remote_exec_is_open(const struct target *target)
{
	return target->remote_exec.is_enabled && !addr_is_null(target->remote_exec.pending) &&
	       !target->status.seccomp_mode;
}

/* ---- the switches ---- */

#define VARIABLE "PYTHON_DISABLE_REMOTE_DEBUG="

/* The next of strings that are each ended by NUL; NULL at the end. */
static const char *next_word(struct span *rest)
{
	const char *word = (const char *)rest->data;
	const char *nul = rest->len ? memchr(word, 0, rest->len) : NULL;

	if (!nul)
		return NULL;
	rest->len -= (size_t)(nul - word) + 1;
	rest->data += nul - word + 1;
	return word;
}

/* Whatever the value, the empty one included (Python/initconfig.c, config_init_remote_debug).
 */
bool remote_exec_is_off_in_environment(struct span environment)
{
	const char *word;

	while ((word = next_word(&environment)))
		if (!strncmp(word, VARIABLE, strlen(VARIABLE)))
			return true;
	return false;
}

/* The interpreter knows the first spelling, its documentation has the second. */
static bool is_switch(const char *option)
{
	const size_t len = strcspn(option, "=");

	return len == strlen("disable-remote-debug") &&
	       (!strncmp(option, "disable-remote-debug", len) ||
		!strncmp(option, "disable_remote_debug", len));
}

/* One word of short options; those that take a value have it in the same word or the next
 * (Python/getopt.c). False at the last of Python's options. */
static bool take_options(bool *found, const char *letters, struct span *rest)
{
	for (; *letters; letters++) {
		if (*letters == 'c' || *letters == 'm') /* what follows is the program's */
			return false;
		if (*letters != 'X' && *letters != 'W')
			continue;
		const char *value = letters[1] ? letters + 1 : next_word(rest);

		*found = *letters == 'X' && value && is_switch(value);
		return value && !*found;
	}
	return true;
}

bool remote_exec_is_off_in_command(struct span command)
{
	const char *word = next_word(&command); /* the program's name */
	bool found = false;

	while ((word = next_word(&command)) && word[0] == '-' && word[1]) {
		if (!strcmp(word, "--check-hash-based-pycs"))
			(void)next_word(&command);
		else if (!strcmp(word, "--") ||
			 (word[1] != '-' && !take_options(&found, word + 1, &command)))
			break;
	}
	return found;
}

static bool is_off_in(const struct target *target, const char *file,
		      bool (*is_off)(struct span text))
{
	_cleanup_free_ char *text = NULL;
	struct hp_err ignored;
	size_t len;

	return procfs_read(&text, &len, target->procfd, file, &ignored) == 0 &&
	       is_off((struct span){(const uint8_t *)text, len});
}

int remote_exec_check(const struct target *target, struct hp_err *err)
{
	const char *how = NULL;

	if (is_off_in(target, "environ", remote_exec_is_off_in_environment))
		how = "its environment has PYTHON_DISABLE_REMOTE_DEBUG";
	else if (is_off_in(target, "cmdline", remote_exec_is_off_in_command))
		how = "it was started with -X disable-remote-debug";
	else if (target->remote_exec.is_known && !target->remote_exec.is_enabled)
		how = "its interpreter has remote debugging turned off";
	if (!how)
		return 0;
	hp_err_obstacle(err, OBSTACLE_REMOTE_DEBUG_OFF, 0,
			"process %d is not to be changed from outside: %s", target->pid, how);
	return hp_err_hint(err,
			   "ask whoever runs it; pyhotpatch attach --force %d passes over it",
			   target->pid);
}
