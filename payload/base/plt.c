/* SPDX-License-Identifier: MIT
 *
 * The entries through which the functions are called that are called often. Where something
 * refers to the address of a function too, the linker makes an entry of 8 bytes instead of 16
 * (.plt.got; binutils, bfd/elfxx-x86.c). So this does, in a section that no target gets.
 */
#define REFER(name) ".long " #name "@GOTPCREL\n"

/* clang-format off */
__asm__(".pushsection .calls, \"a\"\n"
	REFER(PyBytes_AsStringAndSize)
	REFER(PyDict_Copy)
	REFER(PyDict_GetItem)
	REFER(PyDict_GetItemString)
	REFER(PyDict_New)
	REFER(PyDict_Next)
	REFER(PyDict_SetItem)
	REFER(PyDict_SetItemString)
	REFER(PyDict_Size)
	REFER(PyDict_Values)
	REFER(PyErr_Clear)
	REFER(PyErr_Occurred)
	REFER(PyFunction_GetCode)
	REFER(PyFunction_GetDefaults)
	REFER(PyFunction_GetGlobals)
	REFER(PyList_Append)
	REFER(PyList_GetItem)
	REFER(PyList_New)
	REFER(PyList_SetSlice)
	REFER(PyList_Size)
	REFER(PyLong_AsLong)
	REFER(PyLong_FromLong)
	REFER(PyMem_Free)
	REFER(PyModule_GetDict)
	REFER(PyObject_CallFunctionObjArgs)
	REFER(PyObject_CallMethod)
	REFER(PyObject_GetAttr)
	REFER(PyObject_GetAttrString)
	REFER(PyObject_RichCompareBool)
	REFER(PyObject_SetAttrString)
	REFER(PySequence_List)
	REFER(PySet_Add)
	REFER(PySet_Contains)
	REFER(PySet_New)
	REFER(PyTuple_GetItem)
	REFER(PyTuple_Pack)
	REFER(PyTuple_Size)
	REFER(PyType_GetFlags)
	REFER(PyType_IsSubtype)
	REFER(PyUnicode_AsUTF8)
	REFER(PyUnicode_Compare)
	REFER(PyUnicode_CompareWithASCIIString)
	REFER(PyUnicode_FromFormat)
	REFER(PyUnicode_FromString)
	REFER(Py_BuildValue)
	REFER(Py_DecRef)
	REFER(Py_IncRef)
	".popsection\n");
/* clang-format on */
