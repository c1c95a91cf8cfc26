/* SPDX-License-Identifier: Apache-2.0 */
/* SPEC-TEST RX-20 RX-21 RX-22 */
#include <criterion/criterion.h>

#include "p2p/credit.h"

static const sy_channel_desc desc = {
    .send_queue_max = 4, .send_queue_bytes_max = 1000, .recv_message_max = 800};

static sy_mail *make_mail(size_t len) {
    sy_mail *mail = sy_mem_zalloc(sy_mem_libc(), sizeof *mail);
    cr_assert(mail != NULL);
    cr_assert(sy_msg_new(sy_mem_libc(), NULL, NULL, len, &mail->msg) == SY_OK);
    return mail;
}

static void free_mail(sy_mail *mail) {
    sy_msg_unref(mail->msg);
    sy_mem_release(sy_mem_libc(), mail);
}

static void post(sy_credit *credit, size_t len) {
    cr_assert_eq(sy_credit_post(credit, make_mail(len)), SY_SEND_QUEUED);
}

static void drop_all(sy_credit *credit) {
    while (sy_credit_peek(credit) != NULL) {
        free_mail(sy_credit_drop(credit));
    }
}

Test(credit, bytes_at_their_limit) {
    static const struct row {
        const char *name;
        size_t len;
        sy_send_result want;
    } rows[] = {
        {"fits -1", 699, SY_SEND_QUEUED},         {"fits 0", 700, SY_SEND_QUEUED},
        {"fits +1", 701, SY_SEND_FULL},           {"message 0", 800, SY_SEND_FULL},
        {"message +1", 801, SY_SEND_REFUSED},     {"empty", 0, SY_SEND_QUEUED},
        {"very long", SIZE_MAX, SY_SEND_REFUSED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sy_credit credit;
        sy_credit_init(&credit, &desc, true);
        post(&credit, 300);
        cr_expect_eq(sy_credit_ask(&credit, rows[i].len), rows[i].want, "row %s", rows[i].name);
        cr_expect_eq(credit.wanted, rows[i].want == SY_SEND_FULL, "row %s", rows[i].name);
        drop_all(&credit);
    }
}

Test(credit, messages_at_their_limit_and_writable_at_half) {
    sy_credit credit;
    sy_credit_init(&credit, &desc, true);
    for (size_t i = 0; i < 4; i++) {
        post(&credit, 10 + i);
    }
    sy_mail *more = make_mail(1);
    cr_expect_eq(sy_credit_post(&credit, more), SY_SEND_FULL);
    for (size_t i = 0; i < 3; i++) {
        sy_mail *mail = sy_credit_take(&credit);
        cr_expect_eq(sy_msg_len(mail->msg), 10 + i, "in order");
        free_mail(mail);
    }
    cr_expect_eq(sy_credit_post(&credit, more), SY_SEND_FULL, "queued ones count");
    cr_expect(!sy_credit_publish(&credit, 2, 23), "one posted, two queued: above the half");
    cr_expect(sy_credit_publish(&credit, 1, 12), "two are the half");
    cr_expect(!sy_credit_publish(&credit, 0, 0), "once");
    cr_expect_eq(sy_credit_post(&credit, more), SY_SEND_QUEUED);
    drop_all(&credit);
}

Test(credit, refused_without_the_channel_and_after_the_end) {
    sy_credit credit;
    sy_credit_init(&credit, &desc, false);
    cr_expect_eq(sy_credit_ask(&credit, 1), SY_SEND_REFUSED);
    sy_credit_init(&credit, &desc, true);
    post(&credit, 1);
    sy_credit_close(&credit);
    cr_expect_eq(sy_credit_ask(&credit, 1), SY_SEND_REFUSED);
    cr_expect(!sy_credit_publish(&credit, 0, 0));
    drop_all(&credit);
}
