/* SPDX-License-Identifier: MIT
 *
 * Targets that lie: in what they answer, in the ELF files that they have mapped, and in maps
 * that change while they are read. pyhotpatch neither crashes nor hangs, and prints no control
 * character of theirs. scripts/sanitize runs this with the address sanitizer.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/cleanup.h"
#include "inject/base/err.h"
#include "tests/integration/campaign.h"
#include "tests/integration/pytarget.h"

static struct pytarget target;
static pid_t liar;
static struct run run;

static void stop(void)
{
	if (liar > 0) {
		kill(liar, SIGKILL);
		waitpid(liar, NULL, 0);
	}
	pytarget_stop(&target);
}

/* Newlines, tabs and printable UTF-8, no C1 characters and no change of direction. */
static bool is_harmless(const char *text)
{
	for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
		if ((*at < 0x20 && *at != '\n' && *at != '\t') || *at == 0x7f)
			return false;
		if (*at == 0xc2 && at[1] < 0xa0)
			return false;
		if (*at == 0xe2 && at[1] == 0x80 && at[2] >= 0xaa && at[2] <= 0xae)
			return false;
	}
	return true;
}

static void expect_sane(const char *what)
{
	if (run.timed_out || run.status < 0 || run.status >= 64)
		cr_fatal("%s: exit status %d\nout: %.3000s\nerr: %.3000s", what, run.status,
			 run.out, run.err);
	cr_assert(strstr(run.err, "Sanitizer") == NULL, "%s: %.5000s", what, run.err);
	cr_assert(is_harmless(run.out) && is_harmless(run.err), "%s: a control character",
		  what);
}

Test(hostile, replies, .fini = stop, .timeout = 3000)
{
	static const char *const formats[] = {"--verbose", "--json"};
	static const char kinds[] = "0123456789ab";
	const int count = sizeof(kinds) - 1;
	const int rounds = campaign_size(50, 2);
	struct round round;

	if (!interpreters_newest())
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	pytarget_start(&target, interpreters_newest(), "idle.py", "sleep", "0.05");
	setenv("PYHOTPATCH_PAYLOAD", getenv("PAYLOAD_HOSTILE"), 1);
	for (int i = 0; i < 4 * count * rounds; i++) {
		char kind[] = {kinds[i % count], '\0'};
		/* by itself, and as one of several, which a tree may have */
		const char *how = i / count % 2 ? "--tree" : "--";
		const char *argv[] = {"attach", formats[i / count / 2 % 2],
				      "-t",     "0.7",
				      "-m",     kind,
				      how,      target.number,
				      NULL};

		run_pyhotpatch(&run, argv);
		expect_sane(kind);
	}
	unsetenv("PYHOTPATCH_PAYLOAD");
	pytarget_edit(&target);
	run_attach(&run, target.pid);
	expect_status(&target, &run, 0);
	pytarget_fresh(&target, &round);
	expect_version(&target, &round, 1);
}

/* ---- ELF files and maps ---- */

#define SEEDS_MAX 16
#define SEED_SIZE 16384

static struct seed {
	unsigned char bytes[SEED_SIZE];
	size_t len;
} seeds[SEEDS_MAX];
static size_t seed_count;

static void add_seed(const char *path)
{
	struct seed *seed = &seeds[seed_count];
	_cleanup_file_ FILE *file = fopen(path, "re");

	if (file && seed_count < SEEDS_MAX &&
	    (seed->len = fread(seed->bytes, 1, SEED_SIZE, file)) >= 64)
		seed_count++;
}

static void read_seeds(void)
{
	const char *root = getenv("PYHOTPATCH_TARGETS");
	char folder[512], path[1024];

	snprintf(folder, sizeof(folder), "%s/../fuzz/corpus/elf",
		 root ? root : "tests/targets");
	DIR *dir = opendir(folder);
	for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (entry->d_name[0] != '.')
			add_seed(path);
	}
	if (dir)
		closedir(dir);
	add_seed(pyhotpatch_path());
	add_seed("/lib64/ld-linux-x86-64.so.2");
	cr_assert(lt(sz, 2, seed_count), "no ELF files to begin with");
}

static unsigned random_number(void)
{
	static unsigned long long state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 11);
}

static void spoil(unsigned char *bytes, size_t len)
{
	static const unsigned char extremes[] = {0, 1, 0x7f, 0x80, 0xff};

	for (unsigned n = random_number() % 12; n > 0; n--)
		bytes[random_number() % (random_number() % 2 ? 1024 : len) % len] =
			random_number() % 2 ? extremes[random_number() % 5]
					    : (unsigned char)random_number();
}

/* One file of a telling name, mapped in a row of ways, changed under the eyes of the reader. */
static void *map_a_lie(void *before)
{
	static const char *const names[] = {
		"libpython3.12.so.1.0", "libpython3.8.so.1.0",
		"python3.11",           "libc.so.6",
		"libc-2.31.so",         "ld-linux-x86-64.so.2",
		"libpthread.so.0",      "libpypy3-c.so",
		"line\nbreak \033[31m",
	};
	const struct seed *seed = &seeds[random_number() % seed_count];
	const char *name = names[random_number() % (sizeof(names) / sizeof(*names))];
	_cleanup_fd_ int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	unsigned char *at;

	if (before)
		munmap(before, SEED_SIZE);
	if (fd < 0 || write(fd, seed->bytes, seed->len) != (ssize_t)seed->len)
		return NULL;
	if (random_number() % 4)
		(void)!ftruncate(fd, SEED_SIZE);
	at = mmap(NULL, SEED_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
		  random_number() % 2 ? MAP_PRIVATE : MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return NULL;
	if (seed->len >= 4096)
		spoil(at, seed->len & ~4095ul);
	if (random_number() % 3 == 0)
		unlink(name);
	return at;
}

static void lie_for_ever(void)
{
	void *maps[8] = {NULL};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "python3.\033[31m");
	if (chdir(target.dir) < 0)
		_exit(1);
	for (unsigned i = 0;; i++) {
		maps[i % 8] = map_a_lie(maps[i % 8]);
		usleep(300);
	}
}

Test(hostile, files_and_maps, .fini = stop, .timeout = 3000)
{
	static const char *const commands[] = {"attach", "doctor", "list"};
	const int rounds = campaign_size(1500, 90);
	int attached = 0;
	char number[16];

	pytarget_make(&target, "liar");
	read_seeds();
	liar = fork();
	if (liar == 0)
		lie_for_ever();
	snprintf(number, sizeof(number), "%d", liar);
	for (int i = 0; i < rounds; i++) {
		const char *command = commands[i % 3];
		const bool with_pid = strcmp(command, "list") != 0;
		const char *arguments[] = {command, i % 2 ? "--json" : "--verbose",
					   with_pid ? number : NULL, NULL};

		run_pyhotpatch(&run, arguments);
		expect_sane(command);
		attached += i % 3 == 0 && run.status == 0;
		if (waitpid(liar, NULL, WNOHANG) == liar) { /* its own lie, taken for true */
			liar = fork();
			if (liar == 0)
				lie_for_ever();
			snprintf(number, sizeof(number), "%d", liar);
		}
	}
	cr_assert(eq(int, attached, 0), "there was no Python to attach to");
}
