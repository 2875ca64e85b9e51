/* SPDX-License-Identifier: MIT
 *
 * Which Python a process runs: by what its files export, not by what they are called, and the
 * one that is initialised when there are several.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inject/base/cleanup.h"
#include "inject/proc/scan.h"
#include "inject/target/parts.h"

bool python_is_name(const char *path)
{
	const char *base = path_base(path);

	return !strncmp(base, "python", 6) || !strncmp(base, "libpython", 9) ||
	       !strncmp(base, "pypy", 4) || !strncmp(base, "libpypy", 7) ||
	       !strncmp(base, "graalpy", 7) || !strncmp(base, "uwsgi", 5);
}

static bool exports(const struct module *module, const char *name)
{
	struct elf_symbol symbol;

	return elf_image_find(&symbol, &module->image, name);
}

static bool is_named(const struct module *module, const char *prefix)
{
	return !strncmp(path_base(module->path), prefix, strlen(prefix));
}

static enum python_kind kind_of(const struct module *module)
{
	if (is_named(module, "libpythonvm.so") || is_named(module, "graalpy"))
		return PYTHON_GRAALPY;
	if (is_named(module, "libpypy") || exports(module, "pypy_main_startup") ||
	    exports(module, "rpython_startup_code"))
		return PYTHON_PYPY;
	if (!exports(module, "PyGILState_Ensure") || !exports(module, "PyImport_GetModuleDict"))
		return PYTHON_NONE;
	return exports(module, "PyString_FromString") ? PYTHON_CPYTHON2 : PYTHON_CPYTHON;
}

/* A number of a version, one or two digits. */
static bool take_part(struct scan *scan, uint8_t *out)
{
	uint64_t value;

	if (!scan_number(scan, 10, &value) || value > 99)
		return false;
	*out = (uint8_t)value;
	return true;
}

/* The X.Y of "libpython3.12.so.1.0", "libpython3.7m.so", "python3.11d". */
static bool version_of_name(struct python_info *info, const char *path)
{
	const char *at = strstr(path_base(path), "python");
	uint8_t major, minor;

	if (!at)
		return false;
	struct scan scan = scan_of(at + 6, strlen(at + 6));
	if (!take_part(&scan, &major) || !scan_char(&scan, '.') || !take_part(&scan, &minor))
		return false;
	info->major = major;
	info->minor = minor;
	if (scan_char(&scan, 't'))
		info->free_threaded = true;
	return true;
}

/* Py_Version: 0x030c01f0 is 3.12.1 final (3.11 and later, Python/getversion.c). */
static bool version_of_symbol(struct python_info *info, const struct target *target,
			      const struct module *module)
{
	struct elf_symbol symbol;
	struct hp_err ignored;
	uint32_t hex;

	if (!elf_image_find(&symbol, &module->image, "Py_Version") ||
	    target_read(target, addr_of(module->bias + symbol.value), &hex, sizeof(hex),
			&ignored) < 0)
		return false;
	info->major = (uint8_t)(hex >> 24);
	info->minor = (uint8_t)(hex >> 16);
	info->micro = (uint8_t)(hex >> 8);
	return true;
}

/* The end of a string, "X.Y.Z", perhaps with a suffix as "rc1" or "+", at `at`. The linker may
 * have folded the constant into the end of another one, as of a path: only a digit, letter or
 * point before it shows that it is something else. */
static bool take_version_string(struct python_info *info, const char *text, const char *at,
				const char *end)
{
	const char *nul = memchr(at, 0, (size_t)(end - at));
	uint8_t major, minor, micro;

	if (!nul || nul - at > 16 ||
	    (at > text && (isalnum((unsigned char)at[-1]) || at[-1] == '.')))
		return false;
	struct scan scan = scan_of(at, (size_t)(nul - at));
	if (!take_part(&scan, &major) || !scan_char(&scan, '.') || !take_part(&scan, &minor) ||
	    !scan_char(&scan, '.') || !take_part(&scan, &micro) ||
	    strspn(scan.at, "abrc+0123456789") != (size_t)(nul - scan.at))
		return false;
	if (info->major ? major != info->major || minor != info->minor
			: major != 3 || minor < 5 || minor > 10)
		return false;
	info->major = major;
	info->minor = minor;
	info->micro = micro;
	return true;
}

/* Before 3.11 the micro version is only a string constant, PY_VERSION, without a symbol. */
static bool find_version_string(void *context, const char *text, size_t len)
{
	struct python_info *info = context;
	const char *end = text + len;
	char wanted[16] = "3.";

	if (info->major)
		snprintf(wanted, sizeof(wanted), "%u.%u.", info->major, info->minor);
	for (const char *at = text;
	     (at = memmem(at, (size_t)(end - at), wanted, strlen(wanted))); at++) {
		if (take_version_string(info, text, at, end))
			return true;
	}
	return false;
}

/* The head of _PyRuntime, which is all that its users outside may know of it.
 *
 *   3.7          int initialized, core_initialized; finalizing
 *   3.8 - 3.10   int preinitializing, preinitialized, core_initialized, initialized; finalizing
 *   3.11, 3.12   int _initialized, preinitializing, preinitialized, core_initialized,
 * initialized; finalizing 3.13         _Py_DebugOffsets, which says where finalizing is; before
 * it as in 3.12
 *
 * Include/internal/pycore_runtime.h of each; pycore_debug_offsets.h of 3.13. */
struct runtime_place {
	uint64_t initialized, finalizing;
};

static bool runtime_place_of(struct runtime_place *out, const struct python_info *info,
			     const uint8_t *head)
{
	uint64_t finalizing;

	if (info->minor == 7)
		*out = (struct runtime_place){0, 8};
	else if (info->minor <= 10)
		*out = (struct runtime_place){12, 16};
	else if (info->minor <= 12)
		*out = (struct runtime_place){16, 24};
	else {
		memcpy(&finalizing, head + 32, sizeof(finalizing));
		if (memcmp(head, "xdebugpy", 8) != 0 || finalizing < 8 || finalizing > 65536)
			return false;
		*out = (struct runtime_place){finalizing - 8, finalizing};
	}
	return true;
}

/* 3.6 has no _PyRuntime, but learns its encoding as it starts (Python/pylifecycle.c). */
static bool has_encoding(const struct python_info *info, const struct target *target)
{
	struct elf_symbol symbol;
	struct hp_err ignored;
	uint64_t encoding;

	return info->major != 3 ||
	       !elf_image_find(&symbol, &info->module->image, "Py_FileSystemDefaultEncoding") ||
	       target_read(target, addr_of(info->module->bias + symbol.value), &encoding,
			   sizeof(encoding), &ignored) < 0 ||
	       encoding != 0;
}

/* What cannot be read or is not known counts as initialised: the payload asks Python itself. */
static void read_runtime(struct python_info *info, const struct target *target)
{
	struct elf_symbol symbol;
	struct runtime_place place;
	uint8_t head[64];
	uint32_t initialized;
	uint64_t finalizing;
	struct hp_err ignored;

	info->initialized = info->minor >= 7 || has_encoding(info, target);
	if (info->major != 3 || info->minor < 7 ||
	    !elf_image_find(&symbol, &info->module->image, "_PyRuntime"))
		return;
	remote_addr runtime = addr_of(info->module->bias + symbol.value);
	if (target_read(target, runtime, head, sizeof(head), &ignored) < 0 ||
	    !runtime_place_of(&place, info, head) ||
	    target_read(target, addr_add(runtime, place.initialized), &initialized,
			sizeof(initialized), &ignored) < 0 ||
	    target_read(target, addr_add(runtime, place.finalizing), &finalizing,
			sizeof(finalizing), &ignored) < 0)
		return;
	info->initialized = initialized != 0;
	info->finalizing = finalizing != 0;
}

static void describe_for_people(struct python_info *info)
{
	char micro[8] = "";

	if (info->kind == PYTHON_PYPY || info->kind == PYTHON_GRAALPY) {
		snprintf(info->version, sizeof(info->version), "%s",
			 info->kind == PYTHON_PYPY ? "PyPy" : "GraalPy");
		return;
	}
	if (info->micro != PYTHON_MICRO_UNKNOWN)
		snprintf(micro, sizeof(micro), ".%u", info->micro);
	snprintf(info->version, sizeof(info->version), "%u.%u%s%s%s", info->major, info->minor,
		 micro, info->free_threaded ? " free-threaded" : "",
		 info->debug_build ? " debug" : "");
}

static void inspect(struct python_info *out, const struct target *target,
		    const struct module *module, enum python_kind kind)
{
	struct python_info info = {
		.kind = kind,
		.module = module,
		.micro = PYTHON_MICRO_UNKNOWN,
		.initialized = true,
	};

	if (kind == PYTHON_CPYTHON || kind == PYTHON_CPYTHON2) {
		(void)version_of_name(&info, module->path);
		if (!version_of_symbol(&info, target, module))
			(void)constants_search(target, module, find_version_string, &info);
		/* Both exist in debug builds only (Py_REF_DEBUG), one or the other in each
		 * version. */
		info.debug_build = exports(module, "_Py_NegativeRefcount") ||
				   exports(module, "_Py_RefTotal");
		if (exports(module, "_Py_MergeZeroLocalRefcount")) /* Py_GIL_DISABLED */
			info.free_threaded = true;
		read_runtime(&info, target);
	}
	describe_for_people(&info);
	*out = info;
}

/* How good a find is: of several Pythons the one that runs, of CPython 2 and 3 the latter. */
static int rank(const struct python_info *info)
{
	if (info->kind == PYTHON_NONE)
		return 0;
	return 1 + (info->kind == PYTHON_CPYTHON) + 2 * info->initialized;
}

static int consider(struct target *target, size_t index, struct hp_err *err)
{
	struct module *module = &target->modules[index];
	struct python_info info;
	enum python_kind kind;

	if (module_load(target, module, err) < 0)
		return -1;
	kind = kind_of(module);
	if (kind == PYTHON_NONE)
		return 0;
	inspect(&info, target, module, kind);
	if (rank(&info) > rank(&target->python))
		target->python = info;
	return 0;
}

/* First the files whose names promise a Python; all the others only when none of these has one.
 */
int python_find(struct target *target, struct hp_err *err)
{
	struct hp_err ignored;

	for (size_t i = 0; i < target->module_count; i++) {
		const struct module *module = &target->modules[i];

		if ((module == target->executable || python_is_name(module->path)) &&
		    module->path[0] == '/' && consider(target, i, err) < 0)
			return -1;
	}
	for (size_t i = 0; target->python.kind == PYTHON_NONE && i < target->module_count;
	     i++) {
		if (!target->modules[i].loaded)
			(void)consider(target, i, &ignored);
	}
	return 0;
}

static int refuse(struct hp_err *err, enum hp_obstacle obstacle, const struct target *target,
		  const char *what)
{
	return hp_err_obstacle(err, obstacle, 0, "process %d runs %s", target->pid, what);
}

static int check_machine(const struct target *target, struct hp_err *err)
{
	const struct elf_image *image = target->executable ? &target->executable->image : NULL;

	if (!image)
		return 0;
	if (image->elf_class == 1) /* ELFCLASS32 */
		return refuse(err, OBSTACLE_WORD_SIZE, target, "a 32-bit program");
	if (image->machine != 62) { /* EM_X86_64 */
		return hp_err_obstacle(
			err, OBSTACLE_MACHINE, 0,
			"process %d runs a program for another machine (ELF machine %u)",
			target->pid, image->machine);
	}
	return 0;
}

static int check_version(const struct target *target, struct hp_err *err)
{
	const struct python_info *python = &target->python;
	char what[64];

	snprintf(what, sizeof(what), "CPython %s", python->version);
	if (python->major == 3 && python->minor > 15) {
		refuse(err, OBSTACLE_NEW_PYTHON, target, what);
		return hp_err_hint(
			err, "this pyhotpatch serves CPython up to 3.15; look for a newer one");
	}
	if (python->major != 3 || python->minor < 6) {
		refuse(err, OBSTACLE_OLD_PYTHON, target,
		       python->major ? what : "a CPython of unknown version");
		return hp_err_hint(err, "pyhotpatch serves CPython 3.7 to 3.15");
	}
	return 0;
}

static int check_state(const struct target *target, struct hp_err *err)
{
	const struct python_info *python = &target->python;

	if (python->finalizing)
		return hp_err_obstacle(err, OBSTACLE_FINALIZING, 0,
				       "the Python %s of process %d is shutting down",
				       python->version, target->pid);
	if (!python->initialized) {
		return hp_err_obstacle(err, OBSTACLE_NOT_STARTED, 0,
				       "the Python %s of process %d has not started yet",
				       python->version, target->pid);
	}
	return 0;
}

/* What CPython writes when it dies, since 3.7 (Python/pylifecycle.c): "Python runtime state: ".
 * Looked for in two parts, so that our own constants do not have it. */
static bool find_last_words(void *context, const char *text, size_t len)
{
	static const char second[] = " runtime state: ";
	const char *at = memmem(text, len, second, sizeof(second) - 1);

	(void)context;
	return at && at - text >= 6 && !memcmp(at - 6, "Python", 6);
}

/* A Python that is linked so that nobody can call into it, or something else of that name. */
static int check_quiet(const struct target *target, struct hp_err *err)
{
	const struct module *executable = target->executable;

	if (!executable || (strncmp(path_base(executable->path), "python", 6) != 0 &&
			    !constants_search(target, executable, find_last_words, NULL)))
		return 0;
	return hp_err_obstacle(err, OBSTACLE_NO_SYMBOLS, 0,
			       "process %d runs %s, which exports no functions of CPython",
			       target->pid, executable->path);
}

int python_check(const struct target *target, struct hp_err *err)
{
	if (check_machine(target, err) < 0)
		return -1;
	switch (target->python.kind) {
	case PYTHON_NONE:
		return check_quiet(target, err) < 0
			       ? -1
			       : hp_err_obstacle(err, OBSTACLE_NOT_PYTHON, 0,
						 "process %d (%s) is not a Python process",
						 target->pid, target->status.name);
	case PYTHON_PYPY:
		refuse(err, OBSTACLE_PYPY, target, "PyPy");
		return hp_err_hint(err, "pyhotpatch serves CPython 3.7 to 3.15, not PyPy");
	case PYTHON_GRAALPY:
		refuse(err, OBSTACLE_GRAALPY, target, "GraalPy");
		return hp_err_hint(err, "pyhotpatch serves CPython 3.7 to 3.15, not GraalPy");
	case PYTHON_CPYTHON2:
		hp_err_obstacle(err, OBSTACLE_PYTHON_2, 0, "process %d runs Python 2 (%s)",
				target->pid, target->python.version);
		return hp_err_hint(err, "pyhotpatch serves CPython 3.7 to 3.15, not Python 2");
	case PYTHON_CPYTHON:
		break;
	}
	return check_version(target, err) < 0 ? -1 : check_state(target, err);
}
