/* SPDX-License-Identifier: MIT
 *
 * What the payload says to people. It sends the number of a text and what is to be put into it:
 * the words are in the program alone (inject/report/wording.c), for each byte of the payload
 * has to be written into the target.
 *
 * A '%' stands for an argument. The arguments follow each other in wire_record's `text`, with
 * WIRE_NEXT between them; the last one may hold it, too. A text without a '%' has none.
 *
 * The order is that of the numbers: a new text goes to the end, or WIRE_VERSION goes up. Each
 * is one line, as tests/payload/case_runner.py reads them.
 */
#ifndef PAYLOAD_WIRE_TEXTS_H
#define PAYLOAD_WIRE_TEXTS_H

#define WIRE_NEXT "\x1f" /* ASCII's unit separator */

/* clang-format off */
#define WIRE_TEXTS(X) \
	X(NONE, "%") \
	X(NO_MEMORY, "no memory") \
	/* of the whole request */ \
	X(OTHER_VERSION, "pyhotpatch and its payload are of different versions") \
	X(NO_GIL_YET, "CPython 3.6 can be served only after it has started a thread: it has no GIL before") \
	X(NO_GIL, "this free-threaded interpreter must not use its GIL (PYTHON_GIL=0 or -X gil=0), without which nothing can be changed in one step") \
	X(OWN_GIL, "interpreter % has a GIL of its own: its modules cannot be changed in one step with the others") \
	X(OWN_GIL_RUNS, "an interpreter with a GIL of its own is there: whether functions are running cannot be told") \
	X(ALWAYS_RUNNING, "timed out: functions that are to change were running all the time") \
	X(STILL_RUNNING, "timed out: the new module code had not ended") \
	X(MAIN_IS_BUSY, "timed out: the main thread executed no Python") \
	X(NO_PENDING_CALL, "the interpreter has no room for another pending call") \
	/* why a module is not looked at */ \
	X(NO_MODULE, "it is no module") \
	X(LAZY, "it is imported lazily, and not loaded yet") \
	X(BUILT_IN, "it is built into the interpreter") \
	X(PYC_ALONE, "it was imported from a .pyc file without source") \
	X(EXTENSION, "it is an extension module") \
	X(NO_FILE, "it was not imported from a file") \
	X(NO_SOURCE, "it has no Python source") \
	X(ZERO_IN_PATH, "its path holds a zero") \
	X(AMBIGUOUS_PATH, "its path is relative, and in more than one folder there is such a file") \
	X(ODD_PATH, "its path cannot be encoded") \
	X(FILE_GONE, "the source file is gone") \
	X(UNREADABLE, "the source cannot be read") \
	X(SOURCE_GONE, "its source is gone") \
	X(OTHER_FILE, "its functions come from %, not from its file") \
	/* of an attach that goes on */ \
	X(OLD_PYC, "a restart would run old code: the .pyc is of an older source, but Python goes by whole seconds and sizes, or was told not to check; touch the source, or delete the .pyc") \
	X(OLD_UNKNOWN, "the old source is not known: what changed was inferred from what is running") \
	X(WHOLE_ALONE, "its loader compiles whole modules only: all of it is run again") \
	X(NOT_RUN, "line % changed, but was not run: it would start the script again") \
	X(NOT_CALLED, "is not called for classes that there are: %") \
	X(HOOK_IS_CALLED, "is called: what it binds is not known beforehand") \
	X(NOT_MADE_AGAIN, "not made again, its attributes were set one by one: %") \
	X(OLD_CLOSURE, "a closure made before keeps its old code: the new code uses variables that it does not have") \
	X(COPY_OF_NAMES, "what new code started goes on with a copy of the module's names") \
	/* of one that cannot be done, or taken back */ \
	X(BASES, "class % cannot have its new bases: %") \
	X(INSTANCES, "% live instances of class % cannot take its new definition: %") \
	X(NO_ATTACH, "there is no attach %: the last one is %") \
	X(DROPPED, "only what came after attach % is still recorded") \
	X(CHANGED_SINCE, "% was changed by the program since: what it made of it would be lost") \
	X(NOT_PUT_BACK, "% cannot be put back: %") \
	X(OLD_DEFAULTS, "a closure made before keeps its old code: the new code takes other arguments, and what defaults they have is not known")
/* clang-format on */

enum wire_text {
#define WIRE_TEXT(name, words) WIRE_TEXT_##name,
	WIRE_TEXTS(WIRE_TEXT)
#undef WIRE_TEXT
		WIRE_TEXT_COUNT
};

#endif
