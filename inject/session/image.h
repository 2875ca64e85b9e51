/* SPDX-License-Identifier: MIT
 *
 * The payload as it will stand in the target's memory. We are its dynamic linker: no dlopen in
 * the target, no entry in its list of libraries.
 *
 * The invariant: an image is complete, every undefined symbol resolved, before anything is
 * stopped; only the relocation to its base is left for then.
 */
#ifndef INJECT_SESSION_IMAGE_H
#define INJECT_SESSION_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "inject/base/addr.h"
#include "inject/base/err.h"
#include "inject/base/span.h"
#include "inject/target/target.h"

struct image_reloc {
	uint64_t at;    /* offset in the image */
	uint64_t value; /* absolute, or an offset in the image */
	bool relative;  /* value is relative to the base */
};

struct image {
	uint8_t *bytes;   /* owned, mapped; text and data, zeros included */
	size_t size;      /* of these, whole pages */
	size_t loaded;    /* with the tables behind them, for linking alone */
	size_t text_size; /* [0, text_size) is R-X, the rest RW; whole pages */
	uint64_t launch, enter, lend, work; /* offsets of payload_launch and so on */
	uint64_t early; /* [early, text_size): all text that a thread needs which is sent in */
	struct image_reloc *relocs; /* owned */
	size_t reloc_count;
};

/* Link the shared object at path for target. */
HP_MUST_CHECK int image_link(struct image *out, const char *path, const struct target *target,
			     struct hp_err *err);
/* The pure part: file is the bytes of the shared object; lookup gives 0 for unknown names. */
typedef remote_addr (*image_lookup)(const void *context, const char *name);
HP_MUST_CHECK int image_parse(struct image *out, struct span file, image_lookup lookup,
			      const void *context, struct hp_err *err);
void image_fini(struct image *image);
/* Its bytes are not written any more; what is known of them stays. */
void image_unload(struct image *image);

/* Apply the relocations for `base` to a copy of bytes at `to`. */
void image_relocate(const struct image *image, uint8_t *to, remote_addr base);

#endif
