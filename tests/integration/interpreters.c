/* SPDX-License-Identifier: MIT */
#include "tests/integration/interpreters.h"

#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/cleanup.h"
#include "tests/integration/run.h"

#define INTERPRETERS_MAX 64

static struct interpreter found[INTERPRETERS_MAX];
static struct stat identity[INTERPRETERS_MAX];
static size_t found_count;
static bool searched;

/* python2.7, python3.11, python3.11d, python3.13t; not python3.11-config. */
static bool is_interpreter_name(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	if (strncmp(name, "python", 6) != 0 || (name[6] != '2' && name[6] != '3') ||
	    name[7] != '.')
		return false;
	name += 8;
	if (!isdigit((unsigned char)*name))
		return false;
	while (isdigit((unsigned char)*name))
		name++;
	return name[0] == '\0' || ((name[0] == 'd' || name[0] == 't') && name[1] == '\0');
}

/* Version managers put shell scripts of the same name into PATH: those are no interpreters. */
static bool is_elf(const char *path)
{
	_cleanup_file_ FILE *file = fopen(path, "re");
	char magic[4] = "";

	return file && fread(magic, 1, 4, file) == 4 && memcmp(magic, "\177ELF", 4) == 0;
}

static bool is_known(const struct stat *st)
{
	for (size_t i = 0; i < found_count; i++)
		if (identity[i].st_dev == st->st_dev && identity[i].st_ino == st->st_ino)
			return true;
	return false;
}

/* Where its own build would have put its library, as the process sees it; whether it was built
 * with one or not. */
static void find_library(struct interpreter *out)
{
	const char *bin = strstr(out->path, "/bin/python");
	const char *abi = out->major == 3 && out->minor < 8 ? "m" : "";
	static const char *const folders[] = {"lib", "lib/x86_64-linux-gnu"};

	for (size_t i = 0; bin && i < sizeof(folders) / sizeof(*folders); i++) {
		char seen[800];

		snprintf(out->library, sizeof(out->library),
			 "%.*s/%s/libpython%d.%d%s%s.so.1.0", (int)(bin - out->path), out->path,
			 folders[i], out->major, out->minor, out->debug ? "d" : "", abi);
		snprintf(seen, sizeof(seen), "%s%s", out->root, out->library);
		if (access(seen, R_OK) == 0)
			return;
	}
	out->library[0] = '\0';
}

/* Ask it what it is. */
static bool describe(struct interpreter *out, const char *path, const char *root)
{
	/* Whether it is shared is seen in its maps: importing sysconfig would take ten times
	 * longer. */
	static const char question[] =
		"import sys\n"
		"v = sys.version_info\n"
		"name = getattr(getattr(sys, 'implementation', None), 'name', 'cpython')\n"
		"maps = open('/proc/self/maps').read()\n"
		"print('%d %d %d %d %d %d %d %s' % (v[0], v[1], v[2],\n"
		"      hasattr(sys, 'gettotalrefcount'), 'libpython' in maps,\n"
		"      'musl' in maps and 'libc.so.6' not in maps,\n"
		"      't' in getattr(sys, 'abiflags', ''), name))\n"
		"import _ctypes\n"
		"print('ctypes')\n";
	const char *argv[] = {"/usr/sbin/chroot", root, path, "-S", "-E", "-c", question, NULL};
	struct run run;
	int micro, debug, shared, musl, free_threaded;
	char name[16];

	run_command(&run, root[0] ? argv : argv + 2, 20000);
	/* It ends with status 1 where there is no _ctypes. */
	if (sscanf(run.out, "%d %d %d %d %d %d %d %15s", &out->major, &out->minor, &micro,
		   &debug, &shared, &musl, &free_threaded, name) != 8)
		return false;
	if (strcmp(name, "cpython") != 0)
		return false;
	snprintf(out->path, sizeof(out->path), "%s", path);
	snprintf(out->root, sizeof(out->root), "%s", root);
	out->debug = debug;
	out->shared = shared;
	out->musl = musl;
	out->free_threaded = free_threaded;
	out->ctypes = strstr(run.out, "\nctypes") != NULL;
	snprintf(out->label, sizeof(out->label), "CPython %d.%d.%d %s%s%s%s", out->major,
		 out->minor, micro, shared ? "shared" : "static", debug ? " debug" : "",
		 musl ? " musl" : "", free_threaded ? " free-threaded" : "");
	find_library(out);
	return true;
}

static void look_at(const char *path)
{
	struct stat st;

	if (found_count == INTERPRETERS_MAX || !is_interpreter_name(path) ||
	    stat(path, &st) < 0 || !S_ISREG(st.st_mode) || is_known(&st) || !is_elf(path))
		return;
	if (describe(&found[found_count], path, ""))
		identity[found_count++] = st;
}

static void look_for(const char *pattern)
{
	glob_t matches = {0};

	if (glob(pattern, 0, NULL, &matches) == 0)
		for (size_t i = 0; i < matches.gl_pathc; i++)
			look_at(matches.gl_pathv[i]);
	globfree(&matches);
}

static int by_version(const void *a, const void *b)
{
	const struct interpreter *x = a, *y = b;

	if (x->major != y->major)
		return x->major - y->major;
	if (x->minor != y->minor)
		return x->minor - y->minor;
	return strcmp(x->label, y->label);
}

/* Those named in PYHOTPATCH_INTERPRETERS. One that does not answer ends the tests: nobody names
 * it to have it left out. */
static void take_named(const char *names)
{
	_cleanup_free_ char *copy = strdup(names);
	char *rest = copy;

	for (char *word = strsep(&rest, " \n"); word; word = strsep(&rest, " \n")) {
		char *path = strchr(word, ':');
		if (!*word)
			continue;
		if (path)
			*path++ = '\0';
		if (found_count == INTERPRETERS_MAX ||
		    !describe(&found[found_count], path ? path : word, path ? word : ""))
			cr_fatal("PYHOTPATCH_INTERPRETERS: %s cannot be asked",
				 path ? path : word);
		found_count++;
	}
}

static void search(void)
{
	static const char *const below_home[] = {
		".*/versions/*/bin/python*", ".local/share/*/python/*/bin/python*",
		".*/installs/python/*/bin/python*", "*/envs/*/bin/python*"};
	_cleanup_free_ char *path = strdup(getenv("PATH") ? getenv("PATH") : "");
	const char *home = getenv("HOME") ? getenv("HOME") : "/root";
	const char *named = getenv("PYHOTPATCH_INTERPRETERS");
	char pattern[1024], *rest = path;

	searched = true;
	if (named) {
		take_named(named);
		return;
	}
	look_for("/usr/bin/python*");
	look_for("/usr/local/bin/python*");
	for (char *folder = strsep(&rest, ":"); folder; folder = strsep(&rest, ":")) {
		snprintf(pattern, sizeof(pattern), "%s/python*", folder);
		if (*folder == '/')
			look_for(pattern);
	}
	for (size_t i = 0; i < sizeof(below_home) / sizeof(*below_home); i++) {
		snprintf(pattern, sizeof(pattern), "%s/%s", home, below_home[i]);
		look_for(pattern);
	}
	qsort(found, found_count, sizeof(*found), by_version);
}

const struct interpreter *interpreters_all(size_t *count)
{
	if (!searched)
		search();
	*count = found_count;
	return found;
}

bool interpreter_is_served(const struct interpreter *interpreter)
{
	return interpreter->major == 3 && interpreter->minor >= 7 && interpreter->minor <= 15;
}

bool interpreter_never_frees(const struct interpreter *interpreter)
{
	return interpreter->free_threaded && interpreter->minor == 13;
}

const struct interpreter *interpreters_find(int major, int minor)
{
	size_t count;
	const struct interpreter *all = interpreters_all(&count);

	for (size_t i = 0; i < count; i++)
		if (all[i].major == major && all[i].minor == minor)
			return &all[i];
	return NULL;
}

const struct interpreter *interpreters_debug(void)
{
	size_t count;
	const struct interpreter *all = interpreters_all(&count);

	for (size_t i = count; i-- > 0;)
		if (interpreter_is_served(&all[i]) && all[i].debug)
			return &all[i];
	return NULL;
}

const struct interpreter *interpreters_embeddable(void)
{
	size_t count;
	const struct interpreter *all = interpreters_all(&count);

	for (size_t i = count; i-- > 0;)
		if (interpreter_is_served(&all[i]) && all[i].library[0])
			return &all[i];
	return NULL;
}

const struct interpreter *interpreters_newest(void)
{
	size_t count;
	const struct interpreter *all = interpreters_all(&count);

	for (size_t i = count; i-- > 0;)
		if (interpreter_is_served(&all[i]))
			return &all[i];
	return NULL;
}

const struct interpreter *interpreters_other(void)
{
	size_t count;
	const struct interpreter *all = interpreters_all(&count);

	for (size_t i = 0; i < count; i++)
		if (interpreter_is_served(&all[i]) && !all[i].shared && !all[i].debug)
			return &all[i];
	for (size_t i = 0; i < count; i++)
		if (interpreter_is_served(&all[i]))
			return &all[i];
	return NULL;
}

static void params_free(struct criterion_test_params *params)
{
	cr_free(params->params);
}

static struct criterion_test_params params_of(const char *const *modes, bool has_library,
					      int first_minor)
{
	size_t count, mode_count = 0, used = 0;
	const struct interpreter *all = interpreters_all(&count);
	struct case_param *params;

	while (modes[mode_count])
		mode_count++;
	params = cr_malloc((count * mode_count + 1) * sizeof(*params));
	for (size_t i = 0; i < count; i++) {
		if (!interpreter_is_served(&all[i]) || all[i].minor < first_minor ||
		    (has_library && !all[i].library[0]))
			continue;
		for (size_t m = 0; m < mode_count; m++) {
			params[used].interpreter = all[i];
			snprintf(params[used++].mode, sizeof(params->mode), "%s", modes[m]);
		}
	}
	return cr_make_param_array(struct case_param, params, used, params_free);
}

struct criterion_test_params interpreters_params(const char *const *modes)
{
	return params_of(modes, false, 0);
}

struct criterion_test_params interpreters_library_params(const char *const *modes)
{
	return params_of(modes, true, 0);
}

struct criterion_test_params interpreters_params_since(int minor, const char *const *modes)
{
	return params_of(modes, false, minor);
}
