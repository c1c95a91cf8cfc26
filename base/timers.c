/* SPDX-License-Identifier: Apache-2.0 */
/* A pairing heap of timers, ordered by (at, seq).  Setting is O(1), taking out is O(log n)
 * amortised.  No recursion: the children of a removed timer are merged in pairs along the sibling
 * list, then the pairs are merged into one. */
#include "base/timers.h"

#include <stddef.h>

#include <switchyard/assert.h>

static bool before(const sy_timer *a, const sy_timer *b) {
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

/* Two roots become one; either may be NULL. */
static sy_timer *merge(sy_timer *a, sy_timer *b) {
    if (a == NULL || b == NULL) {
        return a != NULL ? a : b;
    }
    SY_ASSERT(a != b);
    sy_timer *top = before(a, b) ? a : b;
    sy_timer *sub = top == a ? b : a;
    sub->prev = top;
    sub->next = top->child;
    if (top->child != NULL) {
        top->child->prev = sub;
    }
    top->child = sub;
    top->next = NULL;
    top->prev = NULL;
    return top;
}

/* Merges a list of siblings into one heap. */
static sy_timer *merge_siblings(sy_timer *first) {
    sy_timer *pairs = NULL; /* linked by next, the last pair first */
    while (first != NULL) {
        sy_timer *a = first;
        sy_timer *b = a->next;
        first = b != NULL ? b->next : NULL;
        a->next = NULL;
        if (b != NULL) {
            b->next = NULL;
        }
        sy_timer *pair = merge(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    sy_timer *root = NULL;
    while (pairs != NULL) {
        sy_timer *pair = pairs;
        pairs = pair->next;
        pair->next = NULL;
        root = merge(root, pair);
    }
    if (root != NULL) {
        root->prev = NULL;
    }
    return root;
}

static void unlink_timer(sy_timers *timers, sy_timer *timer) {
    sy_timer *rest = merge_siblings(timer->child);
    if (timer == timers->root) {
        timers->root = rest;
    } else {
        SY_ASSERT(timer->prev != NULL);
        if (timer->prev->child == timer) {
            timer->prev->child = timer->next;
        } else {
            SY_ASSERT(timer->prev->next == timer);
            timer->prev->next = timer->next;
        }
        if (timer->next != NULL) {
            timer->next->prev = timer->prev;
        }
        timers->root = merge(timers->root, rest);
    }
    timer->at = SY_NEVER;
    timer->child = NULL;
    timer->next = NULL;
    timer->prev = NULL;
}

void sy_timers_init(sy_timers *timers) {
    SY_REQUIRE(timers != NULL);
    *timers = (sy_timers){.root = NULL, .next_seq = 0};
}

void sy_timer_init(sy_timer *timer, int kind) {
    SY_REQUIRE(timer != NULL);
    *timer = (sy_timer){.at = SY_NEVER, .kind = kind};
}

void sy_timers_set(sy_timers *timers, sy_timer *timer, sy_time at) {
    SY_REQUIRE(timers != NULL);
    SY_REQUIRE(timer != NULL);
    if (sy_timer_is_set(timer)) {
        unlink_timer(timers, timer);
    }
    if (at == SY_NEVER) {
        return;
    }
    SY_ASSERT(timer->child == NULL);
    SY_ASSERT(timer->next == NULL);
    SY_ASSERT(timer->prev == NULL);
    timer->at = at;
    timer->seq = timers->next_seq++;
    timers->root = merge(timers->root, timer);
}

void sy_timers_clear(sy_timers *timers, sy_timer *timer) {
    sy_timers_set(timers, timer, SY_NEVER);
}

sy_time sy_timers_next(const sy_timers *timers) {
    SY_REQUIRE(timers != NULL);
    return timers->root != NULL ? timers->root->at : SY_NEVER;
}

sy_timer *sy_timers_pop_due(sy_timers *timers, sy_time now) {
    SY_REQUIRE(timers != NULL);
    sy_timer *timer = timers->root;
    if (timer == NULL || timer->at > now) {
        return NULL;
    }
    unlink_timer(timers, timer);
    return timer;
}
