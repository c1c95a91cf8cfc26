/* SPDX-License-Identifier: Apache-2.0 */
/* The channel set: defaults, classes by priority, and what is refused. */
#include <criterion/criterion.h>

#include "conn/channel_set.h"

static sy_channel_set set;

Test(channel_set, defaults_are_filled_in) {
    sy_channel_set_init(&set, 1024);
    cr_assert_eq(set.count, 0);
    cr_assert_eq(set.packet_payload_max, 1024);
    for (int id = 0; id < 256; id++) {
        cr_assert_eq(set.index_of[id], SY_CHANNEL_NONE, "id %d", id);
    }

    cr_assert_eq(sy_channel_set_add(&set, &(sy_channel_desc){.id = 0x77}), SY_OK);

    cr_assert_eq(set.count, 1);
    cr_assert_eq(set.index_of[0x77], 0);
    const sy_channel_desc *desc = &set.desc[0];
    cr_assert_eq(desc->id, 0x77);
    cr_assert_eq(desc->priority, 1);
    cr_assert_eq(desc->traffic_class, SY_CLASS_BULK);
    cr_assert_eq(desc->send_queue_max, 1);
    cr_assert_eq(desc->send_queue_bytes_max, 22020096);
    cr_assert_eq(desc->recv_message_max, 22020096);
    cr_assert_eq(desc->recv_budget, 22020096);
    cr_assert_eq(desc->full_policy, SY_FULL_DISCONNECT);
    cr_assert_not(desc->sink);
}

/* SPEC-TEST MX-46 */
Test(channel_set, what_is_given_stays) {
    sy_channel_set_init(&set, 1024);
    const sy_channel_desc given = {.id = 0x21,
                                   .name = "data",
                                   .priority = 10,
                                   .traffic_class = SY_CLASS_BULK,
                                   .send_queue_max = 100,
                                   .send_queue_bytes_max = 5,
                                   .recv_message_max = 1048576,
                                   .recv_budget = 7,
                                   .full_policy = SY_FULL_PAUSE,
                                   .sink = true};
    cr_assert_eq(sy_channel_set_add(&set, &given), SY_OK);
    const sy_channel_desc *desc = &set.desc[0];
    cr_assert_str_eq(desc->name, "data");
    cr_assert_eq(desc->priority, 10);
    cr_assert_eq(desc->traffic_class, SY_CLASS_BULK);
    cr_assert_eq(desc->send_queue_max, 100);
    cr_assert_eq(desc->send_queue_bytes_max, 5);
    cr_assert_eq(desc->recv_message_max, 1048576);
    cr_assert_eq(desc->recv_budget, 7);
    cr_assert_eq(desc->full_policy, SY_FULL_PAUSE);
    cr_assert(desc->sink);
}

Test(channel_set, defaults_of_a_small_channel) {
    sy_channel_set_init(&set, 1024);
    const sy_channel_desc small = {.id = 1, .recv_message_max = 64000};
    cr_assert_eq(sy_channel_set_add(&set, &small), SY_OK);
    cr_assert_eq(set.desc[0].recv_budget, 4194304);
    cr_assert_eq(set.desc[0].send_queue_bytes_max, 8388608);
}

typedef struct class_row {
    int priority;
    sy_class want;
} class_row;

static const class_row classes[] = {
    {0, SY_CLASS_BULK},   {1, SY_CLASS_BULK},    {3, SY_CLASS_BULK},     {4, SY_CLASS_NORMAL},
    {9, SY_CLASS_NORMAL}, {10, SY_CLASS_URGENT}, {255, SY_CLASS_URGENT},
};

/* SPEC-TEST MX-46 */
Test(channel_set, class_by_priority) {
    sy_channel_set_init(&set, 1024);
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        const sy_channel_desc desc = {.id = (uint8_t)i, .priority = classes[i].priority};
        cr_assert_eq(sy_channel_set_add(&set, &desc), SY_OK);
        cr_assert_eq(set.desc[i].traffic_class, classes[i].want, "priority %d",
                     classes[i].priority);
    }
}

typedef struct bad_row {
    const char *name;
    sy_channel_desc desc;
} bad_row;

static const bad_row bad[] = {
    {"priority -1", {.id = 1, .priority = -1}},
    {"priority 256", {.id = 1, .priority = 256}},
    {"class below", {.id = 1, .traffic_class = (sy_class)-1}},
    {"class above", {.id = 1, .traffic_class = (sy_class)(SY_CLASS_BULK + 1)}},
    {"policy above", {.id = 1, .full_policy = (sy_full_policy)(SY_FULL_PAUSE + 1)}},
    {"queue of more than a million", {.id = 1, .send_queue_max = 1000001}},
    {"queue bytes", {.id = 1, .send_queue_bytes_max = SIZE_MAX}},
    {"capacity", {.id = 1, .recv_message_max = SIZE_MAX}},
    {"receive budget", {.id = 1, .recv_budget = SIZE_MAX}},
};

/* SPEC-TEST MX-47 */
Test(channel_set, what_is_out_of_range_is_refused) {
    sy_channel_set_init(&set, 1024);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_eq(sy_channel_set_add(&set, &bad[i].desc), SY_ERR_INVALID, "%s", bad[i].name);
        cr_assert_eq(set.count, 0, "%s", bad[i].name);
        cr_assert_eq(set.index_of[1], SY_CHANNEL_NONE, "%s", bad[i].name);
    }
    /* The repaired twin of all of them. */
    const sy_channel_desc good = {.id = 1, .priority = 255, .send_queue_max = 1000000};
    cr_assert_eq(sy_channel_set_add(&set, &good), SY_OK);
}

Test(channel_set, an_id_is_taken_once_and_all_256_fit) {
    sy_channel_set_init(&set, 1);
    for (int id = 255; id >= 0; id--) {
        const sy_channel_desc desc = {.id = (uint8_t)id};
        cr_assert_eq(sy_channel_set_add(&set, &desc), SY_OK, "id %d", id);
        cr_assert_eq(sy_channel_set_add(&set, &desc), SY_ERR_CHANNEL_TAKEN, "id %d", id);
        cr_assert_eq(set.index_of[id], 255 - id);
    }
    cr_assert_eq(set.count, 256);
}
