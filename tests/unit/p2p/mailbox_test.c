/* SPDX-License-Identifier: Apache-2.0 */
/* The mailbox as a pure core: each policy at its boundary, the order of work, lives of boxes, and a
 * property test against a simple model. */
#include <criterion/criterion.h>

#include <string.h>

#include "base/prng.h"
#include "p2p/mailbox.h"

#define CHANNELS 4

static const sy_mem *mem;

/* Channel i is of class i + 1 with a budget of 1000. */
typedef struct fixture {
    sy_mailbox mb;
    sy_channel_desc descs[CHANNELS];
} fixture;

static void setup(fixture *f, size_t bytes_max) {
    mem = sy_mem_libc();
    sy_mailbox_init(&f->mb, CHANNELS, bytes_max);
    for (size_t i = 0; i < CHANNELS; i++) {
        f->descs[i] = (sy_channel_desc){
            .id = (uint8_t)i, .traffic_class = (sy_class)(i + 1), .recv_budget = 1000};
    }
}

typedef struct peer {
    sy_mail_box box;
    sy_mail_queue queues[CHANNELS];
} peer;

static void open_peer(fixture *f, peer *p, uint8_t id) {
    sy_node_id node = {{id}};
    sy_mailbox_open(&f->mb, &p->box, &node, p->queues, f->descs);
    sy_mailbox_start(&f->mb, &p->box, 1);
}

static sy_mail *make_mail(uint64_t number, size_t len, sy_time at) {
    sy_mail *mail = sy_mem_zalloc(mem, sizeof *mail);
    cr_assert(mail != NULL);
    cr_assert(sy_msg_new(mem, NULL, NULL, len, &mail->msg) == SY_OK);
    if (len >= sizeof number) {
        memcpy(sy_msg_write_data(mail->msg), &number, sizeof number);
    }
    mail->arrived_at = at;
    return mail;
}

static uint64_t number_of(const sy_mail *mail) {
    uint64_t number;
    memcpy(&number, sy_msg_data(mail->msg), sizeof number);
    return number;
}

static void free_mail(sy_mail *list) {
    while (list != NULL) {
        sy_mail *mail = list;
        list = mail->next;
        sy_msg_unref(mail->msg);
        sy_mem_release(mem, mail);
    }
}

static sy_mail_verdict put(fixture *f, peer *p, size_t channel, uint64_t number, size_t len) {
    const sy_mail_verdict verdict = sy_mailbox_offer(&f->mb, &p->queues[channel], len);
    if (verdict == SY_MAIL_TAKE || verdict == SY_MAIL_TAKE_AND_PAUSE) {
        sy_mailbox_push(&f->mb, &p->queues[channel], make_mail(number, len, number));
    }
    return verdict;
}

/* Does one thing; returns its kind, or -1. */
static int step(fixture *f, uint64_t *ret_number) {
    sy_mail_work work;
    if (!sy_mailbox_next(&f->mb, &work)) {
        return -1;
    }
    if (work.kind == SY_WORK_MESSAGE) {
        *ret_number = number_of(work.mail);
        free_mail(work.mail);
    }
    (void)sy_mailbox_done(&f->mb, &work, true, 0);
    return (int)work.kind;
}

static void start(fixture *f) {
    uint64_t number;
    cr_assert_eq(step(f, &number), SY_WORK_START);
}

/* SPEC-TEST RX-04 RX-10: a budget of 1000 at -1, 0, +1, for each policy. */
Test(mailbox, full_policies_at_their_boundary) {
    static const struct row {
        const char *name;
        sy_full_policy policy;
        size_t len; /* of the second message; the first counts 400 */
        sy_mail_verdict want;
    } rows[] = {
        {"disconnect -1", SY_FULL_DISCONNECT, 471, SY_MAIL_TAKE},
        {"disconnect 0", SY_FULL_DISCONNECT, 472, SY_MAIL_TAKE},
        {"disconnect +1", SY_FULL_DISCONNECT, 473, SY_MAIL_DISCONNECT},
        {"newest -1", SY_FULL_DROP_NEWEST, 471, SY_MAIL_TAKE},
        {"newest 0", SY_FULL_DROP_NEWEST, 472, SY_MAIL_TAKE},
        {"newest +1", SY_FULL_DROP_NEWEST, 473, SY_MAIL_DROP_NEWEST},
        {"oldest -1", SY_FULL_DROP_OLDEST, 471, SY_MAIL_TAKE},
        {"oldest 0", SY_FULL_DROP_OLDEST, 472, SY_MAIL_TAKE},
        {"oldest +1", SY_FULL_DROP_OLDEST, 473, SY_MAIL_DROP_OLDEST},
        {"pause -1", SY_FULL_PAUSE, 471, SY_MAIL_TAKE},
        {"pause 0", SY_FULL_PAUSE, 472, SY_MAIL_TAKE},
        {"pause +1", SY_FULL_PAUSE, 473, SY_MAIL_TAKE_AND_PAUSE},
        {"length near SIZE_MAX", SY_FULL_DISCONNECT, SIZE_MAX - 5, SY_MAIL_DISCONNECT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fixture f;
        peer p;
        sy_mail *dropped = NULL;
        setup(&f, 0);
        f.descs[2].full_policy = rows[i].policy;
        open_peer(&f, &p, 1);
        start(&f);
        cr_expect_eq(put(&f, &p, 2, 1, 400 - SY_MAIL_COST), SY_MAIL_TAKE, "row %s", rows[i].name);
        cr_expect_eq(sy_mailbox_offer(&f.mb, &p.queues[2], rows[i].len), rows[i].want, "row %s",
                     rows[i].name);
        cr_expect_eq(f.mb.dropped_newest, rows[i].want == SY_MAIL_DROP_NEWEST, "row %s",
                     rows[i].name);
        (void)sy_mailbox_close(&f.mb, &p.box, true, &dropped, 9);
        free_mail(dropped);
    }
}

/* SPEC-TEST RX-10: a message above the budget is taken when none waits, also by the limits. */
Test(mailbox, lonely_message_fits) {
    fixture f;
    peer p;
    sy_mail *dropped = NULL;
    setup(&f, 0);
    open_peer(&f, &p, 1);
    start(&f);
    cr_expect_eq(put(&f, &p, 0, 1, 5000), SY_MAIL_TAKE);
    cr_expect_eq(put(&f, &p, 0, 2, 8), SY_MAIL_DISCONNECT);
    cr_expect_eq(put(&f, &p, 1, 3, 8), SY_MAIL_TAKE, "another channel has a budget of its own");
    (void)sy_mailbox_close(&f.mb, &p.box, true, &dropped, 9);
    free_mail(dropped);
}

/* SPEC-TEST RX-09 */
Test(mailbox, limit_of_the_whole_mailbox) {
    fixture f;
    peer a;
    peer b;
    sy_mail *dropped = NULL;
    setup(&f, 1500);
    f.descs[0].full_policy = SY_FULL_DROP_OLDEST;
    f.descs[1].full_policy = SY_FULL_DROP_NEWEST;
    open_peer(&f, &a, 1);
    open_peer(&f, &b, 2);
    start(&f);
    start(&f);
    cr_expect_eq(put(&f, &a, 1, 1, 1000 - SY_MAIL_COST), SY_MAIL_TAKE);
    cr_expect_eq(put(&f, &b, 0, 2, 501 - SY_MAIL_COST), SY_MAIL_DROP_NEWEST,
                 "nothing of its own to drop");
    cr_expect_eq(put(&f, &b, 0, 2, 500 - SY_MAIL_COST), SY_MAIL_TAKE);
    cr_expect_eq(put(&f, &b, 0, 3, 8), SY_MAIL_DROP_OLDEST);
    cr_expect_eq(put(&f, &b, 1, 3, 8), SY_MAIL_DROP_NEWEST);
    cr_expect_eq(f.mb.dropped_newest, 2);
    sy_mail *oldest = sy_mailbox_drop_oldest(&f.mb, &b.queues[0]);
    cr_expect_eq(number_of(oldest), 2);
    free_mail(oldest);
    cr_expect_eq(put(&f, &b, 0, 3, 8), SY_MAIL_TAKE);
    (void)sy_mailbox_close(&f.mb, &a.box, true, &dropped, 9);
    (void)sy_mailbox_close(&f.mb, &b.box, true, &dropped, 9);
    free_mail(dropped);
    cr_expect_eq(f.mb.bytes, 0);
}

/* SPEC-TEST RX-04: what is being handled still counts. */
Test(mailbox, budget_returns_when_the_operation_has) {
    fixture f;
    peer p;
    sy_mail_work work;
    sy_mail *dropped = NULL;
    setup(&f, 0);
    f.descs[0].full_policy = SY_FULL_PAUSE;
    open_peer(&f, &p, 1);
    start(&f);
    cr_expect_eq(put(&f, &p, 0, 1, 600 - SY_MAIL_COST), SY_MAIL_TAKE);
    cr_assert(sy_mailbox_next(&f.mb, &work));
    free_mail(work.mail);
    cr_expect_eq(p.queues[0].bytes, 600);
    cr_expect_eq(put(&f, &p, 0, 2, 500 - SY_MAIL_COST), SY_MAIL_TAKE, "none waits");
    cr_expect_eq(put(&f, &p, 0, 3, 8), SY_MAIL_TAKE_AND_PAUSE);
    cr_expect(sy_mailbox_pause(&p.queues[0]));
    cr_expect(!sy_mailbox_pause(&p.queues[0]), "once");

    cr_expect(!sy_mailbox_done(&f.mb, &work, true, 0), "636 are above the half");
    cr_expect(p.queues[0].paused);
    cr_assert(sy_mailbox_next(&f.mb, &work));
    free_mail(work.mail);
    cr_expect(sy_mailbox_done(&f.mb, &work, true, 0), "136 are not: resumed");
    cr_expect(!p.queues[0].paused && p.queues[0].resumed);
    (void)sy_mailbox_close(&f.mb, &p.box, true, &dropped, 9);
    free_mail(dropped);
}

/* SPEC-TEST RX-05 RX-06 */
Test(mailbox, classes_and_their_share) {
    fixture f;
    peer p;
    size_t got[CHANNELS] = {0};
    setup(&f, 0);
    for (size_t i = 0; i < CHANNELS; i++) {
        f.descs[i].recv_budget = 1u << 20;
    }
    open_peer(&f, &p, 1);
    for (uint64_t i = 0; i < 400; i++) {
        for (size_t c = 0; c < CHANNELS; c++) {
            cr_assert_eq(put(&f, &p, c, c << 32 | i, 8), SY_MAIL_TAKE);
        }
    }
    start(&f);
    uint64_t next[CHANNELS] = {0};
    for (size_t i = 0; i < 200; i++) {
        uint64_t number;
        cr_assert_eq(step(&f, &number), SY_WORK_MESSAGE);
        const size_t c = (size_t)(number >> 32);
        cr_assert_eq(number & 0xffffffffu, next[c]++, "in order within a channel");
        got[c]++;
        if (i < 19) {
            cr_assert_eq(c, 0, "the highest class first");
        }
    }
    for (size_t c = 1; c < CHANNELS; c++) {
        cr_expect_geq(got[c], 9, "class %zu got %zu of 200", c, got[c]);
        cr_expect_leq(got[c], 10, "class %zu got %zu of 200", c, got[c]);
    }
    sy_mail *dropped = NULL;
    (void)sy_mailbox_close(&f.mb, &p.box, true, &dropped, 9);
    free_mail(dropped);
}

/* SPEC-TEST RX-06: a peer with one message does not wait behind a peer with many. */
Test(mailbox, peers_take_turns) {
    fixture f;
    peer flood;
    peer quiet;
    uint64_t number = 0;
    sy_mail *dropped = NULL;
    setup(&f, 0);
    f.descs[1].recv_budget = 1u << 20;
    open_peer(&f, &flood, 1);
    open_peer(&f, &quiet, 2);
    start(&f);
    start(&f);
    for (uint64_t i = 0; i < 100; i++) {
        cr_assert_eq(put(&f, &flood, 1, i, 8), SY_MAIL_TAKE);
    }
    cr_assert_eq(put(&f, &quiet, 1, 1000, 8), SY_MAIL_TAKE);
    (void)step(&f, &number);
    (void)step(&f, &number);
    cr_expect_eq(number, 1000);
    (void)sy_mailbox_close(&f.mb, &flood.box, true, &dropped, 9);
    (void)sy_mailbox_close(&f.mb, &quiet.box, true, &dropped, 9);
    free_mail(dropped);
}

/* SPEC-TEST RX-12 RX-15: first its messages, then its end, then the new one of that ID. */
Test(mailbox, a_reconnect_waits_for_the_end) {
    fixture f;
    peer old;
    peer new;
    peer other;
    uint64_t number = 0;
    sy_mail *dropped = NULL;
    setup(&f, 0);
    open_peer(&f, &old, 1);
    start(&f);
    cr_assert_eq(put(&f, &old, 3, 77, 8), SY_MAIL_TAKE);
    cr_expect(!sy_mailbox_close(&f.mb, &old.box, false, &dropped, 2));
    cr_expect_eq(put(&f, &old, 3, 78, 8), SY_MAIL_IGNORE);
    open_peer(&f, &new, 1);
    open_peer(&f, &other, 2);
    cr_assert_eq(put(&f, &new, 0, 99, 8), SY_MAIL_TAKE);
    cr_expect_eq(step(&f, &number), SY_WORK_START, "only the other one may start");
    cr_expect_eq(other.box.state, SY_BOX_LIVE);
    cr_expect_eq(step(&f, &number), SY_WORK_MESSAGE);
    cr_expect_eq(number, 77, "not the higher class of one that has not started");
    cr_expect_eq(step(&f, &number), SY_WORK_END);
    cr_expect_eq(old.box.state, SY_BOX_OVER);
    cr_expect_eq(step(&f, &number), SY_WORK_START);
    cr_expect_eq(new.box.state, SY_BOX_LIVE);
    cr_expect_eq(step(&f, &number), SY_WORK_MESSAGE);
    cr_expect_eq(number, 99);
    cr_expect_eq(step(&f, &number), -1);
    cr_expect_null(dropped);
    sy_mailbox_forget(&f.mb, &old.box);
}

/* SPEC-TEST RX-14 */
Test(mailbox, came_and_went_unseen) {
    fixture f;
    peer old;
    peer second;
    peer third;
    uint64_t number = 0;
    sy_mail *dropped = NULL;
    setup(&f, 0);
    open_peer(&f, &old, 1);
    start(&f);
    cr_expect(!sy_mailbox_close(&f.mb, &old.box, false, &dropped, 2));
    open_peer(&f, &second, 1);
    cr_assert_eq(put(&f, &second, 0, 5, 8), SY_MAIL_TAKE);
    cr_expect(sy_mailbox_close(&f.mb, &second.box, false, &dropped, 3), "never shown");
    cr_assert_not_null(dropped);
    free_mail(dropped);
    sy_mailbox_forget(&f.mb, &second.box);
    open_peer(&f, &third, 1);
    cr_expect_eq(step(&f, &number), SY_WORK_END);
    cr_expect_eq(step(&f, &number), SY_WORK_START);
    cr_expect_eq(third.box.state, SY_BOX_LIVE);
    cr_expect_eq(f.mb.bytes, 0);
}

/* SPEC-TEST RX-14 RX-17 */
Test(mailbox, failed_starts) {
    fixture f;
    peer p;
    peer q;
    sy_mail_work work;
    sy_mail *dropped = NULL;
    setup(&f, 0);
    open_peer(&f, &p, 1);
    cr_assert_eq(put(&f, &p, 0, 5, 8), SY_MAIL_TAKE);
    cr_assert(sy_mailbox_next(&f.mb, &work));
    cr_expect(sy_mailbox_done(&f.mb, &work, false, 2), "the loop hears of it");
    cr_expect_eq(p.box.state, SY_BOX_FAILED);
    cr_expect_eq(put(&f, &p, 0, 6, 8), SY_MAIL_IGNORE);
    cr_expect(!sy_mailbox_next(&f.mb, &work), "its messages are not delivered");
    cr_expect(sy_mailbox_close(&f.mb, &p.box, false, &dropped, 3));
    cr_assert_not_null(dropped);
    free_mail(dropped);
    dropped = NULL;
    sy_mailbox_forget(&f.mb, &p.box);

    open_peer(&f, &q, 1);
    cr_assert(sy_mailbox_next(&f.mb, &work));
    cr_expect(!sy_mailbox_close(&f.mb, &q.box, false, &dropped, 4), "the worker has it in hand");
    cr_expect(sy_mailbox_is_ending(&q.box));
    cr_expect(sy_mailbox_done(&f.mb, &work, false, 5));
    cr_expect_eq(q.box.state, SY_BOX_OVER);
    sy_mailbox_forget(&f.mb, &q.box);
    cr_expect_eq(f.mb.box_count, 0);
}

Test(mailbox, writable_comes_first_and_once) {
    fixture f;
    peer p;
    uint64_t number = 0;
    sy_mail *dropped = NULL;
    setup(&f, 0);
    open_peer(&f, &p, 1);
    sy_mailbox_writable(&f.mb, &p.queues[0], 1);
    start(&f);
    cr_expect_eq(step(&f, &number), -1, "not of one that had not started");
    cr_assert_eq(put(&f, &p, 0, 5, 8), SY_MAIL_TAKE);
    sy_mailbox_writable(&f.mb, &p.queues[1], 1);
    sy_mailbox_writable(&f.mb, &p.queues[2], 1);
    sy_mailbox_writable(&f.mb, &p.queues[1], 1);
    cr_expect_eq(step(&f, &number), SY_WORK_WRITABLE);
    cr_expect_eq(step(&f, &number), SY_WORK_WRITABLE);
    cr_expect_eq(step(&f, &number), SY_WORK_MESSAGE);
    sy_mailbox_writable(&f.mb, &p.queues[3], 1);
    (void)sy_mailbox_close(&f.mb, &p.box, false, &dropped, 9);
    cr_expect_eq(step(&f, &number), SY_WORK_END, "and not of one that ends");
}

/* SPEC-TEST RX-02 RX-16 */
Test(mailbox, stop_is_the_last) {
    fixture f;
    peer p;
    uint64_t number = 0;
    sy_mail *dropped = NULL;
    setup(&f, 0);
    open_peer(&f, &p, 1);
    start(&f);
    cr_assert_eq(put(&f, &p, 0, 5, 8), SY_MAIL_TAKE);
    sy_mailbox_shut(&f.mb);
    cr_expect_eq(step(&f, &number), SY_WORK_MESSAGE);
    cr_expect_eq(step(&f, &number), -1);
    cr_expect(!sy_mailbox_is_finished(&f.mb));
    (void)sy_mailbox_close(&f.mb, &p.box, true, &dropped, 9);
    cr_expect_eq(step(&f, &number), SY_WORK_END);
    cr_expect_eq(step(&f, &number), SY_WORK_STOP);
    cr_expect_eq(step(&f, &number), -1);
    cr_expect(sy_mailbox_is_finished(&f.mb));
}

/* SPEC-TEST RX-18 */
Test(mailbox, oldest_of_all) {
    fixture f;
    peer p;
    sy_mail_work work;
    sy_mail_oldest oldest;
    sy_mail *dropped = NULL;
    setup(&f, 0);
    cr_expect(!sy_mailbox_oldest(&f.mb, &oldest));
    open_peer(&f, &p, 1);
    cr_assert(sy_mailbox_oldest(&f.mb, &oldest));
    cr_expect_str_eq(oldest.operation, "peer_init");
    cr_expect(!oldest.under_way);
    start(&f);
    cr_assert_eq(put(&f, &p, 3, 50, 8), SY_MAIL_TAKE);
    cr_assert_eq(put(&f, &p, 0, 60, 8), SY_MAIL_TAKE);
    cr_assert(sy_mailbox_oldest(&f.mb, &oldest));
    cr_expect_eq(oldest.since, 50);
    cr_expect_eq(oldest.queue, &p.queues[3]);
    cr_assert(sy_mailbox_next(&f.mb, &work)); /* the higher class */
    free_mail(work.mail);
    (void)sy_mailbox_done(&f.mb, &work, true, 0);
    cr_assert(sy_mailbox_next(&f.mb, &work));
    free_mail(work.mail);
    cr_assert(sy_mailbox_oldest(&f.mb, &oldest));
    cr_expect(oldest.under_way && oldest.since == 50);
    cr_expect_str_eq(oldest.operation, "receive");
    (void)sy_mailbox_done(&f.mb, &work, true, 0);
    cr_expect(!sy_mailbox_oldest(&f.mb, &oldest));
    (void)sy_mailbox_close(&f.mb, &p.box, true, &dropped, 9);
}

/* ---- The model: an array of waiting messages, and nothing clever -------------------------------
 */

#define MODEL_PEERS 6
#define MODEL_MAX   4096

typedef struct model_mail {
    size_t peer;
    size_t channel;
    uint64_t number;
    size_t cost;
} model_mail;

typedef struct model {
    fixture f;
    peer peers[MODEL_PEERS];
    bool present[MODEL_PEERS];
    bool shown[MODEL_PEERS]; /* START was handed out */
    bool ending[MODEL_PEERS];
    model_mail mails[MODEL_MAX];
    size_t count;
    uint64_t next;
    uint64_t dropped;
} model;

static size_t model_waiting(const model *m, size_t p, size_t c, size_t *ret_cost) {
    size_t count = 0;
    *ret_cost = 0;
    for (size_t i = 0; i < m->count; i++) {
        if (m->mails[i].peer == p && m->mails[i].channel == c) {
            count++;
            *ret_cost += m->mails[i].cost;
        }
    }
    return count;
}

/* The oldest of that queue leaves; returns its number. */
static uint64_t model_take(model *m, size_t p, size_t c) {
    for (size_t i = 0; i < m->count; i++) {
        if (m->mails[i].peer == p && m->mails[i].channel == c) {
            const uint64_t number = m->mails[i].number;
            memmove(&m->mails[i], &m->mails[i + 1], (m->count - i - 1) * sizeof *m->mails);
            m->count--;
            return number;
        }
    }
    cr_assert_fail("the model has no such message");
    return 0;
}

static void model_put(model *m, size_t p, size_t c, size_t len) {
    const size_t cost = len + SY_MAIL_COST;
    const size_t budget = m->f.descs[c].recv_budget;
    size_t held;
    size_t waiting = model_waiting(m, p, c, &held);
    sy_mail_verdict verdict;
    while ((verdict = sy_mailbox_offer(&m->f.mb, &m->peers[p].queues[c], len)) ==
           SY_MAIL_DROP_OLDEST) {
        cr_assert(waiting > 0 && held + cost > budget);
        sy_mail *mail = sy_mailbox_drop_oldest(&m->f.mb, &m->peers[p].queues[c]);
        cr_assert_eq(number_of(mail), model_take(m, p, c));
        free_mail(mail);
        waiting = model_waiting(m, p, c, &held);
    }
    const bool fits = waiting == 0 || held + cost <= budget;
    if (m->ending[p]) {
        cr_assert_eq(verdict, SY_MAIL_IGNORE);
        return;
    }
    if (!fits) {
        const sy_mail_verdict want[] = {SY_MAIL_DISCONNECT, SY_MAIL_DROP_NEWEST, SY_MAIL_TAKE,
                                        SY_MAIL_TAKE_AND_PAUSE};
        cr_assert_eq(verdict, want[m->f.descs[c].full_policy]);
    } else {
        cr_assert_eq(verdict, SY_MAIL_TAKE);
    }
    if (verdict == SY_MAIL_TAKE || verdict == SY_MAIL_TAKE_AND_PAUSE) {
        sy_mailbox_push(&m->f.mb, &m->peers[p].queues[c], make_mail(m->next, len, m->next));
        m->mails[m->count++] = (model_mail){p, c, m->next++, cost};
    }
}

static void model_forget(model *m, size_t p) {
    sy_mailbox_forget(&m->f.mb, &m->peers[p].box);
    m->present[p] = m->shown[p] = m->ending[p] = false;
}

static void model_drop(model *m, size_t p, sy_mail *dropped) {
    size_t count = 0;
    for (const sy_mail *mail = dropped; mail != NULL; mail = mail->next) {
        count++;
    }
    for (size_t c = 0; c < CHANNELS; c++) {
        size_t held;
        for (size_t n = model_waiting(m, p, c, &held); n > 0; n--) {
            (void)model_take(m, p, c);
            count--;
        }
    }
    cr_assert_eq(count, 0);
    free_mail(dropped);
}

static void model_close(model *m, size_t p, bool discard) {
    sy_mail *dropped = NULL;
    const bool free_now = sy_mailbox_close(&m->f.mb, &m->peers[p].box, discard, &dropped, 1);
    cr_assert_eq(free_now, !m->shown[p]);
    m->ending[p] = true;
    if (discard || !m->shown[p]) {
        model_drop(m, p, dropped);
    }
    if (free_now) {
        model_forget(m, p);
    }
}

static size_t model_waiting_of(const model *m, size_t p) {
    size_t total = 0;
    for (size_t c = 0; c < CHANNELS; c++) {
        size_t held;
        total += model_waiting(m, p, c, &held);
    }
    return total;
}

static bool model_step(model *m) {
    sy_mail_work work;
    if (!sy_mailbox_next(&m->f.mb, &work)) {
        return false;
    }
    const size_t p = (size_t)((peer *)(void *)work.box - m->peers);
    cr_assert(p < MODEL_PEERS && m->present[p]);
    switch (work.kind) {
    case SY_WORK_START:
        cr_assert(!m->shown[p] && !m->ending[p]);
        for (size_t i = 0; i < MODEL_PEERS; i++) { /* SPEC-TEST RX-15 */
            cr_assert(i == p || !m->shown[i] ||
                      !sy_node_id_equal(&m->peers[i].box.id, &m->peers[p].box.id));
        }
        m->shown[p] = true;
        break;
    case SY_WORK_MESSAGE:
        cr_assert(m->shown[p]);
        cr_assert_eq(number_of(work.mail), model_take(m, p, work.queue->index));
        free_mail(work.mail);
        break;
    case SY_WORK_END:
        cr_assert(m->ending[p] && model_waiting_of(m, p) == 0);
        break;
    case SY_WORK_WRITABLE:
    case SY_WORK_STOP:
        cr_assert_fail("nobody asked for it");
    }
    (void)sy_mailbox_done(&m->f.mb, &work, true, 0);
    if (work.kind == SY_WORK_END) {
        model_forget(m, p);
    }
    return true;
}

static bool id_is_free(const model *m, uint8_t id) {
    for (size_t i = 0; i < MODEL_PEERS; i++) {
        if (m->present[i] && !m->ending[i] && m->peers[i].box.id.bytes[0] == id) {
            return false;
        }
    }
    return true;
}

static void model_act(model *m, sy_prng *prng) {
    const size_t p = (size_t)sy_prng_below(prng, MODEL_PEERS);
    const uint64_t what = sy_prng_below(prng, 100);
    const uint8_t id = (uint8_t)sy_prng_below(prng, 3);
    if (!m->present[p]) {
        if (id_is_free(m, id)) {
            open_peer(&m->f, &m->peers[p], id);
            m->present[p] = true;
        }
    } else if (what < 60) {
        model_put(m, p, (size_t)sy_prng_below(prng, CHANNELS), 8 + sy_prng_below(prng, 600));
    } else if (what < 95) {
        (void)model_step(m);
    } else if (!m->ending[p]) {
        model_close(m, p, what == 99);
    }
}

/* 300 random histories against the model; every message is accounted for. */
Test(mailbox, does_what_the_model_does) {
    static model m;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        sy_prng prng;
        sy_prng_init(&prng, seed);
        memset(&m, 0, sizeof m);
        setup(&m.f, 0);
        for (size_t c = 0; c < CHANNELS; c++) {
            m.f.descs[c].full_policy = (sy_full_policy)((c + seed) % 4);
            m.f.descs[c].traffic_class = (sy_class)(1 + (c * seed) % 4);
        }
        for (size_t i = 0; i < 600 && m.count < MODEL_MAX - 1; i++) {
            model_act(&m, &prng);
            size_t cost = 0;
            for (size_t k = 0; k < m.count; k++) {
                cost += m.mails[k].cost;
            }
            cr_assert_eq(m.f.mb.messages, m.count, "seed %llu", (unsigned long long)seed);
            cr_assert_eq(m.f.mb.bytes, cost, "seed %llu", (unsigned long long)seed);
        }
        for (size_t p = 0; p < MODEL_PEERS; p++) {
            if (m.present[p] && !m.ending[p]) {
                model_close(&m, p, false);
            }
        }
        while (model_step(&m)) {
        }
        cr_assert_eq(m.count, 0);
        cr_assert_eq(m.f.mb.box_count, 0, "seed %llu", (unsigned long long)seed);
        cr_assert_eq(m.f.mb.bytes, 0);
    }
}
