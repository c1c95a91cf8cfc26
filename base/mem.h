/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: one allocator for everything of ours, and on top of it a tree of budgets
 * (node -> peer -> channel).  Whoever grows a buffer reserves first; a refusal is an error for that
 * one alone.  The allocator of the C library is called in mem.c only. */
#ifndef SWITCHYARD_MEM_H
#define SWITCHYARD_MEM_H

#include <stddef.h>
#include <stdint.h>

#include <switchyard/err.h>
#include <switchyard/export.h>

SY_BEGIN_DECLS

/* An allocator.  Copied by whoever takes it; `user` must outlive every object made with it.
 * alloc(user, size > 0) gives memory aligned for any type or NULL; resize behaves as realloc with
 * ptr non-NULL and size > 0; release accepts NULL.  Called on the thread that uses the object;
 * an isolated reactor's messages are released on its own thread, so the functions must be
 * thread-safe when such reactors are used. */
typedef struct sy_mem {
    void *(*alloc)(void *user, size_t size);
    void *(*resize)(void *user, void *ptr, size_t size);
    void (*release)(void *user, void *ptr);
    void *user;
} sy_mem;

/* The C library's allocator.  Static, thread-safe. */
SY_API const sy_mem *sy_mem_libc(void);

/* size bytes, zeroed, or NULL.  size 0 gives a distinct pointer.  `mem` is borrowed. */
SY_API void *sy_mem_zalloc(const sy_mem *mem, size_t size) SY_MUST_USE;

/* count * size bytes, zeroed, or NULL also on overflow. */
SY_API void *sy_mem_zalloc_array(const sy_mem *mem, size_t count, size_t size) SY_MUST_USE;

/* As realloc; the new part is not zeroed.  On failure NULL and ptr stays valid. */
SY_API void *sy_mem_resize(const sy_mem *mem, void *ptr, size_t size) SY_MUST_USE;

/* Releases; NULL is allowed. */
SY_API void sy_mem_release(const sy_mem *mem, void *ptr);

/* A node of the budget tree.  Open struct, embedded in its owner; the parent (may be NULL) is
 * borrowed and must outlive it.  Invariant: used <= limit, and a parent's used is at least the sum
 * of its children's.  Loop thread only. */
typedef struct sy_budget {
    struct sy_budget *parent;
    const char *name; /* static text, for the error line: "node", "peer", "channel" */
    size_t limit;     /* bytes, inclusive */
    size_t used;
    size_t peak;
} sy_budget;

SY_API void sy_budget_init(sy_budget *budget, sy_budget *parent, const char *name, size_t limit);

/* Everything must have been released; asserts it. */
SY_API void sy_budget_fini(sy_budget *budget);

/* Charges n bytes here and in every ancestor, or nowhere.
 *   SY_ERR_LIMIT  one of them would exceed its limit */
SY_API sy_err sy_budget_reserve(sy_budget *budget, size_t n) SY_MUST_USE;

/* Gives n bytes back here and in every ancestor; asserts that they were charged. */
SY_API void sy_budget_release(sy_budget *budget, size_t n);

SY_END_DECLS

#endif
