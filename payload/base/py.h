/* SPDX-License-Identifier: MIT
 *
 * CPython as the payload sees it: opaque objects and the functions of the C API that it calls,
 * nothing else. No struct layout, no macro, no data symbol, so that the same bytes are right
 * for every version from 3.7 to 3.15, for release and debug builds. Every name here is exported
 * as a function by each of them; those that are not are weak, and 0 where they do not exist.
 */
#ifndef PAYLOAD_BASE_PY_H
#define PAYLOAD_BASE_PY_H

#include <stddef.h>
#include <stdint.h>

typedef struct _object PyObject;
typedef struct _ts PyThreadState;
typedef struct _is PyInterpreterState;
typedef ptrdiff_t Py_ssize_t;
#define PY_WEAK __attribute__((weak, noplt))
/* Called in less than 10 places: each call is a byte longer, but the table through which calls
 * go (plt.c) has no entry for it, which would be 8 bytes. */
#define PY_RARE __attribute__((noplt))

/* life cycle and GIL */
PY_RARE const char *Py_GetVersion(void);
PY_RARE int Py_IsInitialized(void);
PY_WEAK int _Py_IsFinalizing(void);                   /* 3.7 to 3.12 */
PY_WEAK int Py_IsFinalizing(void);                    /* 3.13 */
PY_WEAK int PyEval_ThreadsInitialized(void);          /* gone in 3.13 */
PY_WEAK void _Py_MergeZeroLocalRefcount(PyObject *o); /* free-threaded builds alone */
PY_RARE int PyGILState_Ensure(void);
PY_RARE void PyGILState_Release(int state);
PY_RARE unsigned long PyThread_get_thread_ident(void);
PY_RARE int PyThreadState_SetAsyncExc(unsigned long ident, PyObject *exception);
PY_RARE PyThreadState *PyGILState_GetThisThreadState(void);
PY_WEAK PyThreadState *_PyThreadState_UncheckedGet(void); /* to 3.12 */
PY_WEAK PyThreadState *PyThreadState_GetUnchecked(void);  /* 3.13 */
PY_RARE PyThreadState *PyEval_SaveThread(void);
PY_RARE void PyEval_RestoreThread(PyThreadState *state);
PY_RARE int Py_AddPendingCall(int (*call)(void *argument), void *argument);
PY_RARE PyThreadState *PyThreadState_New(PyInterpreterState *interpreter);
PY_RARE PyThreadState *PyThreadState_Swap(PyThreadState *state);
PY_RARE void PyThreadState_Clear(PyThreadState *state);
PY_RARE void PyThreadState_Delete(PyThreadState *state);
PY_WEAK PyInterpreterState *PyInterpreterState_Head(void);
PY_WEAK PyInterpreterState *PyInterpreterState_Next(PyInterpreterState *interpreter);
PY_WEAK int64_t PyInterpreterState_GetID(PyInterpreterState *interpreter); /* 3.7 */
PY_WEAK PyInterpreterState *_PyInterpreterState_Get(void);                 /* 3.7, 3.8 */
PY_WEAK PyInterpreterState *PyInterpreterState_Get(void);                  /* 3.9 */

/* memory and references; both count functions accept NULL */
void Py_IncRef(PyObject *o);
void Py_DecRef(PyObject *o);
PY_RARE void *PyMem_Malloc(size_t size);
PY_RARE void *PyMem_Realloc(void *p, size_t size);
void PyMem_Free(void *p);

/* any object */
PY_RARE PyObject *PyObject_Type(PyObject *o);
PY_RARE PyObject *PyObject_Str(PyObject *o);
PyObject *PyObject_GetAttr(PyObject *o, PyObject *name);
PyObject *PyObject_GetAttrString(PyObject *o, const char *name);
PY_RARE int PyObject_SetAttr(PyObject *o, PyObject *name, PyObject *value);
int PyObject_SetAttrString(PyObject *o, const char *name, PyObject *value);
PY_RARE PyObject *PyObject_GenericGetAttr(PyObject *o, PyObject *name);
PyObject *PyObject_GenericGetDict(PyObject *o, void *unused);
PY_RARE PyObject *PyObject_GetItem(PyObject *o, PyObject *key);
int PyObject_RichCompareBool(PyObject *a, PyObject *b, int operation);
PY_RARE int PyObject_IsTrue(PyObject *o);
PY_RARE PyObject *PyObject_Call(PyObject *callable, PyObject *args, PyObject *kwargs);
PY_RARE PyObject *PyObject_CallObject(PyObject *callable, PyObject *args);
PyObject *PyObject_CallFunctionObjArgs(PyObject *callable, ...);
PyObject *PyObject_CallMethod(PyObject *o, const char *name, const char *format, ...);
PY_RARE void *PyType_GetSlot(PyObject *type, int slot);
int PyType_IsSubtype(PyObject *type, PyObject *base);
PY_RARE void PyType_Modified(PyObject *type);
unsigned long PyType_GetFlags(PyObject *type);
#define PY_TYPE_IS_HEAP      (1ul << 9)
#define PY_TYPE_IS_IMMUTABLE (1ul << 8) /* 3.10; those of C that are on the heap */
#define PY_TYPE_HAS_GC       (1ul << 14)
PyObject *Py_BuildValue(const char *format, ...);
#define PY_EQ 2

/* containers */
PyObject *PyDict_New(void);
PyObject *PyDict_Copy(PyObject *dict);
PyObject *PyDict_GetItem(PyObject *dict, PyObject *key); /* borrowed; hides errors */
PyObject *PyDict_GetItemString(PyObject *dict, const char *key);
int PyDict_SetItem(PyObject *dict, PyObject *key, PyObject *value);
int PyDict_SetItemString(PyObject *dict, const char *key, PyObject *value);
PY_RARE PyObject *PyDict_SetDefault(PyObject *dict, PyObject *key,
				    PyObject *value); /* borrowed */
PY_RARE int PyDict_DelItem(PyObject *dict, PyObject *key);
PY_RARE int PyDict_DelItemString(PyObject *dict, const char *key);
PY_RARE int PyDict_Update(PyObject *dict, PyObject *other);
PY_RARE void PyDict_Clear(PyObject *dict);
PY_RARE int PyODict_SetItem(PyObject *ordered, PyObject *key, PyObject *value);
PY_RARE int PyODict_DelItem(PyObject *ordered, PyObject *key);
int PyDict_Next(PyObject *dict, Py_ssize_t *at, PyObject **key, PyObject **value);
Py_ssize_t PyDict_Size(PyObject *dict);
PY_RARE PyObject *PyDict_Keys(PyObject *dict);
PyObject *PyDict_Values(PyObject *dict);
PY_RARE void PyObject_GC_UnTrack(void *o);
PyObject *PyList_New(Py_ssize_t size);
Py_ssize_t PyList_Size(PyObject *list);
PyObject *PyList_GetItem(PyObject *list, Py_ssize_t at); /* borrowed */
int PyList_Append(PyObject *list, PyObject *item);
PY_RARE int PyList_Insert(PyObject *list, Py_ssize_t at, PyObject *item);
int PyList_SetSlice(PyObject *list, Py_ssize_t low, Py_ssize_t high, PyObject *items);
PY_RARE PyObject *PyList_GetSlice(PyObject *list, Py_ssize_t low, Py_ssize_t high);
PY_RARE int PyList_Sort(PyObject *list);
PY_RARE PyObject *PyList_AsTuple(PyObject *list);
PY_RARE PyObject *PyTuple_New(Py_ssize_t size);
PyObject *PyTuple_Pack(Py_ssize_t size, ...);
Py_ssize_t PyTuple_Size(PyObject *tuple);
PyObject *PyTuple_GetItem(PyObject *tuple, Py_ssize_t at); /* borrowed */
PY_RARE int PyTuple_SetItem(PyObject *tuple, Py_ssize_t at, PyObject *stolen);
PyObject *PySet_New(PyObject *items);
int PySet_Add(PyObject *set, PyObject *item);
PY_RARE Py_ssize_t PySet_Size(PyObject *set);
int PySet_Contains(PyObject *set, PyObject *item);
PY_RARE int PySet_Discard(PyObject *set, PyObject *item);
PY_RARE int PySet_Clear(PyObject *set);
PyObject *PySequence_List(PyObject *o);
PY_RARE PyObject *PySequence_Tuple(PyObject *o);

/* text, bytes, numbers */
PyObject *PyUnicode_FromString(const char *text);
PY_RARE PyObject *PyUnicode_InternFromString(const char *text);
PY_RARE PyObject *PyUnicode_FromStringAndSize(const char *text, Py_ssize_t size);
PyObject *PyUnicode_FromFormat(const char *format, ...);
PY_RARE PyObject *PyUnicode_Split(PyObject *text, PyObject *separator, Py_ssize_t max);
PY_RARE PyObject *PyUnicode_DecodeUTF8(const char *text, Py_ssize_t size, const char *errors);
PY_RARE const char *PyUnicode_AsUTF8(PyObject *text); /* borrowed from text */
int PyUnicode_CompareWithASCIIString(PyObject *text, const char *ascii);
int PyUnicode_Compare(PyObject *a, PyObject *b);
PY_RARE Py_ssize_t PyUnicode_Tailmatch(PyObject *text, PyObject *part, Py_ssize_t start,
				       Py_ssize_t end, int direction);
PY_RARE PyObject *PyUnicode_EncodeFSDefault(PyObject *text);
PY_RARE PyObject *PyUnicode_DecodeFSDefault(const char *text);
PY_RARE PyObject *PyUnicode_Substring(PyObject *text, Py_ssize_t start, Py_ssize_t end);
PY_RARE PyObject *PyUnicode_Concat(PyObject *a, PyObject *b);
int PySequence_Contains(PyObject *o, PyObject *value);
PY_RARE PyObject *PyBytes_FromString(const char *text);
PY_RARE PyObject *PyBytes_FromStringAndSize(const char *bytes, Py_ssize_t size);
int PyBytes_AsStringAndSize(PyObject *bytes, char **out, Py_ssize_t *size_out);
PY_RARE PyObject *PyBool_FromLong(long value);
PyObject *PyLong_FromLong(long value);
PY_RARE PyObject *PyLong_FromLongLong(long long value);
PY_RARE PyObject *PyLong_FromUnsignedLong(unsigned long value);
long PyLong_AsLong(PyObject *o);

/* functions, cells, modules, code */
PY_RARE PyObject *PyFunction_New(PyObject *code, PyObject *globals);
PY_RARE PyObject *PyCode_NewEmpty(const char *file, const char *name, int line);
PyObject *PyFunction_GetCode(PyObject *function); /* this and the next four: borrowed */
PyObject *PyFunction_GetGlobals(PyObject *function);
PyObject *PyFunction_GetDefaults(PyObject *function);
PY_RARE PyObject *PyFunction_GetKwDefaults(PyObject *function);
PY_RARE PyObject *PyFunction_GetClosure(PyObject *function);
PY_RARE int PyFunction_SetDefaults(PyObject *function, PyObject *tuple_or_none);
PY_RARE int PyFunction_SetKwDefaults(PyObject *function, PyObject *dict_or_none);
PY_RARE int PyFunction_SetClosure(PyObject *function, PyObject *tuple_or_none);
PY_RARE PyObject *PyFunction_GetAnnotations(PyObject *function);
PY_RARE int PyFunction_SetAnnotations(PyObject *function, PyObject *dict_or_none);
PY_RARE PyObject *PyCell_New(PyObject *value);
PY_RARE int PyCallable_Check(PyObject *o);
PY_RARE PyObject *PyCell_Get(PyObject *cell);
PY_RARE int PyCell_Set(PyObject *cell, PyObject *value);
PY_RARE PyObject *PyModule_New(const char *name);
PyObject *PyModule_GetDict(PyObject *module);   /* borrowed */
PY_RARE PyObject *PyImport_GetModuleDict(void); /* borrowed */
PY_RARE PyObject *PyImport_ImportModuleLevel(const char *name, PyObject *globals,
					     PyObject *locals, PyObject *names, int level);
PY_RARE long PyImport_GetMagicNumber(void);
PY_RARE PyObject *PyEval_EvalCode(PyObject *code, PyObject *globals, PyObject *locals);
PY_RARE PyObject *Py_CompileString(const char *source, const char *file, int start);
PY_RARE PyObject *PyMarshal_ReadObjectFromString(const char *bytes, Py_ssize_t size);
PY_RARE PyObject *PySys_GetObject(const char *name);                 /* borrowed */
PY_WEAK int PySys_Audit(const char *event, const char *format, ...); /* 3.8 */
PY_WEAK void PyUnstable_GC_VisitObjects(int (*visit)(PyObject *, void *),
					void *context); /* 3.12
							 */
PY_RARE int PyFrame_GetLineNumber(PyObject *frame);
PY_WEAK PyObject *PyFrame_GetCode(PyObject *frame); /* 3.9; new references, the next as well */
PY_WEAK PyObject *PyFrame_GetBack(PyObject *frame);
PY_RARE PyObject *PyCapsule_New(void *pointer, const char *name,
				void (*destructor)(PyObject *));
PY_RARE void *PyCapsule_GetPointer(PyObject *capsule, const char *name);
/* A static PyMethodDef; 3.9 */
PY_WEAK PyObject *PyCMethod_New(void *method, PyObject *self, PyObject *module, PyObject *type);
PY_RARE PyObject *PyWeakref_NewProxy(PyObject *o, PyObject *callback);
PY_RARE PyObject *PyWeakref_NewRef(PyObject *o, PyObject *callback);
#define PY_FILE_INPUT 257

/* errors */
PyObject *PyErr_Occurred(void); /* borrowed */
PY_RARE int PyErr_ExceptionMatches(PyObject *kind);
void PyErr_Clear(void);
PY_RARE void PyErr_SetString(PyObject *kind, const char *text);
PY_RARE PyObject *PyErr_Format(PyObject *kind, const char *format, ...);
PY_RARE PyObject *PyErr_NoMemory(void);
PY_RARE void PyErr_Fetch(PyObject **kind, PyObject **value, PyObject **traceback);
PY_RARE void PyErr_Restore(PyObject *kind, PyObject *value, PyObject *traceback);
PY_RARE void PyErr_NormalizeException(PyObject **kind, PyObject **value, PyObject **traceback);

static inline void py_drop(PyObject *const *o)
{
	Py_DecRef(*o);
}
#define _cleanup_py_ __attribute__((cleanup(py_drop)))

static inline PyObject *py_take(PyObject **o)
{
	PyObject *taken = *o;

	*o = NULL;
	return taken;
}

/* Of a builtin module. PyImport_ImportModule() would call builtins.__import__, which may be the
 * program's (Python/import.c). */
static inline PyObject *py_import(const char *name)
{
	return PyImport_ImportModuleLevel(name, NULL, NULL, NULL, 0);
}

/* One more reference to what may be no object. A hundred calls are 180 bytes shorter than what
 * they do. */
PyObject *py_ref(PyObject *o);

/* What many ask: calls are shorter with one argument less. Borrowed. */
PyObject *py_first(PyObject *tuple);
PyObject *py_second(PyObject *tuple);
PyObject *py_head(PyObject *list);
int py_equal(PyObject *a, PyObject *b); /* 0 with an exception, too */

/* NULL without exception where there is no such attribute. No object has none, and what is
 * pending then stays so. New reference. */
PyObject *py_attribute(PyObject *o, const char *name);

/* What comes of a call that failed may be handed on to these: without one of their arguments
 * they fail, too, and what is pending stays so. */
PyObject *py_pair(PyObject *a, PyObject *b); /* new reference */
int py_append(PyObject *list, PyObject *item);
int py_put(PyObject *dict, PyObject *key, PyObject *value);

/* How many items; no list has none. */
Py_ssize_t py_count(PyObject *list);

/* What a dict has under a key: borrowed; NULL where there is no dict or no key, too. What is
 * pending then stays so. */
PyObject *py_get(PyObject *dict, PyObject *key);

/* For loops. Borrowed; NULL behind the last one, and where there is no list or tuple. */
PyObject *py_item(PyObject *list, Py_ssize_t at);
PyObject *py_tuple_item(PyObject *tuple, Py_ssize_t at);

/* As UTF-8, borrowed from the str; NULL without exception when it cannot be, or there is none.
 */
const char *py_text(PyObject *text);

/* What bytes hold, borrowed; NULL without exception when there is a zero in between, or they
 * are none. */
const char *py_bytes(PyObject *bytes);

/* Executes source of our own; -1 with an exception. */
int py_execute(const char *source, PyObject *globals);

/* An item of a tuple that is an int. */
long py_number(PyObject *tuple, Py_ssize_t at);

/* An exception that waits while something else is done; none, maybe. */
struct py_pending {
	PyObject *kind, *value, *traceback; /* owned */
};

void py_set_aside(struct py_pending *out);
void py_bring_back(struct py_pending *pending);

/* Items that lie side by side, with room for more. */
struct py_array {
	char *items;
	size_t count, capacity;
};

/* One more of `size` bytes, all zero, in what begins like struct py_array. NULL with an
 * exception. */
void *py_add(void *array, size_t size);

/* Memory, all zero, for PyMem_Free(); NULL with an exception. */
void *py_room(size_t size);

/* References that lie side by side: each becomes NULL. */
void py_drop_all(PyObject **first, const void *end);

/* Members of `type`, of which a list of `count` names fills one after the other. */
#define PY_FILLED(type, first, last, count)                                                    \
	_Static_assert(__builtin_offsetof(type, last) - __builtin_offsetof(type, first) ==     \
			       ((count)-1) * sizeof(PyObject *),                               \
		       "one name for each")

/* Where objects keep their type, as type_word.c proved it; 0: not known. */
extern size_t py_type_offset;

PyObject *py_type_asked(PyObject *o);

/* Borrowed: the object keeps its type alive. This one for those that ask every object. */
static inline __attribute__((always_inline)) PyObject *py_type_inlined(PyObject *o)
{
	PyObject *type;

	if (!py_type_offset)
		return py_type_asked(o);
	__builtin_memcpy(&type, (const char *)o + py_type_offset, sizeof(type));
	return type;
}

/* A call at each of a hundred places is 1.1 KB less. */
static inline PyObject *py_type(PyObject *o)
{
	return py_type_inlined(o);
}

/* Nothing is of no type, and no object of any. */
static inline int py_is(PyObject *o, PyObject *type)
{
	return o && type && py_type(o) == type;
}

static inline int py_is_a(PyObject *o, PyObject *type)
{
	return o && type && PyType_IsSubtype(py_type(o), type);
}

#define py_call(callable, ...) PyObject_CallFunctionObjArgs(callable, ##__VA_ARGS__, NULL)

#endif
