/* SPDX-License-Identifier: MIT
 *
 * CPython as the payload sees it: opaque objects and the functions of the C API that it calls,
 * nothing else. No struct layout, no macro, no data symbol, so that the same bytes are right
 * for every version from 3.7 to 3.13, for release and debug builds. Every name here is exported
 * as a function by each of them; those that are not are weak, and 0 where they do not exist.
 */
#ifndef PAYLOAD_PY_H
#define PAYLOAD_PY_H

#include <stddef.h>
#include <stdint.h>

typedef struct _object PyObject;
typedef ptrdiff_t Py_ssize_t;
#define PY_WEAK __attribute__((weak))

/* life cycle and GIL */
const char *Py_GetVersion(void);
int Py_IsInitialized(void);
PY_WEAK int _Py_IsFinalizing(void);          /* 3.7 to 3.12 */
PY_WEAK int Py_IsFinalizing(void);           /* 3.13 */
PY_WEAK int PyEval_ThreadsInitialized(void); /* gone in 3.13 */
int PyGILState_Ensure(void);
void PyGILState_Release(int state);
unsigned long PyThread_get_thread_ident(void);

/* memory and references; both count functions accept NULL */
void Py_IncRef(PyObject *o);
void Py_DecRef(PyObject *o);
void *PyMem_Malloc(size_t size);
void *PyMem_Realloc(void *p, size_t size);
void PyMem_Free(void *p);

#endif
