/* SPDX-License-Identifier: MIT
 *
 * From instructions to steps.
 *
 * The form of a statement depends on what follows it. The last one ends in `return None`
 * instead of a jump behind itself; from 3.10 on a short end of the body is copied to where a
 * jump led to it. So jumps are not steps: each step knows where control goes from it, with
 * jumps, copies and returns resolved.
 *
 * And where it stands in the code depends on what is around it: since 3.12 handlers come last,
 * 3.10 puts the end of the body in between. So steps are put into the order of their lines, as
 * far as these tell statements apart.
 */
#include "payload/diff/stream.h"

#include "payload/base/freestanding.h"
#include "payload/diff/stream_build.h"
#include "payload/python/bytecode.h"
#include "payload/python/code.h"
#include "payload/python/compare.h"

#define LINE_LIMIT (1 << 20) /* what a damaged .pyc says costs no more memory than that */
#define COPY_MAX   4 /* Python/compile.c, 3.10: MAX_COPY_SIZE; Python/flowgraph.c, 3.13 */

/* 3.11: the room that an instruction has behind it, not counted by the compiler. */
#define CACHE 0

struct build {
	struct stream *stream;
	struct tokens *tokens;
	struct bytecode code;
	struct names names;
	int *step_of; /* instruction -> step, or -1 */
	int *copy_of; /* instruction -> the one it is a copy of, or -1 */
	int cold;     /* the first instruction of those that only an exception leads to */
};

static int is_none(const struct build *b, int at)
{
	return bytecode_constant(b->tokens->world, b->names.constants, &b->code.items[at]) ==
	       b->tokens->world->none;
}

/* At `at` the body ends. */
static int is_end(const struct build *b, int at)
{
	const struct instruction *i = &b->code.items[at];

	if (i->kind == OPCODE_RETURN)
		return 1;
	if (i->kind == OPCODE_RETURN_CONST)
		return is_none(b, at);
	return at + 1 < b->code.count && b->code.items[at + 1].kind == OPCODE_RETURN &&
	       is_none(b, at);
}

static int is_step(const struct build *b, int at)
{
	const struct instruction *i = &b->code.items[at];

	switch (i->kind) {
	case OPCODE_DROP:
	case OPCODE_GO_FORWARD:
	case OPCODE_GO_BACKWARD:
	case OPCODE_GO_ABSOLUTE:
		return 0;
	default:
		return i->line > 0 && !is_end(b, at) && b->copy_of[at] < 0;
	}
}

/* Which step comes when control is at the instruction `at`. */
static int resolve(const struct build *b, int at)
{
	for (int hops = 0; hops <= b->code.count; hops++) {
		if (at < 0)
			return FLOW_NONE;
		if (at >= b->code.count)
			return FLOW_END;
		if (b->copy_of[at] >= 0) {
			at = b->copy_of[at];
			continue;
		}
		if (b->step_of[at] >= 0)
			return b->step_of[at];
		const struct instruction *i = &b->code.items[at];
		if (is_end(b, at))
			return FLOW_END;
		if (i->kind == OPCODE_RAISE)
			return FLOW_NONE;
		at = i->kind == OPCODE_GO_FORWARD || i->kind == OPCODE_GO_BACKWARD ||
				     i->kind == OPCODE_GO_ABSOLUTE
			     ? i->target
			     : at + 1;
	}
	return FLOW_NONE; /* while True: pass */
}

/* Since 3.12 handlers are behind the rest of the body. */
static void find_cold(struct build *b)
{
	b->cold = b->code.count;
	if (b->tokens->world->opcodes.minor < 12)
		return;
	for (int i = 0; i < b->code.guard_count; i++)
		if (b->code.guards[i].handler < b->cold)
			b->cold = b->code.guards[i].handler;
}

/* On the way of an exception a comprehension puts its variables back since 3.12
 * (Python/compile.c, pop_inlined_comprehension_state): that is of no statement. No other
 * handler of a module or class knows local variables, but before a loop (`finally`). */
static void forget_restoring(struct build *b)
{
	for (int g = 0; g < b->code.guard_count; g++) {
		int first = b->code.guards[g].handler, at = first, is_local = 0;
		for (; at + 1 < b->code.count; at++) {
			const struct instruction *i = &b->code.items[at];
			if (i->target >= 0 || i->kind == OPCODE_RAISE)
				break;
			is_local |= i->kind == OPCODE_LOCAL || i->kind == OPCODE_LOCAL_PAIR;
		}
		is_local &= b->code.items[at].kind == OPCODE_RAISE;
		for (; is_local && at >= first; at--)
			b->code.items[at].line = 0;
	}
}

static int is_same_instruction(const struct instruction *a, const struct instruction *b)
{
	return a->op == b->op && a->arg == b->arg && a->line && a->line == b->line &&
	       a->target < 0 && b->target < 0;
}

/* How many instructions before both ends are the same. One alone that only drops a value says
 * nothing: the two ways out of a `with` have that in common. */
static int count_same(const struct build *b, int end, int last)
{
	int room = end < last ? last - end - 1 : end - last - 1, count = 0, copied = 0;

	room = end < room ? end : room;
	while (copied < COPY_MAX && count < room &&
	       is_same_instruction(&b->code.items[end - count - 1],
				   &b->code.items[last - count - 1])) {
		count++;
		copied += b->code.items[last - count].op != CACHE;
	}
	while (count && b->code.items[last - count].op == b->tokens->world->opcodes.pop_top)
		count--;
	return count;
}

static void find_copy(struct build *b, int end, int last)
{
	for (int k = count_same(b, end, last); k > 0; k--)
		b->copy_of[end - k] = last - k;
}

/* Where an end of the body that is not the last is preceded by the very instructions that
 * precede the last. */
static void find_copies(struct build *b)
{
	int last = -1;

	for (int i = 0; i < b->code.count; i++)
		b->copy_of[i] = -1;
	for (int i = 0; i < b->cold; i++)
		if (is_end(b, i) && !(i && is_end(b, i - 1)))
			last = i;
	if (b->tokens->world->opcodes.minor < 10)
		return;
	for (int end = 1; last >= 0 && end < b->code.count; end++)
		if (end != last && is_end(b, end) && !is_end(b, end - 1))
			find_copy(b, end, last);
}

/* 3.14: an annotated statement adds its number among all such statements to a set. One more
 * above it changes the number, not the statement. Python/codegen.c, codegen_annassign. */
static int is_annotation(const struct build *b, int at)
{
	const struct instruction *before = &b->code.items[at - (at > 0)];

	if (b->tokens->world->opcodes.minor < 14 || before->kind != OPCODE_NAME ||
	    before->op == b->tokens->world->opcodes.store_name || /* how a module begins */
	    !bytecode_constant(b->tokens->world, b->names.constants, &b->code.items[at]))
		return 0;
	PyObject *name = PyTuple_GetItem(b->names.names, before->arg);
	return name && !PyUnicode_CompareWithASCIIString(name, "__conditional_annotations__");
}

/* `except E as e` ends with `e = None; del e`, on the line of its last statement. */
static void mark_dropped(const struct tokens *t, struct step *step, int count)
{
	if (count > 1 && step->op == t->world->opcodes.delete_name &&
	    step[-1].value == step->value)
		step[-1].is_store = 0, step[-1].is_use = 1;
}

static int number_step(struct build *b, int at)
{
	struct stream *s = b->stream;
	struct step *step = &s->steps[s->count];
	const struct opcodes *opcodes = &b->tokens->world->opcodes;
	int line = b->code.items[at].line;

	if (!is_step(b, at))
		return 0;
	*step = (struct step){.line = line < LINE_LIMIT ? line : LINE_LIMIT,
			      .handler = FLOW_NONE,
			      .is_annotation = is_annotation(b, at) != 0};
	b->step_of[at] = s->count++;
	if (tokens_number(b->tokens, &b->names, &b->code.items[at], step))
		return -1;
	step->is_store = step->op == opcodes->store_name;
	step->is_use = step->op == opcodes->load_name || step->op == opcodes->delete_name;
	mark_dropped(b->tokens, step, s->count);
	return 0;
}

/* How many steps a class body ends with here that the compiler added. Since 3.12 they have the
 * line of the last statement (Python/compile.c, compiler_class_body; Python/codegen.c). */
static int count_added(const struct step *last)
{
	if (!last->is_store ||
	    !compare_is_name(last->value,
			     "__static_attributes__ __classdictcell__ __classcell__"))
		return 0;
	return 2 + compare_is_name(last->value, "__classcell__"); /* copied, to return it */
}

/* A class body ends with steps of the class's own. Else they have its first line. */
static void find_own(const struct build *b, int end)
{
	struct step *steps = b->stream->steps;
	int at = end;

	while (at > 1) {
		int count = count_added(&steps[at - 1]);
		count += !count && steps[at - 1].line <= steps[0].line;
		if (!count || count >= at)
			break;
		at -= count;
	}
	for (int i = at > 1 ? at : end; i < end; i++) {
		steps[i].line = steps[0].line;
		steps[i].is_own = 1;
	}
}

/* 3.14: a module with annotations begins with steps of its own, which have the line of its
 * first statement (Python/codegen.c, codegen_body and codegen_process_deferred_annotations). */
static void find_start(const struct build *b)
{
	struct step *steps = b->stream->steps;

	for (int i = 0; i < b->stream->count && i < 5; i++) {
		if (!steps[i].is_store)
			continue;
		if (PyUnicode_CompareWithASCIIString(steps[i].value, "__annotate__") &&
		    PyUnicode_CompareWithASCIIString(steps[i].value,
						     "__conditional_annotations__"))
			break;
		for (int k = i; k >= 0; k--)
			steps[k].line = 0;
	}
}

static int number_steps(struct build *b)
{
	struct stream *s = b->stream;
	_cleanup_py_ PyObject *name = code_name(s->code);
	int hot = 0;

	s->steps = py_room((size_t)(b->code.count + 1) * sizeof(*s->steps));
	if (!s->steps)
		return -1;
	for (int i = 0; i < b->code.count; i++) {
		b->step_of[i] = -1;
		if (number_step(b, i))
			return -1;
		hot = i < b->cold ? s->count : hot;
	}
	if (name && PyUnicode_CompareWithASCIIString(name, "<module>"))
		find_own(b, hot);
	else
		find_start(b);
	return 0;
}

static void link_steps(struct build *b)
{
	for (int i = 0; i < b->code.count; i++) {
		const struct instruction *from = &b->code.items[i];
		if (b->step_of[i] < 0)
			continue;
		struct step *step = &b->stream->steps[b->step_of[i]];
		step->next = from->kind == OPCODE_RAISE ? FLOW_NONE : resolve(b, i + 1);
		step->target = resolve(b, from->target);
	}
	for (int g = 0; g < b->code.guard_count; g++) {
		const struct guard *guard = &b->code.guards[g];
		int handler = resolve(b, guard->handler);
		for (int i = guard->start; i < guard->end && i < b->code.count; i++)
			if (b->step_of[i] >= 0)
				b->stream->steps[b->step_of[i]].handler = handler;
	}
}

static int build(struct build *b, PyObject *code)
{
	/* in the order of struct names */
	PY_FILLED(struct names, constants, frees, 5);
	static const char attributes[] =
		"co_consts\0co_names\0co_varnames\0co_cellvars\0co_freevars\0";
	PyObject **slot = &b->names.constants;

	for (const char *each = attributes; *each; each = text_next(each), slot++)
		if (!(*slot = PyObject_GetAttrString(code, each)))
			return -1;
	b->names.code = code;
	if (bytecode_init(&b->code, b->tokens->world, code))
		return -1;
	b->step_of = py_room(((size_t)b->code.count + 1) * sizeof(int));
	b->copy_of = py_room(((size_t)b->code.count + 1) * sizeof(int));
	if (!b->step_of || !b->copy_of)
		return -1;
	find_cold(b);
	forget_restoring(b);
	find_copies(b);
	if (number_steps(b))
		return -1;
	link_steps(b);
	return stream_put_in_order(b->stream);
}

int stream_init(struct stream *out, struct tokens *tokens, PyObject *code)
{
	struct build b = {.stream = out, .tokens = tokens};

	*out = (struct stream){.code = py_ref(code)};
	int status = build(&b, code);
	py_drop_all(&b.names.constants, &b.names.frees + 1);
	PyMem_Free(b.step_of);
	PyMem_Free(b.copy_of);
	bytecode_fini(&b.code);
	return status;
}

void stream_fini(struct stream *s)
{
	Py_DecRef(s->code);
	PyMem_Free(s->steps);
	PyMem_Free(s->is_cut);
	*s = (struct stream){0};
}

int stream_binds(const struct step *step, PyObject *name)
{
	return step->is_store && !PyUnicode_Compare(step->value, name);
}

int stream_find_store(const struct stream *s, int from, int end, PyObject *name)
{
	while (from < end && !stream_binds(&s->steps[from], name))
		from++;
	return from;
}
