/* SPDX-License-Identifier: MIT
 *
 * The table of contents: from the request's command to the file that does it.
 */
#include "payload/command/command.h"

#include "payload/base/freestanding.h"
#include "payload/command/attach.h"
#include "payload/command/everywhere.h"
#include "payload/command/together.h"
#include "payload/command/turn.h"
#include "payload/commit/parking.h"
#include "payload/job/failure.h"

static const char *command_name(uint32_t command)
{
#define WIRE_COMMAND(name, text) text "\0"
	const char *name = WIRE_COMMANDS(WIRE_COMMAND);
#undef WIRE_COMMAND

	for (; command > WIRE_COMMAND_ATTACH && *name; command--)
		name = text_next(name);
	return name;
}

/* Asked for by the interpreter only when there is a hook: PySys_Audit() leaves early otherwise
 * (Python/sysmodule.c, since 3.8). */
static PyObject *event_argument(void *argument)
{
	struct job *job = argument;

	job->world.has_audit_hook = 1;
	return PyUnicode_FromString(command_name(job_request(job)->command));
}

/* 3.8: an audit hook may veto, by raising. Every command is one event, with its name. */
static int announce(struct job *job)
{
	if (!PySys_Audit || !PySys_Audit("pyhotpatch.attach", "O&", event_argument, job))
		return 0;
	return failure_refuse(job, WIRE_STATUS_REFUSED, NULL);
}

int command_enter(struct job *job)
{
	return world_enter(&job->world) || announce(job) || world_stop_collector(&job->world)
		       ? -1
		       : 0;
}

static int run(struct job *job)
{
	const struct wire_request *request = job_request(job);

	job->is_rerun = (request->flags & WIRE_RERUN) != 0;
	switch (request->command) {
	case WIRE_COMMAND_ATTACH:
		return everywhere_attach(job) ? -1 : together_settle(job);
	case WIRE_COMMAND_PLAN:
		return everywhere_plan(job);
	case WIRE_COMMAND_ROLLBACK:
		return everywhere_rollback(job) ? -1 : together_settle(job);
	case WIRE_COMMAND_STATUS:
		return everywhere_status(job);
	case WIRE_COMMAND_FORGET:
		return everywhere_forget(job);
	case WIRE_COMMAND_SOURCES:
		return attach_sources(job);
	default:
		PyErr_SetString(job->world.error, "unknown command");
		return -1;
	}
}

void command_leave(struct job *job)
{
	uint32_t command = job_request(job)->command;

	PyErr_Clear();
	modules_fini(&job->modules);
	world_collect(&job->world);
	if (job->world.getrefcount &&
	    (command == WIRE_COMMAND_ATTACH || command == WIRE_COMMAND_ROLLBACK))
		parking_park(job);
	world_leave(&job->world);
	PyErr_Clear();
}

void command_run(struct job *job)
{
	if (turn_take(job))
		return;
	int status = command_enter(job);

	if (!status)
		status = run(job);
	if (status && job->status == WIRE_STATUS_NONE)
		failure_refuse(job, WIRE_STATUS_INTERNAL, NULL);
	command_leave(job);
	turn_give();
	PyErr_Clear();
}
