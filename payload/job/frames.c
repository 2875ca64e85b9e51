/* SPDX-License-Identifier: MIT
 *
 * The invariant: frames are looked at, never changed, and what is read of them are builtin
 * attributes of builtin types.
 */
#include "payload/job/frames.h"

#include "payload/base/freestanding.h"
#include "payload/heap/heap.h"
#include "payload/python/code.h"

struct search {
	struct job *job;
	const struct frame_types *types;
	PyObject *codes;
	PyObject *places;    /* dict: (name, file, line, thread, waits) -> how many frames */
	PyObject *last_code; /* borrowed: of many frames of one function, and */
	int is_last_old;     /* whether it is old */
	Py_ssize_t count;
};

/* --- the types -----------------------------------------------------------------------------
 */

static PyObject *type_of_item(PyObject *dict, const char *name)
{
	PyObject *o = PyDict_GetItemString(dict, name);

	return o ? PyObject_Type(o) : NULL;
}

int frame_types_init(struct frame_types *out, const struct world *w)
{
	static const char source[] = "g = (lambda: (yield))()\n"
				     "async def c(): pass\n"
				     "c = c()\n"
				     "c.close()\n"
				     "async def a(): yield\n"
				     "a = a()\n";
	_cleanup_py_ PyObject *names = PyDict_New();

	*out = (struct frame_types){0};
	if (!names || py_execute(source, names))
		return -1;
	*out = (struct frame_types){.generator = type_of_item(names, "g"),
				    .coroutine = type_of_item(names, "c"),
				    .async_generator = type_of_item(names, "a"),
				    .greenlet =
					    py_ref(world_loaded(w, "greenlet", "greenlet"))};
	return 0;
}

void frame_types_fini(struct frame_types *types)
{
	Py_DecRef(types->generator);
	Py_DecRef(types->coroutine);
	Py_DecRef(types->async_generator);
	Py_DecRef(types->greenlet);
	*types = (struct frame_types){0};
}

/* --- one frame -----------------------------------------------------------------------------
 */

/* The attributes are audited where the functions, of 3.9, are not. */
PyObject *frames_code(PyObject *frame)
{
	return PyFrame_GetCode ? PyFrame_GetCode(frame)
			       : PyObject_GetAttrString(frame, "f_code");
}

PyObject *frames_caller(const struct world *w, PyObject *frame)
{
	PyObject *back = PyFrame_GetBack ? PyFrame_GetBack(frame)
					 : PyObject_GetAttrString(frame, "f_back");

	if (back != w->none)
		return back;
	Py_DecRef(back);
	return NULL;
}

static int is_old(struct search *s, PyObject *code)
{
	PyObject *new;

	if (code == s->last_code)
		return s->is_last_old;
	new = code_next(s->codes, code);
	s->last_code = code;
	s->is_last_old = new && !code_name_is(code, "<module>") &&
			 code_is_same(&s->job->world, code, new) == 0;
	return s->is_last_old;
}

/* 3.11 knows the qualified name of a code. */
static PyObject *name_of(PyObject *code)
{
	PyObject *name = py_attribute(code, "co_qualname");

	return name ? name : code_name(code);
}

static int add(struct search *s, PyObject *frame, PyObject *code, long thread, int waits)
{
	_cleanup_py_ PyObject *name = name_of(code);
	_cleanup_py_ PyObject *file = code_file(code);
	_cleanup_py_ PyObject *place =
		name && file ? Py_BuildValue("(OOili)", name, file,
					     PyFrame_GetLineNumber(frame), thread, waits)
			     : NULL;
	PyObject *known = py_get(s->places, place);
	_cleanup_py_ PyObject *count = PyLong_FromLong(known ? PyLong_AsLong(known) + 1 : 1);

	s->count++;
	return py_put(s->places, place, count);
}

/* --- threads -------------------------------------------------------------------------------
 */

/* What ps and top call the thread; 0 where it is not known. Thread._native_id is of 3.8. */
static long native_id(const struct world *w, PyObject *ident)
{
	PyObject *active = world_loaded(w, "threading", "_active");
	PyObject *thread = world_is_dict(active) ? PyDict_GetItem(active, ident) : NULL;
	_cleanup_py_ PyObject *id = thread ? world_own_item(w, thread, "_native_id") : NULL;

	return py_is(id, w->integer) ? PyLong_AsLong(id) : 0;
}

static int search_stack(struct search *s, PyObject *top, long thread, int waits)
{
	PyObject *frame = py_ref(top);
	int status = 0;

	while (frame && !status) {
		_cleanup_py_ PyObject *code = frames_code(frame);
		if (!code)
			status = -1;
		else if (is_old(s, code))
			status = add(s, frame, code, thread, waits);
		PyObject *back = frames_caller(&s->job->world, frame);
		Py_DecRef(frame);
		frame = back;
	}
	Py_DecRef(frame);
	return status;
}

static int search_threads(struct search *s)
{
	_cleanup_py_ PyObject *frames = world_current_frames(&s->job->world);
	PyObject *ident, *top;
	Py_ssize_t at = 0;

	while (frames && PyDict_Next(frames, &at, &ident, &top))
		if (search_stack(s, top, native_id(&s->job->world, ident), 0))
			return -1;
	return frames || !PyErr_Occurred() ? 0 : -1;
}

/* --- what waits ----------------------------------------------------------------------------
 */

/* The prefix of its attributes; NULL when `o` is none of those. */
static const char *prefix_of(const struct frame_types *types, PyObject *o)
{
	PyObject *type = py_type_inlined(o);

	if (type == types->generator)
		return "gi";
	if (type == types->coroutine)
		return "cr";
	return type == types->async_generator ? "ag" : NULL;
}

static PyObject *attribute(PyObject *o, const char *prefix, const char *name)
{
	_cleanup_py_ PyObject *full = PyUnicode_FromFormat("%s_%s", prefix, name);

	return full ? PyObject_GetAttr(o, full) : NULL;
}

PyObject *frames_top(const struct frame_types *types, PyObject *o)
{
	const char *prefix = prefix_of(types, o);

	if (prefix)
		return attribute(o, prefix, "frame");
	/* Past what a class of the program's below it may do with attributes. */
	_cleanup_py_ PyObject *getter =
		py_is_a(o, types->greenlet) ? py_attribute(types->greenlet, "gr_frame") : NULL;

	return getter ? PyObject_CallMethod(getter, "__get__", "O", o) : NULL;
}

/* One that runs right now is on the stack of a thread. */
static int search_waiting(struct search *s, PyObject *o)
{
	const char *prefix = prefix_of(s->types, o);
	_cleanup_py_ PyObject *code = prefix ? attribute(o, prefix, "code") : NULL;

	if (prefix && (!code || !is_old(s, code)))
		return code ? 0 : -1;
	_cleanup_py_ PyObject *top = frames_top(s->types, o);
	if (!top || top == s->job->world.none)
		return top ? 0 : -1;
	if (!prefix)
		return search_stack(s, top, 0, 1);
	_cleanup_py_ PyObject *running = attribute(o, prefix, "running");
	if (!running)
		return -1;
	return PyObject_IsTrue(running) ? 0 : add(s, top, code, 0, 1);
}

struct gathering {
	const struct frame_types *types;
	PyObject *found; /* a list */
};

static int gather(PyObject *o, void *gathering)
{
	struct gathering *g = gathering;

	return !(prefix_of(g->types, o) || py_is_a(o, g->types->greenlet)) ||
	       !PyList_Append(g->found, o);
}

static PyObject *gather_waiting(const struct search *s)
{
	_cleanup_py_ PyObject *found = PyList_New(0);
	struct gathering g = {s->types, found};

	if (!found || heap_visit(&s->job->world, gather, &g) || PyErr_Occurred())
		return NULL;
	return py_take(&found);
}

/* Is there a generator among what changed, or any greenlet? Nothing else waits, and the heap is
 * large. */
static int may_wait(struct search *s)
{
	PyObject *file, *steps, *code, *new;
	Py_ssize_t at = 0;

	if (s->types->greenlet)
		return 1;
	while (PyDict_Next(s->codes, &at, &file, &steps)) {
		Py_ssize_t inner = 0;
		while (PyDict_Next(steps, &inner, &code, &new))
			if (code_kind(code) && is_old(s, code))
				return 1;
	}
	return 0;
}

static int search_heap(struct search *s)
{
	if (!may_wait(s))
		return PyErr_Occurred() ? -1 : 0;
	_cleanup_py_ PyObject *found = gather_waiting(s);
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_item(found, i)); i++)
		if (search_waiting(s, item))
			return -1;
	return found ? 0 : -1;
}

/* --- the report ----------------------------------------------------------------------------
 */

static uint32_t number(PyObject *place, Py_ssize_t at)
{
	long value = py_number(place, at);

	return value > 0 ? (uint32_t)value : 0;
}

static void report(struct search *s)
{
	PyObject *place, *count;
	Py_ssize_t at = 0;

	while (PyDict_Next(s->places, &at, &place, &count))
		job_note(s->job,
			 &(struct reply_item){.kind = WIRE_RECORD_FRAME,
					      .action = number(place, 4) ? WIRE_ACTION_WAITING
									 : WIRE_ACTION_KEPT,
					      .name = py_text(py_first(place)),
					      .text = py_text(py_second(place)),
					      .line = number(place, 2),
					      .value = number(place, 3),
					      .count = (uint32_t)PyLong_AsLong(count)},
			 NULL);
}

Py_ssize_t frames_report(struct job *job, const struct frame_types *types, PyObject *codes)
{
	struct search s = {.job = job, .types = types, .codes = codes, .places = PyDict_New()};
	/* The heap first: what its audit hook runs may move the threads' frames. */
	int status = s.places && !search_heap(&s) && !search_threads(&s) ? 0 : -1;

	if (!status)
		report(&s);
	Py_DecRef(s.places);
	return status ? -1 : s.count;
}

void frames_tell(struct job *job, PyObject *codes)
{
	struct frame_types types;

	if (frame_types_init(&types, &job->world) || frames_report(job, &types, codes) < 0)
		PyErr_Clear();
	frame_types_fini(&types);
}
