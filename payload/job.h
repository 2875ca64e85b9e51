/* SPDX-License-Identifier: MIT
 *
 * One command as the payload sees it, from the request to the reply.
 */
#ifndef PAYLOAD_JOB_H
#define PAYLOAD_JOB_H

#include "payload/reply.h"
#include "payload/wire.h"
#include "payload/world.h"

/* What tells that a file is not the one that was seen before. */
struct file_stamp {
	uint64_t device, inode, size;
	int64_t mtime_ns, ctime_ns;
};

enum module_kind {
	MODULE_PLAIN = 0,  /* a file, read as the import system reads it */
	MODULE_IN_ARCHIVE, /* zipimport */
	MODULE_OTHER,      /* what its loader says */
};

/* A module whose source changed, or may have. All references are owned; those that a step has
 * not made yet are NULL. */
struct module {
	PyObject *name;   /* str: its key in sys.modules, or what it calls itself */
	PyObject *key;    /* str: no other module's; the name if sys.modules leads to it */
	PyObject *object; /* the module; NULL when it is gone and its functions are not */
	PyObject *anchor; /* lives as long as the namespace: the module, or a function of it */
	PyObject *live;   /* its namespace */
	PyObject *file;   /* str: as the program calls it */
	PyObject *path;   /* bytes: what is looked at on disk, the file or its archive */
	PyObject *loader; /* NULL: none, ordinary files are read */
	PyObject *source; /* bytes */
	PyObject *code;   /* the new source, compiled */
	PyObject *run_code;  /* what the shadow run executes of it: less than all in __main__ */
	long run_references; /* how many there were to it before it ran */
	PyObject *old_code;  /* what runs now, or NULL when it cannot be known */
	PyObject *shadow;    /* a module object that nobody else knows, and its namespace */
	PyObject *fresh;
	PyObject *before; /* is_partial: a copy of `live` from before the run */
	/* When not the whole body runs: */
	PyObject *inner;  /* dict: name -> (live function, its new code), run undecorated; in a
			     class: qualified name -> (..., what the decorators made) */
	PyObject *donors; /* dict: qualified name -> the function that ran undecorated */
	PyObject *parts;  /* dict: qualified name -> (live class, set of attributes that stay or
			     None when only what changed runs, dict of constants, is the whole of
			     the annotations made again) */
	PyObject *kept;   /* dict: qualified name of a class -> set of attributes that stay */
	PyObject *chosen; /* list of tuples (enum statement_field): the statements that run */
	PyObject *stays;  /* list: names that statements bind which do not run */
	PyObject *redefined; /* set: qualified names of functions that differ in more than their
				code, and of classes that differ in more than their methods' */
	PyObject *told;      /* set: qualified names of functions that a record tells of */
	PyObject *refreshed; /* dict: name that an unchanged import binds -> name imported */
	PyObject *kept_annotations; /* set: numbers of annotated statements that need not run */
	PyObject *bodies; /* list of (qualified name, new code): all that changed, when is_moved
			     and not NULL */
	PyObject *binds;  /* name -> value for the live namespace, donors not yet swapped */
	struct file_stamp stamp;
	enum module_kind kind;
	/* moved: nothing but lines and bodies changed; code objects are replaced, nothing runs
	 */
	unsigned is_main : 1, is_changed : 1, is_moved : 1;
	unsigned is_partial : 1;    /* less than the whole body runs, in a copy of `live` */
	unsigned is_running : 1;    /* a thread is in its body, as in a script's */
	unsigned is_translated : 1; /* its loader makes other code of the source than Python */
};

/* Of a statement that runs. */
enum statement_field {
	STATEMENT_LINE,          /* int */
	STATEMENT_IS_DEFINITION, /* int: WIRE_RECORD_FUNCTION, WIRE_RECORD_CLASS or 0 */
	STATEMENT_NAMES,         /* list: what it binds */
};

struct modules {
	struct module *items;
	size_t count, capacity;
};

struct job {
	struct wire_channel *channel; /* borrowed */
	struct reply reply;
	enum wire_status status; /* NONE until decided */
	struct world world;
	struct modules modules;
	int64_t interpreter;      /* 0: the main one */
	int is_dry_run;           /* nothing runs and nothing is remembered */
	int64_t start_ns;         /* when the program began, CLOCK_REALTIME */
	Py_ssize_t attach_number; /* through all interpreters; once it is about to commit */
	int is_selecting;         /* the program may run in between */
	PyObject *quiet; /* owned, while selecting: what source_loud() needs, or NULL */
	int is_rerun;    /* whole bodies run, not what changed alone */
	/* Called after the commit, to do it in the other interpreters; when that fails, ours is
	 * taken back. */
	int (*commit_others)(void *context);
	void *commit_context;
	PyObject *home; /* the dict of the module that stays in the target; NULL until needed */
};

/* What is asked for; borrowed. */
const struct wire_request *job_request(const struct job *job);

/* The command, with the GIL held. Sets job->status. */
void job_run(struct job *job);

/* Leaves the interpreter that we are in; job->world is gone then. */
void job_leave(struct job *job);

/* Raises the audit event, in the interpreter that we are in. -1: somebody vetoed. */
int job_announce(struct job *job);

void job_phase(struct job *job, enum wire_phase phase);

/* Whether somebody still waits for the answer. */
int job_is_wanted(const struct job *job);

/* Whether this thread is ours to wait with: one that was borrowed because it keeps the GIL is
 * not. */
int job_may_wait(const struct job *job);

/* The attach has committed in another interpreter. */
int job_is_committing(const struct job *job);

/* Swaps RUNNING for COMMITTING. -1: cancelled or too late; nothing may be written. */
int job_begin_commit(struct job *job);

/* A record about `module` (may be NULL). Text and name are UTF-8. */
void job_note(struct job *job, const struct reply_item *item, const struct module *module);

/* Ends the job as `status` for a reason; returns -1. The pending exception, if any, is dropped.
 */
int job_refuse(struct job *job, enum wire_status status, const struct module *module,
	       PyObject *reason);

#endif
