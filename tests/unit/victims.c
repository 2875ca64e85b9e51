/* SPDX-License-Identifier: MIT */
#include "victims.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static void become_victim(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

struct victim victim_spawn(const char *const *argv, const char *const *environment)
{
	extern char **environ;
	pid_t parent = getpid();
	int in[2], out[2];

	cr_assert(eq(int, pipe2(in, O_CLOEXEC), 0));
	cr_assert(eq(int, pipe2(out, O_CLOEXEC), 0));
	pid_t pid = fork();
	cr_assert(ge(int, pid, 0));
	if (!pid) {
		become_victim(parent);
		dup2(in[0], 0);
		dup2(out[1], 1);
		execve(argv[0], (char **)(uintptr_t)argv,
		       environment ? (char **)(uintptr_t)environment : environ);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	return (struct victim){pid, in[1], out[0]};
}

struct victim victim_python(const char *path, const char *code)
{
	const char *argv[] = {path, "-c", code, NULL};

	return victim_spawn(argv, NULL);
}

struct victim victim_fork(void (*body)(void *), void *argument)
{
	pid_t parent = getpid(), pid = fork();

	cr_assert(ge(int, pid, 0));
	if (!pid) {
		become_victim(parent);
		body(argument);
		for (;;)
			pause();
	}
	return (struct victim){pid, -1, -1};
}

void victim_read_line(const struct victim *victim, char *out, size_t len)
{
	struct pollfd poll_fd = {.fd = victim->output, .events = POLLIN};
	size_t used = 0;

	while (used + 1 < len) {
		cr_assert(eq(int, poll(&poll_fd, 1, 30000), 1), "the victim says nothing");
		cr_assert(eq(int, (int)read(victim->output, out + used, 1), 1),
			  "the victim ended");
		if (out[used] == '\n')
			break;
		used++;
	}
	out[used] = '\0';
}

void victim_end(struct victim *victim)
{
	if (victim->pid > 0) {
		kill(victim->pid, SIGKILL);
		waitpid(victim->pid, NULL, 0);
	}
	if (victim->input >= 0)
		close(victim->input);
	if (victim->output >= 0)
		close(victim->output);
	*victim = (struct victim){0, -1, -1};
}

void copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	char buffer[65536];
	ssize_t got;

	cr_assert(ge(int, in, 0));
	cr_assert(ge(int, out, 0), "%s", to);
	while ((got = read(in, buffer, sizeof(buffer))) > 0)
		cr_assert(eq(int, (int)write(out, buffer, (size_t)got), (int)got));
	close(in);
	close(out);
}

static char state_of(pid_t pid)
{
	char path[64], line[512];
	FILE *file;
	const char *end = NULL;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (file && fgets(line, sizeof(line), file))
		end = strrchr(line, ')');
	if (file)
		fclose(file);
	return end ? end[2] : '?';
}

void victim_await_state(const struct victim *victim, const char *states)
{
	for (int i = 0; i < 2000; i++) {
		if (strchr(states, state_of(victim->pid)))
			return;
		usleep(5000);
	}
	cr_assert(false, "process %d is in state %c, not in one of %s", victim->pid,
		  state_of(victim->pid), states);
}

/* "python3.12", "python3.11d": an interpreter, no helper script. */
static bool interpreter_of(struct interpreter *out, const char *folder, const char *name)
{
	char path[512], *real;
	int major, minor, used = 0;

	if (sscanf(name, "python%1d.%2d%n", &major, &minor, &used) != 2 ||
	    (name[used] && strcmp(name + used, "d") != 0))
		return false;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	real = realpath(path, NULL);
	if (!real || access(real, X_OK) < 0 || strstr(real, "/shims/") ||
	    strlen(real) >= sizeof(out->path)) {
		free(real);
		return false;
	}
	strcpy(out->path, real);
	free(real);
	out->major = major;
	out->minor = minor;
	return true;
}

static size_t scan_folder(struct interpreter *out, size_t count, size_t capacity,
			  const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	while (dir && count < capacity && (entry = readdir(dir))) {
		bool known = false;

		if (!interpreter_of(&out[count], folder, entry->d_name))
			continue;
		for (size_t i = 0; i < count; i++)
			known = known || !strcmp(out[i].path, out[count].path);
		count += !known;
	}
	if (dir)
		closedir(dir);
	return count;
}

static size_t scan_pyenv(struct interpreter *out, size_t count, size_t capacity)
{
	const char *root = getenv("PYENV_ROOT"), *home = getenv("HOME");
	char versions[512], folder[1024];
	DIR *dir;
	const struct dirent *entry;

	if (root)
		snprintf(versions, sizeof(versions), "%s/versions", root);
	else
		snprintf(versions, sizeof(versions), "%s/.pyenv/versions", home ? home : "");
	dir = opendir(versions);
	while (dir && (entry = readdir(dir))) {
		snprintf(folder, sizeof(folder), "%s/%s/bin", versions, entry->d_name);
		if (entry->d_name[0] != '.')
			count = scan_folder(out, count, capacity, folder);
	}
	if (dir)
		closedir(dir);
	return count;
}

size_t interpreters_find(struct interpreter *out, size_t capacity)
{
	char *path = strdup(getenv("PATH") ? getenv("PATH") : "/usr/bin"), *rest = NULL;
	size_t count = 0;

	for (char *folder = strtok_r(path, ":", &rest); folder;
	     folder = strtok_r(NULL, ":", &rest))
		count = scan_folder(out, count, capacity, folder);
	free(path);
	return scan_pyenv(out, count, capacity);
}

bool interpreter_library(char *out, size_t len, const struct interpreter *interpreter)
{
	const char *bin = strstr(interpreter->path, "/bin/python");

	if (!bin)
		return false;
	snprintf(out, len, "%.*s/lib/libpython%d.%d%s.so.1.0", (int)(bin - interpreter->path),
		 interpreter->path, interpreter->major, interpreter->minor,
		 interpreter->minor < 8 ? "m" : "");
	return access(out, R_OK) == 0;
}

struct interpreter interpreter_any(void)
{
	struct interpreter all[32];
	size_t count = interpreters_find(all, 32), i = 0;

	while (i < count && (all[i].major < 3 || all[i].minor < 7))
		i++;
	cr_assert(lt(sz, i, count), "no CPython from 3.7 on is installed");
	return all[i];
}
