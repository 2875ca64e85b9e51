/* SPDX-License-Identifier: MIT
 *
 * Descriptions of real processes, compared with what these say about themselves.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/target/target.h"
#include "victims.h"

#define ADDRESS_NAMES "PyGILState_Ensure PyGILState_Release Py_IsInitialized PyObject_Str"

/* The interpreter tells its version, whether it is a debug build, and where its functions are.
 */
static const char tell_all[] =
	"import sys, ctypes\n"
	"api = ctypes.pythonapi\n"
	"libc = ctypes.CDLL(None)\n"
	"at = lambda f: ctypes.cast(f, ctypes.c_void_p).value\n"
	"print('%d.%d.%d %d' % (sys.version_info[:3] + (hasattr(sys, 'gettotalrefcount'),)))\n"
	"for n in '" ADDRESS_NAMES "'.split(): print('%x' % at(getattr(api, n)))\n"
	"for n in 'munmap pthread_create'.split(): print('%x' % at(getattr(libc, n)))\n"
	"print('%x' % ctypes.addressof(ctypes.c_char.in_dll(api, 'PyExc_Exception')))\n"
	"sys.stdout.flush()\n"
	"sys.stdin.read()\n";

static int describe(struct target *out, const struct victim *victim, struct hp_err *err)
{
	return target_describe(out, victim->pid, TARGET_FULL, err);
}

/* Any interpreter, that waits until victim_end(). */
static struct victim describe_any(struct target *out)
{
	struct victim victim = victim_python(interpreter_any().path, tell_all);
	struct hp_err err;
	char line[128];

	victim_read_line(&victim, line, sizeof(line));
	cr_assert(eq(int, describe(out, &victim, &err), 0), "%s", err.text);
	return victim;
}

static void assert_address(const struct target *target, const char *name, const char *line)
{
	cr_assert(eq(u64, target_symbol(target, name).v, strtoull(line, NULL, 16)), "%s of %s",
		  name, target->exe);
}

static void assert_gadgets(const struct target *target)
{
	static const uint8_t restore_rt[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
	static const uint8_t syscall_ret[] = {0x0f, 0x05, 0xc3};
	uint8_t bytes[9];
	struct hp_err err;

	cr_assert(eq(int, target_read(target, target->libc.restore_rt, bytes, 9, &err), 0));
	cr_assert(eq(int, memcmp(bytes, restore_rt, 9), 0));
	cr_assert(eq(int, target_read(target, target->libc.syscall_ret, bytes, 3, &err), 0));
	cr_assert(eq(int, memcmp(bytes, syscall_ret, 3), 0));
	const struct map *map = maps_find(&target->maps, target->libc.syscall_ret);
	cr_assert(map && (map->prot & MAP_EXEC));
	map = maps_find(&target->maps, target->libc.restore_rt);
	cr_assert(map && (map->prot & MAP_EXEC));
}

static void assert_described(const struct interpreter *interpreter)
{
	struct victim victim = victim_python(interpreter->path, tell_all);
	char line[128], names[] = ADDRESS_NAMES " munmap pthread_create PyExc_Exception", *rest;
	struct target target;
	struct hp_err err = {0};
	int major, minor, micro, debug;

	victim_read_line(&victim, line, sizeof(line));
	cr_assert(eq(int, sscanf(line, "%d.%d.%d %d", &major, &minor, &micro, &debug), 4));
	cr_assert(eq(int, describe(&target, &victim, &err), 0), "%s: %s", interpreter->path,
		  err.text);
	cr_assert(eq(int, target.python.kind, PYTHON_CPYTHON));
	cr_assert(eq(int, target.python.major, major));
	cr_assert(eq(int, target.python.minor, minor));
	cr_assert(eq(int, target.python.micro, micro), "%s", interpreter->path);
	cr_assert(eq(int, target.python.debug_build, debug));
	cr_assert(eq(int, target.python.free_threaded, 0));
	cr_assert(target.python.initialized);
	cr_assert(not(target.python.finalizing));
	for (char *name = strtok_r(names, " ", &rest); name;
	     name = strtok_r(NULL, " ", &rest)) {
		victim_read_line(&victim, line, sizeof(line));
		assert_address(&target, name, line);
	}
	cr_assert(eq(int, target.libc.flavour, LIBC_GLIBC));
	cr_assert(eq(ptr, target.libc.malloc_module, target.libc.module));
	assert_gadgets(&target);
	cr_assert(target_alive(&target));
	target_fini(&target);
	victim_end(&victim);
}

Test(target, every_interpreter_is_described_as_it_describes_itself, .timeout = 120)
{
	struct interpreter all[32];
	size_t count = interpreters_find(all, 32), described = 0;

	for (size_t i = 0; i < count; i++) {
		if (all[i].major != 3 || all[i].minor < 6 || all[i].minor > 13)
			continue;
		assert_described(&all[i]);
		described++;
	}
	cr_assert(lt(sz, 0, described), "no CPython is installed");
}

Test(target, ifuncs_and_unknown_names_have_no_address)
{
	struct target target;
	struct victim victim = describe_any(&target);

	cr_assert(zero(u64, target_symbol(&target, "memcpy").v));
	cr_assert(zero(u64, target_symbol(&target, "no_such_function").v));
	cr_assert(zero(u64, target_symbol(&target, "").v));
	target_fini(&target);
	victim_end(&victim);
}

Test(target, an_address_leads_to_its_file)
{
	struct target target;
	struct victim victim = describe_any(&target);

	const struct module *libc = target.libc.module;
	cr_assert(eq(ptr, target_module_at(&target, target_symbol(&target, "munmap")), libc));
	cr_assert(eq(ptr, target_module_at(&target, libc->start), libc));
	cr_assert(ne(ptr, target_module_at(&target, libc->end), libc));
	cr_assert(eq(ptr, target_module_at(&target, target_symbol(&target, "PyObject_Str")),
		     target.python.module));
	cr_assert(zero(ptr, target_module_at(&target, addr_of(0))));
	cr_assert(zero(ptr, target_module_at(&target, addr_of(UINT64_MAX))));
	for (size_t i = 1; i < target.module_count; i++)
		cr_assert(le(u64, target.modules[i - 1].end.v, target.modules[i].start.v));
	target_fini(&target);
	victim_end(&victim);
}

Test(target, a_program_without_python_is_none)
{
	const char *argv[] = {"/bin/sleep", "1000", NULL};
	struct victim victim = victim_spawn(argv, NULL);
	struct target target;
	struct hp_err err = {0};

	victim_await_state(&victim, "S");
	cr_assert(eq(int, describe(&target, &victim, &err), -1));
	cr_assert(eq(int, err.kind, HP_NOT_PYTHON), "%s", err.text);
	cr_assert(ne(ptr, strstr(err.text, "sleep"), NULL));
	cr_assert(eq(int, target_describe(&target, victim.pid, TARGET_IDENTIFY, &err), -1));
	cr_assert(eq(int, err.kind, HP_NOT_PYTHON));
	victim_end(&victim);
}

/* An interpreter of which one file is a copy that we may delete: the executable, or the
 * library. */
struct copied {
	char folder[64], file[128];
	struct victim victim;
};

static void spawn_copied(struct copied *out, bool want_library)
{
	struct interpreter all[32];
	size_t count = interpreters_find(all, 32);
	char library[600], line[128], path[600] = "";

	for (size_t i = 0; i < count && !path[0]; i++) {
		if (all[i].major == 3 && all[i].minor >= 7 &&
		    interpreter_library(library, sizeof(library), &all[i]) == want_library)
			snprintf(path, sizeof(path), "%.511s", all[i].path);
	}
	if (!path[0])
		cr_skip("no CPython of that build (%s) is installed",
			want_library ? "shared" : "static");
	strcpy(out->folder, "/tmp/test_target_XXXXXX");
	cr_assert(ne(ptr, mkdtemp(out->folder), NULL));
	snprintf(out->file, sizeof(out->file), "%s/%.50s", out->folder,
		 strrchr(want_library ? library : path, '/') + 1);
	copy_file(want_library ? library : path, out->file);
	char search[100], home[700];
	snprintf(search, sizeof(search), "LD_LIBRARY_PATH=%s", out->folder);
	snprintf(home, sizeof(home), "PYTHONHOME=/usr");
	const char *environment[] = {search, want_library ? NULL : home, NULL};
	const char *argv[] = {want_library ? path : out->file, "-c", tell_all, NULL};
	out->victim = victim_spawn(argv, environment);
	victim_read_line(&out->victim, line, sizeof(line));
}

static void assert_described_after(struct copied *copied)
{
	char line[128], names[] = ADDRESS_NAMES, *rest;
	struct target target;
	struct hp_err err = {0};

	cr_assert(eq(int, describe(&target, &copied->victim, &err), 0), "%s", err.text);
	cr_assert(eq(str, target.python.module->path, copied->file));
	for (char *name = strtok_r(names, " ", &rest); name;
	     name = strtok_r(NULL, " ", &rest)) {
		victim_read_line(&copied->victim, line, sizeof(line));
		assert_address(&target, name, line);
	}
	target_fini(&target);
}

static void remove_copied(struct copied *copied)
{
	victim_end(&copied->victim);
	unlink(copied->file);
	rmdir(copied->folder);
}

/* Without these, as most users are, /proc/PID/map_files is closed and only memory has the file.
 */
static void drop_map_files_capability(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	cr_assert(eq(int, (int)syscall(SYS_capget, &header, data), 0));
	data[0].effective &= ~(1u << CAP_SYS_ADMIN);
	data[1].effective &= ~(1u << (40 - 32)); /* CAP_CHECKPOINT_RESTORE */
	cr_assert(eq(int, (int)syscall(SYS_capset, &header, data), 0));
}

static void assert_gone_file(bool library, bool privileged, const char *replacement)
{
	struct copied copied;

	spawn_copied(&copied, library);
	unlink(copied.file);
	if (replacement)
		copy_file(replacement, copied.file);
	if (!privileged)
		drop_map_files_capability();
	assert_described_after(&copied);
	remove_copied(&copied);
}

Test(target, a_deleted_executable_is_described)
{
	assert_gone_file(false, true, NULL);
}

Test(target, a_deleted_executable_is_described_from_memory)
{
	assert_gone_file(false, false, NULL);
}

Test(target, a_deleted_library_is_described)
{
	assert_gone_file(true, true, NULL);
}

Test(target, a_deleted_library_is_described_from_memory)
{
	assert_gone_file(true, false, NULL);
}

/* Another file under the same name, as an upgrade leaves it: reading it would give addresses of
 * something else. */
Test(target, a_replaced_library_is_not_taken_for_the_mapped_one)
{
	assert_gone_file(true, true, "/proc/self/exe");
}

Test(target, a_replaced_library_is_not_taken_for_the_mapped_one_without_privilege)
{
	assert_gone_file(true, false, "/proc/self/exe");
}

Test(target, exec_is_noticed)
{
	struct victim victim = victim_python(
		interpreter_any().path,
		"import os, sys; print('up'); sys.stdout.flush(); sys.stdin.readline()\n"
		"os.execv('/bin/sleep', ['sleep', '1000'])");
	struct target target;
	struct hp_err err = {0};
	char line[16];

	victim_read_line(&victim, line, sizeof(line));
	cr_assert(eq(int, describe(&target, &victim, &err), 0), "%s", err.text);
	cr_assert(target_alive(&target));
	cr_assert(eq(int, (int)write(victim.input, "\n", 1), 1));
	for (int i = 0; i < 1000 && target_alive(&target); i++)
		usleep(5000);
	cr_assert(not(target_alive(&target)));
	target_fini(&target);
	victim_end(&victim);
}

Test(target, an_ended_process_is_not_alive)
{
	struct target target;
	struct victim victim = describe_any(&target);
	struct hp_err err = {0};
	char byte;

	remote_addr addr = target_symbol(&target, "munmap");
	victim_end(&victim);
	cr_assert(not(target_alive(&target)));
	cr_assert(eq(int, target_read(&target, addr, &byte, 1, &err), -1));
	cr_assert(eq(int, err.kind, HP_NO_PROCESS), "%s", err.text);
	target_fini(&target);
}

Test(target, reading_what_is_not_mapped_fails)
{
	struct target target;
	struct victim victim = describe_any(&target);
	struct hp_err err = {0};
	static char buffer[65536];

	cr_assert(eq(int, target_read(&target, addr_of(8), buffer, 8, &err), -1));
	cr_assert(eq(int, err.kind, HP_SYSTEM));
	cr_assert(eq(int, target_read(&target, addr_of(UINT64_MAX - 4), buffer, 8, &err), -1));
	/* Beginning inside and ending outside is no half success. */
	const struct map *last = &target.maps.items[0];
	while (last[1].start.v == last->end.v)
		last++;
	cr_assert(
		eq(int,
		   target_read(&target, addr_of(last->end.v - 8), buffer, sizeof(buffer), &err),
		   -1));
	target_fini(&target);
	victim_end(&victim);
}
