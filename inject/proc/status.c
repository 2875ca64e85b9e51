/* SPDX-License-Identifier: MIT
 *
 * Parsing /proc/PID/status and /proc/PID/stat. Both are the kernel's text about a foreign
 * process: unknown lines are skipped, missing ones that matter are errors, nothing is believed
 * to be short.
 */
#include <stdlib.h>
#include <string.h>

#include "inject/base/cleanup.h"
#include "inject/proc/procfs.h"
#include "inject/proc/scan.h"

static bool take_id(struct scan *line, uint32_t *out)
{
	uint64_t value;

	scan_blanks(line);
	if (!scan_number(line, 10, &value) || value > UINT32_MAX)
		return false;
	*out = (uint32_t)value;
	return true;
}

static bool take_pid(struct scan *line, pid_t *out)
{
	uint32_t value;

	if (!take_id(line, &value) || value > INT32_MAX)
		return false;
	*out = (pid_t)value;
	return true;
}

static bool take_hex(struct scan *line, uint64_t *out)
{
	scan_blanks(line);
	return scan_number(line, 16, out);
}

static bool parse_name(struct proc_status *out, struct scan *line)
{
	scan_blanks(line);
	size_t len = (size_t)(line->end - line->at);
	if (len >= sizeof(out->name))
		len = sizeof(out->name) - 1;
	memcpy(out->name, line->at, len);
	out->name[len] = '\0';
	return true;
}

static bool parse_state(struct proc_status *out, struct scan *line)
{
	scan_blanks(line);
	if (line->at == line->end)
		return false;
	out->state = *line->at;
	return true;
}

static bool parse_tgid(struct proc_status *out, struct scan *line)
{
	return take_pid(line, &out->tgid);
}

static bool parse_ppid(struct proc_status *out, struct scan *line)
{
	return take_pid(line, &out->ppid);
}

static bool parse_tracer(struct proc_status *out, struct scan *line)
{
	return take_pid(line, &out->tracer);
}

static bool parse_uid(struct proc_status *out, struct scan *line)
{
	return take_id(line, &out->uid) && take_id(line, &out->euid) &&
	       take_id(line, &out->suid);
}

static bool parse_gid(struct proc_status *out, struct scan *line)
{
	return take_id(line, &out->gid) && take_id(line, &out->egid) &&
	       take_id(line, &out->sgid);
}

static bool parse_threads(struct proc_status *out, struct scan *line)
{
	return take_id(line, &out->threads);
}

static bool parse_seccomp(struct proc_status *out, struct scan *line)
{
	return take_id(line, &out->seccomp_mode);
}

static bool parse_no_new_privs(struct proc_status *out, struct scan *line)
{
	uint32_t value;

	if (!take_id(line, &value))
		return false;
	out->no_new_privs = value != 0;
	return true;
}

static bool parse_cap_prm(struct proc_status *out, struct scan *line)
{
	return take_hex(line, &out->cap_prm);
}

static bool parse_cap_eff(struct proc_status *out, struct scan *line)
{
	return take_hex(line, &out->cap_eff);
}

static bool parse_sig_blk(struct proc_status *out, struct scan *line)
{
	return take_hex(line, &out->sig_blk);
}

static bool parse_nspid(struct proc_status *out, struct scan *line)
{
	const size_t most = sizeof(out->nspid) / sizeof(*out->nspid);

	out->nspid_count = 0;
	while (out->nspid_count < most && take_pid(line, &out->nspid[out->nspid_count]))
		out->nspid_count++;
	return out->nspid_count > 0;
}

static const struct status_line {
	const char *key;
	bool (*parse)(struct proc_status *out, struct scan *line);
	bool required; /* the others came with later kernels, or depend on its configuration */
} status_lines[] = {
	{"Name", parse_name, true},
	{"State", parse_state, true},
	{"Tgid", parse_tgid, true},
	{"NSpid", parse_nspid, false},
	{"PPid", parse_ppid, true},
	{"TracerPid", parse_tracer, true},
	{"Uid", parse_uid, true},
	{"Gid", parse_gid, true},
	{"Threads", parse_threads, true},
	{"SigBlk", parse_sig_blk, true},
	{"CapPrm", parse_cap_prm, true},
	{"CapEff", parse_cap_eff, true},
	{"NoNewPrivs", parse_no_new_privs, false},
	{"Seccomp", parse_seccomp, false},
};
#define STATUS_LINES (sizeof(status_lines) / sizeof(*status_lines))

/* The number of the table's line with the key before the colon, or STATUS_LINES. */
static size_t status_line_of(struct scan *line)
{
	size_t i;

	for (i = 0; i < STATUS_LINES; i++) {
		size_t len = strlen(status_lines[i].key);

		if ((size_t)(line->end - line->at) > len && line->at[len] == ':' &&
		    !memcmp(line->at, status_lines[i].key, len)) {
			line->at += len + 1;
			break;
		}
	}
	return i;
}

int proc_status_parse(struct proc_status *out, const char *text, size_t len, struct hp_err *err)
{
	struct proc_status status = {0};
	struct scan rest = scan_of(text, len), line;
	bool seen[STATUS_LINES] = {false};

	while (scan_line(&rest, &line)) {
		size_t i = status_line_of(&line);

		if (i == STATUS_LINES || seen[i])
			continue;
		if (!status_lines[i].parse(&status, &line))
			return hp_err_set(err, HP_SYSTEM, 0,
					  "the line %s of status cannot be read",
					  status_lines[i].key);
		seen[i] = true;
	}
	for (size_t i = 0; i < STATUS_LINES; i++) {
		if (status_lines[i].required && !seen[i])
			return hp_err_set(err, HP_SYSTEM, 0, "status has no line %s",
					  status_lines[i].key);
	}
	*out = status;
	return 0;
}

int proc_status_read(struct proc_status *out, int dirfd, const char *name, struct hp_err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (procfs_read(&text, &len, dirfd, name, err) < 0)
		return -1;
	return proc_status_parse(out, text, len, err);
}

pid_t proc_status_inner_pid(const struct proc_status *status, pid_t pid)
{
	const pid_t inner =
		status->nspid_count < 2 ? pid : status->nspid[status->nspid_count - 1];

	return inner == pid ? 0 : inner;
}

pid_t proc_inner_pid(pid_t pid)
{
	_cleanup_fd_ int fd = -1;
	struct proc_status status;
	struct hp_err ignored;

	if (procfs_open(&fd, pid, &ignored) < 0 ||
	    proc_status_read(&status, fd, "status", &ignored) < 0)
		return 0;
	return proc_status_inner_pid(&status, pid);
}

/* The name stands in parentheses and may hold blanks and parentheses itself: the last closing
 * one ends it, since only numbers and the state's letter follow. */
int proc_stat_parse(struct proc_stat *out, const char *text, size_t len, struct hp_err *err)
{
	enum { FIELD_PARENT = 4, FIELD_FLAGS = 9, FIELD_START_TIME = 22 };
	struct proc_stat stat = {0};
	const char *name_end = memrchr(text, ')', len);

	if (!name_end)
		return hp_err_set(err, HP_SYSTEM, 0, "stat names no program");
	struct scan rest = {name_end + 1, text + len};
	scan_blanks(&rest);
	if (rest.at == rest.end)
		return hp_err_set(err, HP_SYSTEM, 0, "stat has no state");
	stat.state = *rest.at++;
	for (int field = 4; field <= FIELD_START_TIME; field++) {
		uint64_t value;

		scan_blanks(&rest);
		(void)scan_char(&rest, '-'); /* tpgid may be -1, nice is signed */
		if (!scan_number(&rest, 10, &value))
			return hp_err_set(err, HP_SYSTEM, 0, "field %d of stat cannot be read",
					  field);
		if (field == FIELD_PARENT)
			stat.parent = (pid_t)value;
		else if (field == FIELD_FLAGS)
			stat.flags = value;
		else if (field == FIELD_START_TIME)
			stat.start_time = value;
	}
	*out = stat;
	return 0;
}

int proc_stat_read(struct proc_stat *out, int dirfd, struct hp_err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (procfs_read(&text, &len, dirfd, "stat", err) < 0)
		return -1;
	return proc_stat_parse(out, text, len, err);
}

int proc_start_time(uint64_t *ticks_out, int dirfd, struct hp_err *err)
{
	struct proc_stat stat;

	if (proc_stat_read(&stat, dirfd, err) < 0)
		return -1;
	*ticks_out = stat.start_time;
	return 0;
}
