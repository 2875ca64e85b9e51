/* SPDX-License-Identifier: MIT
 *
 * "attach to process 4711 (python3 shop.py): applied to shop.cart; by root, logged in as
 * alice".
 */
#include "src/syslog_record.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <syslog.h>
#include <unistd.h>

#include "inject/base/cleanup.h"
#include "inject/report/text.h"
#include "src/changes.h"
#include "src/process_name.h"

/* As /proc/PID/loginuid has it for whom nobody logged in: AUDIT_UID_UNSET of linux/audit.h. */
#define LOGIN_UNSET ((uid_t)-1)

static void put_user(FILE *to, uid_t uid)
{
	const struct passwd *user = getpwuid(uid);

	if (user)
		fputs(user->pw_name, to);
	else
		fprintf(to, "user %u", (unsigned)uid);
}

/* Who logged in, whatever su and sudo made of them since; the kernel keeps it. */
static uid_t login_uid(void)
{
	unsigned long uid = LOGIN_UNSET;
	FILE *from = fopen("/proc/self/loginuid", "re");

	if (from) {
		if (fscanf(from, "%lu", &uid) != 1)
			uid = LOGIN_UNSET;
		fclose(from);
	}
	return (uid_t)uid;
}

static void put_who(FILE *to)
{
	const uid_t uid = getuid(), login = login_uid();

	fputs("; by ", to);
	put_user(to, uid);
	if (login == LOGIN_UNSET || login == uid)
		return;
	fputs(", logged in as ", to);
	put_user(to, login);
}

static void put_process(FILE *to, const struct outcome *outcome)
{
	_cleanup_free_ char *command = text_neutralize_dup(outcome->command, TEXT_ONE_LINE);
	char name[PROCESS_NAME_MAX];

	fputs(process_name(name, outcome->pid, outcome->inner_pid), to);
	if (command && command[0])
		fprintf(to, " (%s)", command);
}

static void put_modules(FILE *to, const struct outcome *outcome)
{
	struct changes changes;
	const char *before = " ";

	if (changes_group(&changes, &outcome->report) < 0)
		return;
	for (size_t i = 0; i < changes.count; i++) {
		const struct module_changes *module = &changes.modules[i];

		if (module->module && module->module->action == WIRE_ACTION_SKIPPED)
			continue;
		fprintf(to, "%s%s", before, module->name);
		before = ", ";
	}
	changes_fini(&changes);
}

/* What may have harmed the process is recorded, too. */
static bool went_wrong(const struct outcome *outcome)
{
	return outcome->err.kind == HP_NOT_RESTORED || outcome->err.kind == HP_TARGET_DIED;
}

static bool was_revoked(const struct outcome *outcome)
{
	return outcome->has_report && outcome->report.header.status == WIRE_STATUS_REVOKED;
}

static bool changed(const struct outcome *outcome)
{
	if (was_revoked(outcome))
		return true;
	return outcome->err.kind == HP_OK &&
	       outcome->report.header.status == WIRE_STATUS_APPLIED;
}

static void put_line(FILE *to, const struct outcome *outcome)
{
	const bool is_attach = outcome->operation == WIRE_COMMAND_ATTACH;

	fprintf(to, "%s ", is_attach ? "attach to" : "rollback in");
	put_process(to, outcome);
	if (went_wrong(outcome)) {
		fprintf(to, ": %s", outcome->err.text);
	} else if (was_revoked(outcome)) {
		fputs(": applied, and taken back because of another process", to);
	} else {
		fprintf(to, ": %s", is_attach ? "applied" : "taken back:");
		put_modules(to, outcome);
	}
	put_who(to);
}

/* Before a character of UTF-8, never within one. */
static void cut(char out[SYSLOG_RECORD_MAX], const char *line)
{
	size_t len = SYSLOG_RECORD_MAX - sizeof("...");

	while (len && ((unsigned char)line[len] & 0xc0) == 0x80)
		len--;
	snprintf(out, SYSLOG_RECORD_MAX, "%.*s...", (int)len, line);
}

bool syslog_record_text(char out[SYSLOG_RECORD_MAX], const struct outcome *outcome)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	FILE *to;

	out[0] = '\0';
	if ((outcome->operation != WIRE_COMMAND_ATTACH &&
	     outcome->operation != WIRE_COMMAND_ROLLBACK) ||
	    (!changed(outcome) && !went_wrong(outcome)))
		return false;
	to = open_memstream(&line, &size);
	if (!to)
		return false;
	put_line(to, outcome);
	if (fclose(to) != 0 || !line)
		return false;
	if (size < SYSLOG_RECORD_MAX)
		memcpy(out, line, size + 1);
	else
		cut(out, line);
	return true;
}

void syslog_record(const struct outcome *outcome)
{
	char text[SYSLOG_RECORD_MAX];

	if (!syslog_record_text(text, outcome))
		return;
	openlog("pyhotpatch", LOG_PID, LOG_USER);
	syslog(went_wrong(outcome) ? LOG_ERR : LOG_NOTICE, "%s", text);
	closelog();
}
