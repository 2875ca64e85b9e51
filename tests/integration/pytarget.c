/* SPDX-License-Identifier: MIT */
#include "tests/integration/pytarget.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/cleanup.h"
#include "inject/base/deadline.h"

#define LINE_TIMEOUT_NS (60 * INT64_C(1000000000))

bool pytarget_writes_bytecode = true;
const char *pytarget_preload;
bool pytarget_public;
const char *const *pytarget_wrapper;

static void read_text(char *out, size_t size, const char *dir, const char *name)
{
	char path[512];
	size_t got = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	_cleanup_file_ FILE *file = fopen(path, "re");
	if (file)
		got = fread(out, 1, size - 1, file);
	out[got] = '\0';
}

void pytarget_fail(const struct pytarget *target, const char *format, ...)
{
	char sentence[12000], err[4000];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	read_text(err, sizeof(err), target->dir, "stderr");
	cr_fatal("%s: %s\nthe target's standard error: %s", target->label, sentence, err);
}

void expect_status(const struct pytarget *target, const struct run *run, int status)
{
	if (run->status == status && !run->timed_out)
		return;
	pytarget_fail(target, "exit status %d%s, expected %d\nout: %.5000s\nerr: %.5000s",
		      run->status, run->timed_out ? " (no end)" : "", status, run->out,
		      run->err);
}

void expect_version(const struct pytarget *target, const struct round *round, int version)
{
	if (round->version != version)
		pytarget_fail(target, "answers of v%d expected: %s", version, round->text);
}

void expect_text(const struct run *run, const char *text, const char *wanted)
{
	if (!strcasestr(text, wanted))
		cr_fatal("\"%s\" is missing\nout: %.5000s\nerr: %.5000s", wanted, run->out,
			 run->err);
}

void pytarget_write(struct pytarget *target, const char *name, const char *text)
{
	char path[512], fresh[520];

	snprintf(path, sizeof(path), "%s/%s", target->dir, name);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	_cleanup_file_ FILE *file = fopen(fresh, "we");
	cr_assert(file != NULL && fputs(text, file) >= 0 && fflush(file) == 0,
		  "cannot write %s", fresh);
	cr_assert(rename(fresh, path) == 0);
}

/* Copy one of tests/targets/, with "v0" replaced by the version. */
static void install_source(struct pytarget *target, const char *name, int version)
{
	const char *from = getenv("PYHOTPATCH_TARGETS");
	char text[8192], made[9000], *at, *rest = text;
	size_t used = 0;

	read_text(text, sizeof(text), from ? from : "tests/targets", name);
	cr_assert(text[0] != '\0', "no tests/targets/%s (PYHOTPATCH_TARGETS)", name);
	while ((at = strstr(rest, "\"v0\""))) {
		used += (size_t)snprintf(made + used, sizeof(made) - used, "%.*s\"v%d\"",
					 (int)(at - rest), rest, version);
		rest = at + 4;
	}
	snprintf(made + used, sizeof(made) - used, "%s", rest);
	pytarget_write(target, name, made);
}

void pytarget_edit(struct pytarget *target)
{
	target->version++;
	install_source(target, "edited.py", target->version);
	install_source(target, "second.py", target->version);
}

void pytarget_append(const struct pytarget *target, const char *text)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/edited.py", target->dir);
	_cleanup_file_ FILE *file = fopen(path, "ae");
	cr_assert(file != NULL && fputs(text, file) >= 0 && fflush(file) == 0,
		  "cannot write %s", path);
}

void pytarget_unedit(struct pytarget *target)
{
	target->version--;
	install_source(target, "edited.py", target->version);
	install_source(target, "second.py", target->version);
}

/* In the child: never returns. */
static void become_python(const struct pytarget *target, const char *root, const int *in,
			  const int *out, const char *const *argv)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Yama lets only ancestors trace; pyhotpatch is no ancestor of what the test started.
	 */
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	if (root[0] && chroot(root) < 0)
		_exit(126);
	if (chdir(target->dir) < 0)
		_exit(126);
	dup2(in[0], 0);
	dup2(out[1], 1);
	dup2(open("stderr", O_WRONLY | O_CREAT | O_APPEND, 0600), 2);
	if (pytarget_writes_bytecode)
		unsetenv("PYTHONDONTWRITEBYTECODE");
	else
		setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
	if (pytarget_preload)
		setenv("LD_PRELOAD", pytarget_preload, 1);
	closefrom(3);
	execvp(argv[0], (char **)(uintptr_t)argv);
	_exit(127);
}

/* The closing summary of scripts/test names every interpreter that ran. */
static void note_that_it_ran(const char *label)
{
	const char *path = getenv("PYHOTPATCH_TEST_RAN");
	_cleanup_fd_ int fd =
		path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;

	if (fd >= 0)
		dprintf(fd, "%s\n", label);
}

/* Laid out as in the build folder, where it finds its payload. */
void pytarget_copy_program(const struct pytarget *target, char *path, size_t size)
{
	char payload[600], copied[600];
	const char *program = pyhotpatch_path();
	struct run run;

	snprintf(path, size, "%s/src/pyhotpatch", target->dir);
	snprintf(payload, sizeof(payload), "%.*s/../payload/payload.so",
		 (int)(strrchr(program, '/') - program), program);
	snprintf(copied, sizeof(copied), "%s/payload/payload.so", target->dir);
	if (!pytarget_public)
		cr_assert(chmod(target->dir, 0711) == 0);
	run_command(&run,
		    (const char *const[]){"install", "-D", "-m", "755", program, path, NULL},
		    5000);
	cr_assert(run.status == 0, "%s", run.err);
	run_command(&run,
		    (const char *const[]){"install", "-D", "-m", "644", payload, copied, NULL},
		    5000);
	cr_assert(run.status == 0, "%s", run.err);
}

void pytarget_install(struct pytarget *target, const char *name)
{
	install_source(target, name, target->version);
}

void pytarget_make(struct pytarget *out, const char *label)
{
	static const char *const sources[] = {"state.py", "edited.py", "second.py"};
	const char *tmp = getenv("TMPDIR");

	memset(out, 0, sizeof(*out));
	snprintf(out->label, sizeof(out->label), "%s", label);
	snprintf(out->dir, sizeof(out->dir), "%s/pyhotpatch-test-XXXXXX", tmp ? tmp : "/tmp");
	cr_assert(mkdtemp(out->dir) != NULL, "cannot make %s", out->dir);
	if (pytarget_public)
		cr_assert(chmod(out->dir, 0755) == 0);
	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++)
		install_source(out, sources[i], 0);
}

/* The last of its line: what the words before the interpreter have started. */
static pid_t last_descendant(pid_t pid)
{
	char path[64], text[64] = "";

	for (int depth = 0; depth < 8; depth++) {
		snprintf(path, sizeof(path), "/proc/%d/task/%d", pid, pid);
		read_text(text, sizeof(text), path, "children");
		if (text[0] == '\0')
			break;
		pid = (pid_t)strtol(text, NULL, 10);
	}
	return pid;
}

static void start(struct pytarget *out, const struct interpreter *interpreter,
		  const char *const *arguments)
{
	const char *argv[32];
	size_t count = 0;
	int in_pipe[2], out_pipe[2];

	for (const char *const *w = pytarget_wrapper; w && *w && count < 24; w++)
		argv[count++] = *w;
	for (; *arguments && count < 31; arguments++)
		argv[count++] = *arguments;
	argv[count] = NULL;

	cr_assert(pipe2(in_pipe, O_CLOEXEC) == 0 && pipe2(out_pipe, O_CLOEXEC) == 0);
	out->pid = out->child = fork();
	if (out->pid == 0)
		become_python(out, interpreter->root, in_pipe, out_pipe, argv);
	close(in_pipe[0]);
	close(out_pipe[1]);
	out->in = in_pipe[1];
	out->out = out_pipe[0];
	snprintf(out->number, sizeof(out->number), "%d", out->pid);
	note_that_it_ran(interpreter->label);
	pytarget_await(out, "round 0 ");
	if (pytarget_wrapper)
		out->pid = last_descendant(out->child);
}

void pytarget_start(struct pytarget *out, const struct interpreter *interpreter,
		    const char *script, const char *mode, const char *seconds)
{
	const char *argv[] = {interpreter->path, script, mode, seconds, NULL};

	char label[120];

	snprintf(label, sizeof(label), "%s (%s %s)", interpreter->label, script, mode);
	pytarget_make(out, label);
	install_source(out, script, 0);
	start(out, interpreter, argv);
}

void pytarget_start_host(struct pytarget *out, const struct interpreter *interpreter,
			 const char *mode)
{
	const char *host = getenv("PYHOTPATCH_HOST");
	const char *argv[] = {host, interpreter->library, mode, NULL};

	char label[120];

	cr_assert(host != NULL, "run by meson or scripts/run-suite");
	snprintf(label, sizeof(label), "%s (host %s)", interpreter->label, mode);
	pytarget_make(out, label);
	start(out, interpreter, argv);
	out->on_demand = true;
}

void pytarget_start_program(struct pytarget *out, const struct interpreter *interpreter,
			    const char *source, const char *const *argv)
{
	char label[120];

	snprintf(label, sizeof(label), "%s (%s %s)", interpreter->label,
		 strrchr(argv[0], '/') + 1, argv[2]);
	pytarget_make(out, label);
	install_source(out, source, 0);
	start(out, interpreter, argv);
	out->on_demand = true;
}

static void remove_folder(const char *dir)
{
	const char *argv[] = {"rm", "-rf", dir, NULL};
	struct run run;

	run_command(&run, argv, 10000);
}

void pytarget_stop(struct pytarget *target)
{
	if (target->pid > 0) {
		kill(target->pid, SIGKILL);
		kill(target->child, SIGKILL);
		waitpid(target->child, NULL, 0);
		close(target->in);
		close(target->out);
	}
	if (target->dir[0] != '\0')
		remove_folder(target->dir);
	memset(target, 0, sizeof(*target));
}

bool pytarget_alive(const struct pytarget *target)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)target->child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == 0;
}

size_t pytarget_threads(const struct pytarget *target)
{
	char path[64];
	size_t count = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", target->pid);
	DIR *dir = opendir(path);
	if (!dir)
		return 0;
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

/* More of its output into the buffer; the test ends when none comes. */
static void more(struct pytarget *target, struct deadline deadline)
{
	struct pollfd fd = {target->out, POLLIN, 0};
	int64_t left = deadline_left_ns(deadline);
	ssize_t got = -1;

	if (left > 0 && poll(&fd, 1, (int)(left / 1000000) + 1) > 0)
		got = read(target->out, target->buffer + target->buffered,
			   sizeof(target->buffer) - target->buffered);
	if (got == 0)
		pytarget_fail(target, "it has ended");
	if (got < 0)
		pytarget_fail(target, "it says nothing any more (%zu threads)",
			      pytarget_threads(target));
	target->buffered += (size_t)got;
}

/* Take one line, without its newline. */
static void take_line(struct pytarget *target, char *line, size_t size)
{
	struct deadline deadline = deadline_after_ns(LINE_TIMEOUT_NS);
	char *end;

	while (!(end = memchr(target->buffer, '\n', target->buffered)))
		more(target, deadline);
	snprintf(line, size, "%.*s", (int)(end - target->buffer), target->buffer);
	target->buffered -= (size_t)(end + 1 - target->buffer);
	memmove(target->buffer, end + 1, target->buffered);
	if (strncmp(line, "CORRUPT", 7) == 0)
		pytarget_fail(target, "%s", line);
}

void pytarget_await(struct pytarget *target, const char *prefix)
{
	char line[256];

	do
		take_line(target, line, sizeof(line));
	while (strncmp(line, prefix, strlen(prefix)) != 0);
}

void pytarget_next(struct pytarget *target, struct round *out)
{
	int v[5];

	if (target->on_demand)
		cr_assert(eq(int, (int)write(target->in, "x", 1), 1));
	do
		take_line(target, out->text, sizeof(out->text));
	while (sscanf(out->text, "round %ld elapsed %lf answers v%d v%d v%d v%d v%d",
		      &out->number, &out->elapsed, &v[0], &v[1], &v[2], &v[3], &v[4]) != 7);
	out->version = v[0];
	for (int i = 1; i < 5; i++)
		if (v[i] != v[0])
			out->version = -1;
}

void pytarget_drain(struct pytarget *target)
{
	struct pollfd fd = {target->out, POLLIN, 0};
	char buffer[4096];
	ssize_t got;

	target->buffered = 0;
	while (poll(&fd, 1, 0) > 0 && (got = read(target->out, buffer, sizeof(buffer))) > 0)
		if (memmem(buffer, (size_t)got, "CORRUPT", 7))
			pytarget_fail(target, "%.*s", (int)got, buffer);
}

void pytarget_fresh(struct pytarget *target, struct round *out)
{
	pytarget_drain(target);
	/* The first may have begun before, and a line may have been cut by the draining. */
	pytarget_next(target, out);
	pytarget_next(target, out);
}
