/* SPDX-License-Identifier: Apache-2.0 */
/* Reference-counted messages: header and payload in one allocation, the count a C11 atomic. */
#include <switchyard/msg.h>

#include <stdatomic.h>
#include <string.h>

#include <switchyard/assert.h>

struct sy_msg {
    atomic_size_t refs;
    size_t len;
    sy_mem mem;
    sy_budget *budget;
    uint8_t data[];
};

sy_err sy_msg_new(const sy_mem *mem, sy_budget *budget, const void *data, size_t len,
                  sy_msg **ret_msg) {
    SY_REQUIRE(mem != NULL);
    SY_REQUIRE(ret_msg != NULL);

    if (len > SIZE_MAX - sizeof(sy_msg)) {
        return SY_ERR_NOMEM;
    }
    const size_t size = sizeof(sy_msg) + len;
    if (budget != NULL) {
        const sy_err err = sy_budget_reserve(budget, size);
        if (err != SY_OK) {
            return err;
        }
    }
    sy_msg *msg = mem->alloc(mem->user, size);
    if (msg == NULL) {
        if (budget != NULL) {
            sy_budget_release(budget, size);
        }
        return SY_ERR_NOMEM;
    }
    atomic_init(&msg->refs, 1);
    msg->len = len;
    msg->mem = *mem;
    msg->budget = budget;
    if (data != NULL && len > 0) {
        memcpy(msg->data, data, len);
    } else {
        memset(msg->data, 0, len);
    }

    *ret_msg = msg;
    return SY_OK;
}

sy_msg *sy_msg_ref(sy_msg *msg) {
    SY_REQUIRE(msg != NULL);
    /* Whoever takes a reference already holds one, so nothing has to be ordered here. */
    const size_t before = atomic_fetch_add_explicit(&msg->refs, 1, memory_order_relaxed);
    SY_ASSERT(before > 0);
    SY_ASSERT(before < SIZE_MAX);
    return msg;
}

void sy_msg_unref(sy_msg *msg) {
    if (msg == NULL) {
        return;
    }
    const size_t before = atomic_fetch_sub_explicit(&msg->refs, 1, memory_order_acq_rel);
    SY_ASSERT(before > 0);
    if (before > 1) {
        return;
    }
    if (msg->budget != NULL) {
        sy_budget_release(msg->budget, sizeof(sy_msg) + msg->len);
    }
    /* The allocator lives in the block that it releases. */
    const sy_mem mem = msg->mem;
    mem.release(mem.user, msg);
}

const uint8_t *sy_msg_data(const sy_msg *msg) {
    SY_REQUIRE(msg != NULL);
    return msg->data;
}

size_t sy_msg_len(const sy_msg *msg) {
    SY_REQUIRE(msg != NULL);
    return msg->len;
}

uint8_t *sy_msg_write_data(sy_msg *msg) {
    SY_REQUIRE(msg != NULL);
    SY_REQUIRE(atomic_load_explicit(&msg->refs, memory_order_acquire) == 1);
    return msg->data;
}
