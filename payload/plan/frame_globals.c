/* SPDX-License-Identifier: MIT
 *
 * Frames that new code began and that live on: of a thread or greenlet that it started, of a
 * generator or coroutine that it made, of an exception that it kept. Their namespace is a
 * shadow; they are given the live one with all others.
 *
 * Up to 3.10 a frame object owns its namespace; rebind.c finds those that wait.
 * Since 3.11 a frame is a part of the stack, of
 * the generator or of the frame object, and borrows the namespace from its function
 * (Include/internal/pycore_frame.h): when that lets go of the shadow, the frame must have been
 * changed or the shadow must stay. Where these words are is measured on a generator of ours.
 *
 * The invariant: no memory is looked into but where a frame object says that its frame is.
 */
#include "payload/base/freestanding.h"
#include "payload/heap/word.h"
#include "payload/job/frames.h"
#include "payload/plan/plan.h"
#include "payload/python/code.h"

#define FRAME_WORDS 6 /* that are looked through; a frame has more in 3.11 to 3.15 */

struct frame_search {
	struct plan *plan;
	struct frame_types types;
	PyObject *frame_type;  /* owned */
	size_t frame, globals; /* offsets: in the frame object, in the frame; 3.11 */
	unsigned is_layout_known : 1;
	struct pointer_map seen;
};

/* --- is there one? ----------------------------------------------------------------------- */

/* A frame refers to its code, which but for that its parent, one function, the dict of those
 * collected, and the call that counts refer to. */
static int may_have_frames(const struct world *w, const struct module *m)
{
	_cleanup_py_ PyObject *codes = PyDict_New();
	PyObject *code, *unused;
	Py_ssize_t at = 0;

	if (!m->fresh || !m->run_code)
		return 0;
	if (!codes || code_collect(m->run_code, codes))
		return -1;
	while (PyDict_Next(codes, &at, &code, &unused))
		if (world_references(w, code) >
		    (code == m->run_code ? m->run_references + 1 : 4))
			return 1;
	return PyErr_Occurred() ? -1 : 0;
}

static int clones_may(const struct world *w, PyObject *clones)
{
	PyObject *entry;
	for (Py_ssize_t i = 0; (entry = py_item(clones, i)); i++) {
		PyObject *f = py_second(entry);
		if (world_is_function(f) &&
		    world_references(w, PyFunction_GetCode(f)) > py_number(entry, 2))
			return 1;
	}
	return 0;
}

/* --- where the namespace is -------------------------------------------------------------- */

static size_t basic_size(PyObject *type)
{
	long size = world_type_number(type, "__basicsize__");

	return size > 0 ? (size_t)size : 0;
}

static PyObject *word_at(const void *base, size_t at)
{
	PyObject *word;

	memcpy(&word, (const char *)base + at, sizeof(word));
	return word;
}

/* The one place at the start of the frame where the builtins follow the namespace. */
static int measure_globals(struct frame_search *s, const char *frame, PyObject *names)
{
	PyObject *builtins = s->plan->job->world.builtins;
	int found = 0;

	for (size_t i = 0; i < FRAME_WORDS; i++) {
		if (word_at(frame, i * sizeof(PyObject *)) != names ||
		    word_at(frame, (i + 1) * sizeof(PyObject *)) != builtins)
			continue;
		s->globals = i * sizeof(PyObject *);
		found++;
	}
	return found == 1;
}

/* The word of the frame object that leads to the frame, which the generator ends with (its size
 * counts one word of that). Behind it the object has room for a frame of its own. */
static int measure(struct frame_search *s, PyObject *frame, PyObject *generator,
		   PyObject *names)
{
	const char *low = (const char *)generator, *high = low + basic_size(py_type(generator));
	size_t size = basic_size(s->frame_type);

	for (size_t at = 0; at + sizeof(PyObject *) <= size; at += sizeof(PyObject *)) {
		const char *inside = (const char *)word_at(frame, at);
		if (inside <= low || inside >= high || !measure_globals(s, inside, names))
			continue;
		s->frame = at;
		return 1;
	}
	return 0;
}

static int search_init(struct frame_search *s)
{
	PyObject *builtins = s->plan->job->world.builtins;
	_cleanup_py_ PyObject *names = PyDict_New();

	if (!names || PyDict_SetItemString(names, "__builtins__", builtins) ||
	    py_execute("g = (lambda: (yield))()\nf = g.gi_frame", names) ||
	    frame_types_init(&s->types, &s->plan->job->world))
		return -1;
	PyObject *generator = PyDict_GetItemString(names, "g");
	PyObject *frame = PyDict_GetItemString(names, "f");
	s->frame_type = PyObject_Type(frame);
	s->is_layout_known = measure(s, frame, generator, names) != 0;
	return PyErr_Occurred() ? -1 : 0;
}

static void search_fini(struct frame_search *s)
{
	Py_DecRef(s->frame_type);
	frame_types_fini(&s->types);
	pointer_map_fini(&s->seen);
}

/* --- one frame --------------------------------------------------------------------------- */

/* The shadow is never freed. */
static int keep_shadow(struct frame_search *s, const struct module *m)
{
	if (!pointer_map_get(&s->seen, m->fresh)) {
		Py_IncRef(m->fresh);
		Py_IncRef(s->plan->shadow->builtins);
		job_warn(s->plan->job, m, NULL, WIRE_TEXT_COPY_OF_NAMES, NULL);
	}
	return pointer_map_set(&s->seen, m->fresh, m->fresh);
}

static int write_word(struct frame_search *s, enum write_kind kind, PyObject *frame,
		      size_t offset, PyObject *const old_and_new[2])
{
	struct write *write =
		writes_add(&s->plan->writes, kind, frame, old_and_new[0], old_and_new[1]);

	if (!write)
		return -1;
	write->offset = offset;
	return 0;
}

/* Up to 3.10. The body of a module, which refers to its namespace twice, has come to its end
 * and keeps it. */
static int is_body(PyObject *frame)
{
	_cleanup_py_ PyObject *code = frames_code(frame);

	return code && code_name_is(code, "<module>");
}

static int write_owned(struct frame_search *s, PyObject *frame, PyObject *const old_and_new[2],
		       const struct module *m)
{
	const struct writes *writes = &s->plan->writes;
	size_t offset = 0;

	for (size_t i = 0; i < writes->count; i++)
		if (writes->items[i].object == frame && writes->items[i].key == old_and_new[0])
			return 0;
	int proved = word_find(&s->plan->job->world, frame, old_and_new[0], &offset);
	if (proved == 1)
		return write_word(s, WRITE_WORD, frame, offset, old_and_new);
	return proved < 0 ? -1 : keep_shadow(s, m);
}

/* Behind those two the frame of a module's body has its namespace once more, for that of the
 * names that it binds. */
static int write_borrowed(struct frame_search *s, PyObject *frame, PyObject *const globals[2],
			  PyObject *const builtins[2])
{
	const PyObject *base = word_at(frame, s->frame);
	size_t word = sizeof(base), at = (s->frame << WRITE_FRAME_SHIFT) | s->globals;

	if (write_word(s, WRITE_FRAME, frame, at, globals) ||
	    write_word(s, WRITE_FRAME, frame, at + word, builtins))
		return -1;
	if (word_at(base, s->globals + 2 * word) != globals[0])
		return 0;
	return write_word(s, WRITE_FRAME, frame, (at + 2 * word) | WRITE_FRAME_OWNS, globals);
}

static int write_frame(struct frame_search *s, PyObject *frame, const struct module *m)
{
	const struct world *w = &s->plan->job->world;
	PyObject *const globals[2] = {m->fresh, m->live};
	PyObject *const builtins[2] = {s->plan->shadow->builtins, shadow_real_builtins(w, m)};

	if (w->opcodes.minor < 11 && is_body(frame))
		return 0;
	if (w->opcodes.minor < 11)
		return write_owned(s, frame, globals, m) || write_owned(s, frame, builtins, m)
			       ? -1
			       : 0;
	const PyObject *base = s->is_layout_known ? word_at(frame, s->frame) : NULL;
	if (!base || word_at(base, s->globals) != globals[0] ||
	    word_at(base, s->globals + sizeof(base)) != builtins[0])
		return keep_shadow(s, m);
	return write_borrowed(s, frame, globals, builtins);
}

static int see_frame(struct frame_search *s, PyObject *frame)
{
	if (pointer_map_get(&s->seen, frame))
		return 0;
	_cleanup_py_ PyObject *globals = PyObject_GetAttrString(frame, "f_globals");
	const struct module *m = globals ? plan_module_of(s->plan, globals) : NULL;
	if (!globals || pointer_map_set(&s->seen, frame, frame))
		return -1;
	return m && m->fresh == globals ? write_frame(s, frame, m) : 0;
}

/* --- all --------------------------------------------------------------------------------- */

/* The frame, and those that called it. */
static int see_stack(struct frame_search *s, PyObject *top)
{
	const struct world *w = &s->plan->job->world;
	PyObject *frame = top == w->none ? NULL : py_ref(top);

	while (frame) {
		PyObject *back = see_frame(s, frame) ? NULL : frames_caller(w, frame);
		Py_DecRef(frame);
		frame = back;
	}
	return PyErr_Occurred() ? -1 : 0;
}

static int see_threads(struct frame_search *s)
{
	_cleanup_py_ PyObject *frames = world_current_frames(&s->plan->job->world);
	PyObject *ident, *top;
	Py_ssize_t at = 0;

	while (frames && PyDict_Next(frames, &at, &ident, &top))
		if (see_stack(s, top))
			return -1;
	return frames || !PyErr_Occurred() ? 0 : -1;
}

static int see_object(struct frame_search *s, PyObject *o)
{
	if (py_is(o, s->frame_type))
		return see_frame(s, o);
	_cleanup_py_ PyObject *top = frames_top(&s->types, o);
	return top ? see_stack(s, top) : PyErr_Occurred() ? -1 : 0;
}

static int see_heap(struct frame_search *s)
{
	_cleanup_py_ PyObject *all = py_call(s->plan->job->world.get_objects);
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_item(all, i)); i++)
		if (see_object(s, item))
			return -1;
	return all ? 0 : -1;
}

int frames_note(struct plan *p)
{
	int may = clones_may(&p->job->world, p->shadow->clones);

	for (size_t i = 0; !may && i < p->job->modules.count; i++)
		may = may_have_frames(&p->job->world, &p->job->modules.items[i]);
	p->may_have_frames = may > 0;
	return may < 0 ? -1 : 0;
}

int rebind_frames(struct plan *p)
{
	struct frame_search s = {.plan = p};

	if (!p->may_have_frames)
		return 0;
	int status = search_init(&s) || see_heap(&s) || see_threads(&s) ? -1 : 0;
	search_fini(&s);
	return status;
}
