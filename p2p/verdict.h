/* SPDX-License-Identifier: Apache-2.0 */
/* A judge: somebody outside the switch who is asked whether a connection is wanted, and may take
 * its time.  Two questions, in this order: the address, before any byte is exchanged; the ID, once
 * it is proven.  While a question is open its connection says nothing and is given nothing; it
 * stays among the pending handshakes, and the deadline of the handshake goes on.
 *
 *     static sy_verdict ask(void *judge, const sy_question *question, sy_detail *why, sy_time now)
 * { send_to_my_service(judge, question); return SY_VERDICT_PENDING;
 *     }
 *     static const sy_judge_ops ops = {.size = sizeof(sy_judge_ops), .name = "my service",
 *                                      .ask = ask, .cancel = cancel};
 *     sy_judge_settings settings;
 *     sy_judge_settings_default(&settings);
 *     err = sy_switch_set_judge(sw, &ops, judge, &settings);       // before start
 *     ... when my service answers, on the loop thread ...
 *     (void)sy_switch_answer(sw, question.ref, SY_VERDICT_REFUSE, &why, now);
 *
 * The lists and bans of filter.h are asked first.  app_filter.h is a judge that asks an ABCI
 * application.  Loop thread only.  Source: docs/spec/filters.md. */
#ifndef SWITCHYARD_VERDICT_H
#define SWITCHYARD_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <switchyard/addr.h>
#include <switchyard/detail.h>
#include <switchyard/err.h>
#include <switchyard/export.h>
#include <switchyard/node_id.h>
#include <switchyard/time.h>

SY_BEGIN_DECLS

typedef struct sy_switch sy_switch;

typedef enum sy_question_kind {
    SY_ASK_ADDR,
    SY_ASK_ID,
} sy_question_kind;

typedef enum sy_verdict {
    SY_VERDICT_ADMIT,
    SY_VERDICT_REFUSE,  /* SY_ERR_FILTERED */
    SY_VERDICT_NONE,    /* the judge cannot say: sy_judge_settings.unanswered decides */
    SY_VERDICT_PENDING, /* from `ask` only: sy_switch_answer follows, or the time runs out */
} sy_verdict;

/* The name of an open question, by value. */
typedef struct sy_question_ref {
    uint32_t slot;
    uint32_t generation;
    sy_question_kind kind;
} sy_question_ref;

typedef struct sy_question {
    sy_question_ref ref;
    bool outbound;
    const sy_endpoint *remote; /* borrows for the call */
    const sy_node_id *id;      /* ASK_ID: proven; ASK_ADDR: the dialed one, or NULL; as above */
} sy_question;

typedef struct sy_judge_ops {
    size_t size;      /* sizeof(sy_judge_ops) of the implementer */
    const char *name; /* static; for people: "the application" */

    /* May answer at once; never calls into the switch.  why is empty: it may be filled with the
     * reason of REFUSE and NONE. */
    sy_verdict (*ask)(void *judge, const sy_question *question, sy_detail *why, sy_time now);

    /* A pending question is over without an answer: the connection ended, or time ran out.  why
     * (never NULL) says so already; what the judge knows may be added.  May be NULL. */
    void (*cancel)(void *judge, sy_question_ref ref, sy_detail *why, sy_time now);
} sy_judge_ops;

/* What is done without an answer. */
typedef enum sy_unanswered {
    SY_UNANSWERED_REFUSE, /* SY_ERR_NO_VERDICT */
    SY_UNANSWERED_ADMIT,
} sy_unanswered;

typedef struct sy_judge_settings {
    size_t size;
    sy_duration timeout;      /* of one question; default 5 s */
    sy_unanswered unanswered; /* default REFUSE */
} sy_judge_settings;

#define sy_judge_settings_default(settings)                                                        \
    sy_judge_settings_default_sized((settings), sizeof(sy_judge_settings))
SY_API void sy_judge_settings_default_sized(sy_judge_settings *settings, size_t size);

/* Before start; ops and judge borrow until del, settings is copied.  One judge.
 *   SY_ERR_STATE    started, or there is one
 *   SY_ERR_INVALID  a table without ask or name, a time-out of 0 */
SY_API sy_err sy_switch_set_judge(sy_switch *sw, const sy_judge_ops *ops, void *judge,
                                  const sy_judge_settings *settings) SY_MUST_USE;

/* The answer to a pending question; not inside `ask` or `cancel`.  why may be NULL.
 *   SY_ERR_GONE  the question is over */
SY_API sy_err sy_switch_answer(sy_switch *sw, sy_question_ref ref, sy_verdict verdict,
                               const sy_detail *why, sy_time now);

SY_END_DECLS

#endif
