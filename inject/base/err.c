/* SPDX-License-Identifier: MIT
 *
 * The error object's verbs. Everything is bounded and truncates; nothing here can fail.
 */
#include "inject/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct kind {
	const char *name;
	int exit_status;
	const char *hint;
} kinds[HP_ERR_KIND_COUNT] = {[HP_OK] = {"OK", 0, ""},
#define X(name, exit_status, hint) [HP_##name] = {#name, exit_status, hint},
			      HP_ERR_KINDS(X)
#undef X
};

static const struct obstacle {
	const char *name;
	enum hp_err_kind kind;
	const char *hint;
} obstacles[OBSTACLE_COUNT] = {[OBSTACLE_NONE] = {"", HP_INTERNAL, ""},
#define X(id, name, kind, hint) [OBSTACLE_##id] = {name, HP_##kind, hint},
			       HP_OBSTACLES(X)
#undef X
};

static void append_errno(struct hp_err *err)
{
	size_t used = strlen(err->text);

	if (err->sys_errno)
		snprintf(err->text + used, sizeof(err->text) - used, ": %s",
			 strerror(err->sys_errno));
}

/* All but the text. */
static void begin(struct hp_err *err, enum hp_err_kind kind, int sys_errno, const char *file,
		  int line)
{
	err->kind = kind;
	err->obstacle = OBSTACLE_NONE;
	err->sys_errno = sys_errno;
	err->file = file;
	err->line = line;
	err->hint[0] = '\0';
	err->undo_text[0] = '\0';
}

int hp_err_set_at(struct hp_err *err, enum hp_err_kind kind, int sys_errno, const char *file,
		  int line, const char *format, ...)
{
	va_list args;

	begin(err, kind, sys_errno, file, line);
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	append_errno(err);
	return -1;
}

static const struct obstacle *obstacle_of(enum hp_obstacle obstacle)
{
	return &obstacles[(unsigned)obstacle < OBSTACLE_COUNT ? obstacle : OBSTACLE_NONE];
}

int hp_err_obstacle_at(struct hp_err *err, enum hp_obstacle obstacle, int sys_errno,
		       const char *file, int line, const char *format, ...)
{
	va_list args;

	begin(err, obstacle_of(obstacle)->kind, sys_errno, file, line);
	err->obstacle = obstacle;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	append_errno(err);
	return -1;
}

int hp_err_wrap(struct hp_err *err, const char *format, ...)
{
	char old[sizeof(err->text)];
	va_list args;

	memcpy(old, err->text, sizeof(old));
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	size_t used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", old);
	return -1;
}

int hp_err_hint(struct hp_err *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err->hint, sizeof(err->hint), format, args);
	va_end(args);
	return -1;
}

void hp_err_undo(struct hp_err *err, const char *format, ...)
{
	va_list args;

	if (err->undo_text[0])
		return;
	va_start(args, format);
	vsnprintf(err->undo_text, sizeof(err->undo_text), format, args);
	va_end(args);
}

static const struct kind *kind_of(enum hp_err_kind kind)
{
	return (unsigned)kind < HP_ERR_KIND_COUNT ? &kinds[kind] : &kinds[HP_INTERNAL];
}

const char *hp_err_kind_name(enum hp_err_kind kind)
{
	return kind_of(kind)->name;
}

int hp_err_exit_status(enum hp_err_kind kind)
{
	return kind_of(kind)->exit_status;
}

const char *hp_obstacle_name(enum hp_obstacle obstacle)
{
	return obstacle_of(obstacle)->name;
}

enum hp_err_kind hp_obstacle_kind(enum hp_obstacle obstacle)
{
	return obstacle_of(obstacle)->kind;
}

const char *hp_err_hint_of(const struct hp_err *err)
{
	if (err->hint[0])
		return err->hint;
	return err->obstacle != OBSTACLE_NONE ? obstacle_of(err->obstacle)->hint
					      : kind_of(err->kind)->hint;
}
