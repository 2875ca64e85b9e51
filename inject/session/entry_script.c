/* SPDX-License-Identifier: MIT
 *
 * See entry_script.h.
 */
#include "inject/session/entry_script.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inject/arch/arch.h"
#include "inject/base/cleanup.h"

/* ---- its text ---- */

#define TEXT_MAX 8192

/* What is written to the channel before there is one: the failure (an errno value, 0 for none)
 * and the base of the mapping, in the places of these two. */
#define RESULT offsetof(struct wire_channel, entry_result)
_Static_assert(offsetof(struct wire_channel, image_base) == RESULT + 12, "script_text");

/* It runs on the main thread, between two instructions of the program, and does what else a
 * hijacked thread is made to do: a memfd, its two mappings, and one call. That it comes too
 * late is seen by the worker, as always; a script that finds nobody waits for `patience` and
 * takes everything back. A module is needed to call by address: _ctypes, not the package around
 * it. */
static const char enter_text[] =
	"def enter(path, late, name, mmap, munmap, size, text, entry, channel, result, state,\n"
	"          guest, patience):\n"
	"    import posix, time\n"
	"    try:\n" /* for when we were killed; it may not where we are another user */
	"        posix.unlink(path)\n"
	"    except OSError:\n"
	"        pass\n"
	"    if time.monotonic_ns() > late:\n"
	"        return\n"
	"    fd, base, failure, sent = -1, 0, 0, False\n"
	"    try:\n"
	"        try:\n" /* MFD_CLOEXEC | MFD_NOEXEC_SEAL (Linux 6.3) or MFD_ALLOW_SEALING */
	"            fd = posix.memfd_create(name, 9)\n"
	"        except OSError:\n"
	"            fd = posix.memfd_create(name, 3)\n"
	"        try:\n"
	"            from _ctypes import CFuncPtr, _SimpleCData, get_errno\n"
	"            class Word(_SimpleCData):\n"
	"                _type_ = 'L'\n"
	"            class Call(CFuncPtr):\n" /* FUNCFLAG_CDECL | FUNCFLAG_USE_ERRNO */
	"                _flags_, _restype_, _argtypes_ = 9, Word, (Word,) * 6\n"
	"            base = Call(mmap)(0, size, 5, 1, fd, 0)\n" /* RX, MAP_SHARED */
	"            if base >> 63:\n"
	"                base, failure = 0, get_errno()\n"
	"            elif Call(mmap)(base + text, size - text, 3, 17, fd, text) >> 63:\n"
	"                failure = get_errno()\n" /* RW, MAP_SHARED | MAP_FIXED */
	"        except ImportError:\n"
	"            failure = 38\n"
	"        posix.pwrite(fd, failure.to_bytes(4, 'little') + bytes(8)\n"
	"                     + base.to_bytes(8, 'little'), result)\n"
	"        end, now = time.monotonic_ns() + patience, bytes(4)\n"
	"        while not now.strip(b'\\0') and time.monotonic_ns() < end:\n"
	"            time.sleep(0.0002)\n"
	"            now = posix.pread(fd, 4, state)\n"
	"        if now == b'\\1\\0\\0\\0':\n" /* WIRE_PENDING */
	"            sent = True\n"
	"            Call(base + entry)(base + channel, 0, 0, 0, 0, 0)\n"
	"    finally:\n"
	"        if sent and posix.pread(fd, 4, result) == bytes(4):\n"
	"            posix.pwrite(fd, b'\\2', guest)\n" /* WIRE_GUEST_LEFT; all is the worker's
							 */
	"        else:\n"
	"            if base:\n"
	"                Call(munmap)(base, size, 0, 0, 0, 0)\n"
	"            if fd >= 0:\n"
	"                posix.close(fd)\n";
_Static_assert(ENOSYS == 38 && WIRE_PENDING == 1 && WIRE_GUEST_LEFT == 2, "enter_text");

/* An error of a script is dropped by the interpreter with a line on standard error. But a
 * handler of a signal may run while ours does, and what that raises is the program's. It is
 * told by the handler's arguments, one of which is a frame: what it interrupted. Such a one is
 * raised again, the very same object, as soon as we are gone: an asynchronous exception is a
 * class, which is called. It must be set where the interpreter looks for one no more before the
 * script's end, which it does after each call that is written as one: so by an operator. Why
 * our own script failed is nobody's business: that we see outside. */
static const char again_text[] =
	"again, at = 0, error.__traceback__\n"
	"while at.tb_next and not any(isinstance(value, type(at.tb_frame)) for value\n"
	"                             in at.tb_next.tb_frame.f_locals.values()):\n"
	"    at = at.tb_next\n"
	"if at.tb_next or isinstance(error, KeyboardInterrupt):\n"
	"    from _ctypes import CFuncPtr, _SimpleCData\n"
	"    from _functools import partial\n"
	"    from _thread import get_ident\n"
	"    theirs = error.with_traceback(at.tb_next)\n"
	"    class Again(BaseException):\n"
	"        def __new__(cls):\n"
	"            return theirs\n"
	"    class Word(_SimpleCData):\n"
	"        _type_ = 'L'\n"
	"    class Call(CFuncPtr):\n" /* FUNCFLAG_CDECL | FUNCFLAG_PYTHONAPI: the GIL is kept */
	"        _flags_, _restype_, _argtypes_ = 5, Word, (Word,) * 2\n"
	"    class Operand:\n"
	"        __neg__ = staticmethod(partial(Call(set_exception), get_ident(), id(Again)))\n"
	"    again = Operand()\n";

/* Texts in a text, so that little is to be compiled before anything can be caught. */
static int write_text(char *out, const struct entry_script *script, const struct target *target,
		      const struct handover *h, int64_t late_ns)
{
	const size_t channel = h->channel_offset;

	return snprintf(
		out, TEXT_MAX,
		"try:\n"
		" exec(r'''%senter(path='%s', late=%lld, name='%s', mmap=%llu, "
		"munmap=%llu, size=%zu, text=%zu, entry=%llu, channel=%zu, result=%zu, "
		"state=%zu, guest=%zu, patience=%d)''', {})\n"
		"except BaseException as error:\n"
		" names = {'error': error, 'set_exception': %llu}\n"
		" exec(r'''%s''', names)\n"
		" -names['again']\n",
		enter_text, script->path, (long long)late_ns, script->memory,
		(unsigned long long)target_symbol(target, "mmap").v,
		(unsigned long long)target_symbol(target, "munmap").v, h->total_size,
		h->image->text_size, (unsigned long long)h->image->enter, channel,
		channel + RESULT, channel + offsetof(struct wire_channel, state),
		channel + offsetof(struct wire_channel, guest), ENTRY_PATIENCE_NS,
		(unsigned long long)target_symbol(target, "PyThreadState_SetAsyncExc").v,
		again_text);
}

/* ---- its file ---- */

/* Step by step: an absolute link in there would lead out, into our own root. */
static int open_folder(int root, const char *const names[2])
{
	int fd = openat(root, names[0], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && names[1]) {
		_cleanup_fd_ int above = fd;

		fd = openat(above, names[1], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	return fd;
}

static bool is_trusted(int folder)
{
	struct stat st;

	return fstat(folder, &st) == 0 && (!(st.st_mode & S_IWOTH) || (st.st_mode & S_ISVTX));
}

/* The target's user reads what is ours by its group. */
static int let_target_read(int fd, const struct target *target)
{
	if (target->status.euid == geteuid())
		return 0;
	return fchown(fd, (uid_t)-1, target->status.egid) < 0 ? -1 : fchmod(fd, 0440);
}

static int fill_file(struct entry_script *script, int fd, const char *text, int len,
		     const struct target *target)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || write(fd, text, (size_t)len) != len ||
	    let_target_read(fd, target) < 0)
		return -1;
	script->device = st.st_dev;
	script->inode = st.st_ino;
	return 0;
}

static int make_file(struct entry_script *script, int folder, const char *text, int len,
		     const struct target *target)
{
	const char *name = strrchr(script->path, '/') + 1;
	_cleanup_fd_ int fd = openat(
		folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
	int error;

	if (fd < 0)
		return -1;
	if (fill_file(script, fd, text, len, target) == 0)
		return 0;
	error = errno;
	unlinkat(folder, name, 0);
	errno = error;
	return -1;
}

/* Set script->path; the folder is returned, or -1. */
static int choose_folder(struct entry_script *script, int root, const char *const names[2])
{
	_cleanup_fd_ int folder = open_folder(root, names);

	snprintf(script->path, sizeof(script->path), "/%s%s%s/%s.py", names[0],
		 names[1] ? "/" : "", names[1] ? names[1] : "", script->memory);
	return folder >= 0 && is_trusted(folder) ? take_fd(&folder) : -1;
}

int entry_script_write(struct entry_script *out, const struct target *target,
		       const struct handover *handover, int64_t deadline_ns, struct hp_err *err)
{
	static const char *const places[][2] = {
		{"tmp", NULL}, {"var", "tmp"}, {"dev", "shm"}, {"run", NULL}};
	struct entry_script script = {.folder = -1};
	_cleanup_fd_ int root =
		openat(target->procfd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char text[TEXT_MAX];
	uint64_t number = 0;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		number = (uint64_t)clock_now_ns();
	snprintf(script.memory, sizeof(script.memory), ARCH_FRAME_NOTE "-%d-%016llx",
		 target->pid, (unsigned long long)number);
	errno = 0;
	for (size_t i = 0; root >= 0 && i < sizeof(places) / sizeof(*places); i++) {
		_cleanup_fd_ int folder = choose_folder(&script, root, places[i]);
		int len = write_text(text, &script, target, handover, deadline_ns);

		if (len < 0 || len >= TEXT_MAX)
			return hp_err_set(err, HP_INTERNAL, 0, "the script cannot be written");
		if (folder >= 0 && make_file(&script, folder, text, len, target) == 0) {
			script.folder = take_fd(&folder);
			*out = script;
			return 0;
		}
	}
	return hp_err_set(err, HP_PERMISSION, errno,
			  "there is no folder that process %d could read a script from",
			  target->pid);
}

void entry_script_remove(struct entry_script *script)
{
	const char *name = strrchr(script->path, '/') + 1;
	struct stat st;

	if (script->folder < 0)
		return;
	if (fstatat(script->folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_dev == script->device && st.st_ino == script->inode)
		unlinkat(script->folder, name, 0);
	close(script->folder);
	script->folder = -1;
}
