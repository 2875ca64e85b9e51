/* SPDX-License-Identifier: MIT
 *
 * The invariant: our lists are in the rings only while others may run. A child that is forked
 * then has them for ever, as what they are: a few empty lists.
 */
#include "payload/heap/places.h"

/* A list of PLACES_MAX of them, for Py_BuildValue(). */
#define LISTS "[[][][][][][][][][][][][][][][][][][][]]"
_Static_assert(sizeof(LISTS) == 2 * PLACES_MAX + sizeof("[]"), "one for each place");

int places_init(struct places *out)
{
	out->markers = Py_BuildValue(LISTS);
	for (Py_ssize_t i = 0; out->markers && i < PLACES_MAX; i++) {
		PyObject *marker = PyList_GetItem(out->markers, i);
		PyObject_GC_UnTrack(marker);
		out->at[i] = link_of(marker);
	}
	return out->markers ? 0 : -1;
}

void places_keep(struct places *places, size_t i, struct link *at)
{
	struct link *marker = places->at[i], *before = link_before(at);

	*marker = (struct link){at, (uintptr_t)before};
	before->next = marker;
	at->before += (uintptr_t)marker - (uintptr_t)before; /* its flags stay */
}

void places_restore(struct places *places, unsigned count)
{
	PyObject_GC_UnTrack(places->markers); /* no place is one of ours */
	for (unsigned i = 0; i < count; i++) {
		struct link *marker = places->at[i];
		places->at[i] = marker->next;
		for (unsigned j = 0; j < i; j++)
			if (places->at[j] == marker)
				places->at[j] = marker->next;
		PyObject_GC_UnTrack(object_of(marker));
	}
	Py_DecRef(places->markers);
}
